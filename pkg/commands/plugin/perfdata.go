package plugin

import (
	"math"
	"strconv"
	"strings"
)

// perf is one item of performance data:
//
//	'label'=value[unit];[warn];[crit];[min];[max]
type perf struct {
	label      string
	value      float64
	text       string // the digits of value: a counter may exceed a float's precision
	unit       string
	warn, crit span
	min, max   *float64
}

// span is a threshold: an alert is raised outside of low to high, or inside
// when inside is set. Both ends are infinite when there is no threshold.
type span struct {
	low, high float64
	inside    bool
}

var noSpan = span{low: math.Inf(-1), high: math.Inf(1)}

// parsePerf reads performance data. What cannot be read is passed over: the
// rest of it is still worth having. A value of U means that the plugin could
// not tell it.
func parsePerf(text string) (items []perf) {
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		if text == "" {
			return items
		}
		label, rest, ok := cutLabel(text)
		if !ok {
			_, text, _ = strings.Cut(text, " ")
			continue
		}
		end := strings.IndexAny(rest, " \t\r\n")
		if end < 0 {
			end = len(rest)
		}
		if p, ok := parseItem(label, rest[:end]); ok {
			items = append(items, p)
		}
		text = rest[end:]
	}
}

// cutLabel takes the label and the = off text. In quotes, which are needed for
// blanks and =, two quotes stand for one.
func cutLabel(text string) (label, rest string, ok bool) {
	if text[0] != '\'' {
		label, rest, ok = strings.Cut(text, "=")
		return label, rest, ok && label != "" && !strings.ContainsAny(label, " \t\r\n'")
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		if i+1 < len(text) && text[i+1] == '=' && b.Len() > 0 {
			return b.String(), text[i+2:], true
		}
		return "", "", false
	}
	return "", "", false
}

// parseItem reads what stands behind the =.
func parseItem(label, text string) (perf, bool) {
	fields := strings.Split(text, ";")
	p := perf{label: label, warn: noSpan, crit: noSpan}
	digits := numberLen(fields[0])
	v, ok := number(fields[0][:digits])
	if !ok || strings.HasPrefix(fields[0][digits:], ",") { // 1,5 is not 1
		return p, false
	}
	p.value, p.text, p.unit = v, fields[0][:digits], fields[0][digits:]
	field := func(i int) string {
		if i < len(fields) {
			return fields[i]
		}
		return ""
	}
	p.warn, p.crit = parseSpan(field(1)), parseSpan(field(2))
	if v, ok := number(field(3)); ok {
		p.min = &v
	}
	if v, ok := number(field(4)); ok {
		p.max = &v
	}
	return p, true
}

// numberLen tells how much of text is a number: a unit may begin with E as
// well as an exponent does.
func numberLen(text string) int {
	n := 0
	for n < len(text) {
		switch c := text[n]; {
		case c >= '0' && c <= '9' || c == '.':
			n++
		case (c == '-' || c == '+') && n == 0:
			n++
		case (c == 'e' || c == 'E') && n > 0 && exponent(text[n+1:]):
			n += 2
		default:
			return n
		}
	}
	return n
}

// exponent says whether text goes on as an exponent does.
func exponent(text string) bool {
	digit := func(i int) bool { return i < len(text) && text[i] >= '0' && text[i] <= '9' }
	return digit(0) || len(text) > 0 && (text[0] == '-' || text[0] == '+') && digit(1)
}

// number reads a decimal number, nothing else that Go would take.
func number(text string) (float64, bool) {
	if text == "" || numberLen(text) != len(text) {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// parseSpan reads a threshold: "10" is 0 to 10, "10:" is 10 and more, "~:10"
// is 10 and less, "10:20" from 10 to 20, "@" in front turns it round. What
// cannot be read is no threshold.
func parseSpan(text string) span {
	s := noSpan
	text, s.inside = strings.CutPrefix(text, "@")
	low, high, ranged := strings.Cut(text, ":")
	if !ranged {
		low, high = "0", text
	}
	var ok bool
	switch {
	case low == "~":
	case low == "" && ranged:
		s.low = 0
	default:
		if s.low, ok = number(low); !ok {
			return noSpan
		}
	}
	if high == "" && ranged {
		return s
	}
	if s.high, ok = number(high); !ok || s.low > s.high {
		return noSpan
	}
	return s
}
