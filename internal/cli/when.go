package cli

import "time"

// timeOf is a point in time, of unix ms.
func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// whenForms are how people write a time, in their own zone where they name none.
var whenForms = [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// parseWhen reads the time of a flag, unix ms: a time, or how long ago.
func parseWhen(flag, text string, now int64) (int64, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now - d.Milliseconds(), nil
	}
	for _, form := range whenForms {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, usagef("--%s %q: want a time such as 2026-01-02T15:04:05Z or '2026-01-02 15:04', or how long ago, such as 2h", flag, text)
}
