package plugin

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	maxName = 64 // of a metric
	maxBase = 40 // of its label: room for a number, _warn_from and _seconds
)

// unit says what becomes of a plugin's unit of measurement.
type unit struct {
	factor float64
	name   string // of the metric's unit
	suffix string // of the metric's name
}

// units are those of the Monitoring Plugins' guidelines, and what else is
// common. Plugins count K, M, G by 1024.
var units = map[string]unit{
	"":   {1, "", ""},
	"s":  {1, "seconds", "_seconds"},
	"ms": {1e-3, "seconds", "_seconds"},
	"us": {1e-6, "seconds", "_seconds"},
	"µs": {1e-6, "seconds", "_seconds"},
	"ns": {1e-9, "seconds", "_seconds"},
	"%":  {1, "percent", "_percent"},
	"B":  {1, "bytes", "_bytes"},
	"c":  {1, "", ""}, // a counter
}

// findUnit knows the units above and bytes by the thousand; another unit stays
// what it is.
func findUnit(text string) unit {
	if u, ok := units[text]; ok {
		return u
	}
	factor := 1.0
	for _, prefix := range "KMGTPE" {
		factor *= 1024
		p := string(prefix)
		if text == p+"B" || text == p+"iB" || p == "K" && text == "kB" {
			return unit{factor, "bytes", "_bytes"}
		}
	}
	return unit{1, text, ""}
}

// metrics turns performance data into metrics: the values in their order, then
// what goes with them.
func metrics(text string) []check.Metric {
	var values, others []check.Metric
	taken := map[string]bool{}
	for _, p := range parsePerf(text) {
		if len(values) == check.MaxMetrics {
			break
		}
		u := findUnit(p.unit)
		base := unique(baseName(p.label, u.suffix), u.suffix, taken)
		gauge := func(into *[]check.Metric, part string, v float64) {
			if v *= u.factor; !math.IsInf(v, 0) && !math.IsNaN(v) {
				*into = append(*into, check.Gauge(base+part+u.suffix, v, u.name))
			}
		}
		if n, err := strconv.ParseUint(p.text, 10, 64); err == nil && p.unit == "c" {
			values = append(values, check.Counter(base, n, 64, ""))
		} else {
			gauge(&values, "", p.value)
		}
		addSpan(gauge, &others, "_warn", p.warn)
		addSpan(gauge, &others, "_crit", p.crit)
		if p.min != nil {
			gauge(&others, "_min", *p.min)
		}
		if p.max != nil {
			gauge(&others, "_max", *p.max)
		}
	}
	all := append(values, others...)
	return all[:min(len(all), check.MaxMetrics)]
}

// addSpan adds the ends of a threshold. The common one, from 0 up, is its
// upper end alone.
func addSpan(gauge func(*[]check.Metric, string, float64), into *[]check.Metric, part string, s span) {
	switch {
	case s.inside:
		gauge(into, part+"_from", s.low)
		gauge(into, part+"_to", s.high)
	case s.low == 0 && !math.IsInf(s.high, 0):
		gauge(into, part, s.high)
	default:
		gauge(into, part+"_low", s.low)
		gauge(into, part, s.high)
	}
}

// baseName makes a label fit for the name of a metric, without the unit.
func baseName(label, suffix string) string {
	if label == "/" {
		return "root"
	}
	var b strings.Builder
	for _, r := range label {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	name := strings.TrimRight(b.String(), "_")
	if suffix != "" {
		name = strings.TrimSuffix(name, suffix)
	}
	if name == "" {
		name = "value"
	}
	return name[:min(len(name), maxBase)]
}

// unique gives a base that no metric has yet, and takes it.
func unique(base, suffix string, taken map[string]bool) string {
	name := base
	for i := 2; taken[name+suffix]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	taken[name+suffix] = true
	return name
}
