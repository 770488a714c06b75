package cli

import (
	"fmt"
	"strings"
	"time"
)

// shortDuration writes a duration without zero units at its end: 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ago writes how long something is past, or still to come, in two units.
func ago(d time.Duration) string {
	if d < 0 {
		return "in " + roughly(-d)
	}
	return roughly(d) + " ago"
}

// roughly writes a duration as people say it: 4m10s, 3h12m, 5d2h.
func roughly(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return shortDuration(d.Round(time.Second))
	case d < day:
		return shortDuration(d.Round(time.Minute))
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// clock writes a time for people, in their zone, with milliseconds.
func clock(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).Local().Format("2006-01-02 15:04:05.000")
}

// count writes a number of things: 1 check, 2 checks.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
