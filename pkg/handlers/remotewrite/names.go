package remotewrite

import (
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// isName says whether text can be the name of a label, or begin that of a
// series.
func isName(text string) bool {
	for i := range len(text) {
		if !isNameByte(text[i]) {
			return false
		}
	}
	return text != "" && !(text[0] >= '0' && text[0] <= '9')
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// appendName appends text with an underscore for each byte that a name cannot
// have.
func appendName(b []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if !isNameByte(c) {
			c = '_'
		}
		b = append(b, c)
	}
	return b
}

// seriesName gives the name of a figure's series: prefix, figure, unit unless
// the figure says it, and _total for a counter.
func seriesName(prefix, figure string, m *check.Metric) string {
	counter := m.Kind == check.KindCounter
	if counter {
		figure = strings.TrimSuffix(figure, "_total")
	}
	b := appendName([]byte(prefix), figure)
	if len(b) == 0 || b[0] >= '0' && b[0] <= '9' {
		b = append([]byte{'_'}, b...)
	}
	if unit := unitName(m.Unit); unit != "" && !says(string(b), unit) {
		b = append(append(b, '_'), unit...)
	}
	if counter {
		b = append(b, "_total"...)
	}
	return string(b)
}

// says whether a name has the unit in it, or is a rate, which has its own.
func says(name, unit string) bool {
	return strings.Contains("_"+name+"_", "_"+unit+"_") || strings.HasSuffix(name, "_per_second")
}

// unitName is a unit as part of a name; empty if nothing is left of it.
func unitName(unit string) string {
	switch unit {
	case "":
		return ""
	case "%":
		return "percent"
	case "s":
		return "seconds"
	case "B":
		return "bytes"
	}
	return strings.Trim(string(appendName(nil, unit)), "_")
}
