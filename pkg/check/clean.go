package check

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the short texts of a Result.
const (
	maxReason = 64
	maxStr    = 256
	maxUnit   = 32
)

// Clean makes a Result of any command fit to be stored and shown: texts are
// cut (Text to MaxText bytes), control and direction-changing characters and
// invalid UTF-8 replaced, a State that does not exist becomes UNKNOWN; metrics
// with a bad or doubled name, a value that is NaN or infinite or no kind, and
// those over MaxMetrics are dropped. It returns the names of the dropped ones.
// The slice Metrics itself is not changed.
func (r *Result) Clean() (dropped []string) {
	if r.State > StateUnknown {
		r.State = StateUnknown
	}
	r.Reason = CleanText(r.Reason, maxReason)
	r.Text = CleanText(r.Text, MaxText)
	kept, copied := 0, false
	for i, m := range r.Metrics {
		fit, same := m.clean()
		if !same && !copied {
			r.Metrics, copied = append([]Metric(nil), r.Metrics...), true
		}
		if fit && kept < MaxMetrics && !hasMetric(r.Metrics[:kept], m.Name) {
			if kept != i || !same {
				r.Metrics[kept] = m
			}
			kept++
			continue
		}
		if !copied {
			r.Metrics, copied = append([]Metric(nil), r.Metrics...), true
		}
		dropped = append(dropped, CleanText(m.Name, maxReason))
	}
	r.Metrics = r.Metrics[:kept]
	return dropped
}

// hasMetric looks for a name. At most MaxMetrics metrics are looked at, and
// nearly always fewer than ten.
func hasMetric(metrics []Metric, name string) bool {
	for i := range metrics {
		if metrics[i].Name == name {
			return true
		}
	}
	return false
}

// clean mends the metric; same says that nothing was wrong, fit that it may
// stay.
func (m *Metric) clean() (fit, same bool) {
	if !validName(m.Name) {
		return false, true
	}
	before := *m
	m.Unit = CleanText(m.Unit, maxUnit)
	switch m.Kind {
	case KindGauge:
		fit = !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0)
	case KindCounter:
		fit = true
		if m.Width != 32 {
			m.Width = 64
		}
	case KindString:
		fit = true
		m.Str = CleanText(m.Str, maxStr)
	}
	return fit, m.Unit == before.Unit && m.Width == before.Width && m.Str == before.Str
}

// CleanText cuts a text to limit bytes and replaces what must not reach a
// terminal, a log or a page: white space by a blank, the rest by U+FFFD.
func CleanText(s string, limit int) string {
	if len(s) <= limit && !strings.ContainsFunc(s, unfit) {
		return s
	}
	if len(s) > 4*limit {
		s = s[:4*limit] // no more than the rest can shrink to
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unfit(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// unfit finds control characters, those that change the direction or the
// lines of a text, and (as U+FFFD) bytes that are no UTF-8.
func unfit(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) ||
		r == '\u2028' || r == '\u2029'
}
