package check

import (
	"strings"
	"testing"
	"time"
)

func mustCron(t testing.TB, expr, timezone string) *Cron {
	t.Helper()
	c, err := ParseCron(expr, timezone)
	if err != nil {
		t.Fatalf("ParseCron(%q, %q): %v", expr, timezone, err)
	}
	return c
}

func TestCronNext(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, expr, zone, from, want string }{
		{"every minute", "* * * * *", "", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"},
		{"strictly after", "* * * * *", "", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"},
		{"just before", "* * * * *", "", "2026-01-01T00:00:59.999Z", "2026-01-01T00:01:00Z"},
		{"steps", "*/20 * * * *", "", "2026-01-01T00:21:00Z", "2026-01-01T00:40:00Z"},
		{"range with step", "10-40/15 * * * *", "", "2026-01-01T00:26:00Z", "2026-01-01T00:40:00Z"},
		{"open step", "50/5 * * * *", "", "2026-01-01T00:51:00Z", "2026-01-01T00:55:00Z"},
		{"list", "5,7,59 * * * *", "", "2026-01-01T00:07:00Z", "2026-01-01T00:59:00Z"},
		{"next hour", "5 * * * *", "", "2026-01-01T00:07:00Z", "2026-01-01T01:05:00Z"},
		{"next day", "5 3 * * *", "", "2026-01-01T03:07:00Z", "2026-01-02T03:05:00Z"},
		{"next year", "0 0 1 1 *", "", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"month name", "0 0 1 mar *", "", "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"month range", "0 0 1 NOV-DEC *", "", "2026-01-01T00:00:00Z", "2026-11-01T00:00:00Z"},
		{"weekday name", "0 0 * * Mon", "", "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"},
		{"7 is Sunday", "0 0 * * 7", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"0 is Sunday", "0 0 * * 0", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"SAT-SUN", "0 0 * * SAT-SUN", "", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"5-7", "0 0 * * 5-7", "", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"weekday step", "0 0 * * */2", "", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"},
		{"day or weekday, day first", "0 0 6 * FRI", "", "2026-01-03T00:00:00Z", "2026-01-06T00:00:00Z"},
		{"day or weekday, weekday first", "0 0 6 * FRI", "", "2026-01-06T00:00:00Z", "2026-01-09T00:00:00Z"},
		{"starred day and weekday", "0 0 */2 * FRI", "", "2026-01-01T00:00:00Z", "2026-01-09T00:00:00Z"},
		{"31st", "0 0 31 * *", "", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"},
		{"29 February", "0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"29 February over 2100", "0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"29 February on a Sunday", "0 0 29 2 */7", "", "2032-03-01T00:00:00Z", "2060-02-29T00:00:00Z"},
		{"the longest wait", "0 0 29 2 */7", "", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"},
		{"before 1970", "0 0 29 2 *", "", "1899-03-01T00:00:00Z", "1904-02-29T00:00:00Z"},
		{"zone", "30 8 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z"},
		{"far away in a zone", "30 8 29 2 *", "America/New_York", "2026-01-01T00:00:00Z", "2028-02-29T13:30:00Z"},

		{"gap: fixed runs once after it", "30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z"},
		{"gap: not again", "30 2 * * *", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"},
		{"gap: many slots are one run", "5,25,45 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"gap: and not again", "5,25,45 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:05:00Z"},
		{"gap: one run with a slot at its end", "0 2,3 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"},
		{"gap: starred", "*/20 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"gap: last slot before", "59 1 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T00:59:00Z"},
		{"gap at midnight", "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"},
		{"gap of 30 minutes", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"},
		{"gap of 30 minutes, behind", "45 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:45:00Z"},
		{"gap of 2 hours", "30 1 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"a day that was skipped", "0 12 * * *", "Pacific/Apia", "2011-12-30T00:00:00Z", "2011-12-30T10:00:00Z"},
		{"a day that was skipped, by weekday", "0 12 * * FRI", "Pacific/Apia", "2011-12-24T00:00:00Z", "2011-12-30T10:00:00Z"},
		{"a day that was skipped, others", "0 12 * * SAT", "Pacific/Apia", "2011-12-30T00:00:00Z", "2011-12-30T22:00:00Z"},

		{"overlap: fixed runs at the first", "30 1 * * *", "America/New_York", "2026-11-01T04:00:00Z", "2026-11-01T05:30:00Z"},
		{"overlap: fixed does not repeat", "30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"},
		{"overlap: asked within the repeat", "30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", "2026-11-02T06:30:00Z"},
		{"overlap: ranges are fixed", "0 0-5 * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"},
		{"overlap: starred hour repeats", "0 * * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"},
		{"overlap: starred minute repeats", "*/30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z"},
		{"overlap: its end", "0 2 * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"},
		{"overlap of 30 minutes", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"},
		{"overlap of 2 hours", "0 * * * *", "Antarctica/Troll", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
		{"last day of a leap year", "30 12 * * *", "America/New_York", "2040-12-30T18:00:00Z", "2040-12-31T17:30:00Z"},
		{"from the last day of a leap year", "30 2 * * *", "America/New_York", "2040-12-31T18:00:00Z", "2041-01-01T07:30:00Z"},
		{"a day that came twice", "0 12 * * *", "America/Juneau", "1867-10-19T02:00:00Z", "1867-10-20T20:57:41Z"},
	}
	for _, tt := range tests {
		c := mustCron(t, tt.expr, tt.zone)
		if got := c.Next(at(t, tt.from)); !got.Equal(at(t, tt.want)) {
			t.Errorf("%s: %q in %q: Next(%s) = %s, want %s", tt.name, tt.expr, tt.zone, tt.from, got.Format(time.RFC3339), tt.want)
		}
	}
}

func TestParseCronRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, zone, want string }{
		{"", "", "want 5 fields"},
		{"* * * *", "", "want 5 fields"},
		{"* * * * * *", "", "want 5 fields"},
		{"@daily", "", "want 5 fields"},
		{"60 * * * *", "", `minute "60": want 0 to 59`},
		{"* 24 * * *", "", `hour "24": want 0 to 23`},
		{"* * 0 * *", "", `day of month "0": want 1 to 31`},
		{"* * * 13 *", "", `month "13": want 1 to 12`},
		{"* * * * 8", "", `day of week "8": want 0 to 7`},
		{"* * * * MOO", "", `day of week "MOO"`},
		{"MON * * * *", "", `minute "MON"`},
		{"-1 * * * *", "", `minute ""`},
		{"+1 * * * *", "", `minute "+1"`},
		{"1- * * * *", "", `minute ""`},
		{"1-2-3 * * * *", "", `minute "2-3"`},
		{"30-10 * * * *", "", "the range runs backwards"},
		{"* * * * FRI-MON", "", "the range runs backwards"},
		{"*/0 * * * *", "", "want a step of 1 to 59"},
		{"*/60 * * * *", "", "want a step of 1 to 59"},
		{"*/x * * * *", "", "want a step"},
		{"*/5/5 * * * *", "", "want a step"},
		{"1,,2 * * * *", "", `minute ""`},
		{"** * * * *", "", `minute "**"`},
		{"? * * * *", "", `minute "?"`},
		{"99999999999999999999 * * * *", "", "want 0 to 59"},
		{"0 0 31 2 *", "", "no month has such a day"},
		{"0 0 31 2,4,6,9,11 *", "", "no month has such a day"},
		{"0 0 30,31 2 *", "", "no month has such a day"},
		{"0 0 31 4 */2", "", "no month has such a day"},
		{"0 0 * * *", "Mars/Olympus", "timezone"},
		{"0 0 * * *", "Local", "timezone"},
		{"0 0 * * *", "../../etc/passwd", "timezone"},
		{"0 0 * * *", strings.Repeat("x", 100), "timezone"},
	}
	for _, tt := range tests {
		_, err := ParseCron(tt.expr, tt.zone)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseCron(%q, %q) = %v, want an error with %q", tt.expr, tt.zone, err, tt.want)
		}
	}
	// A weekday makes up for a day that never comes.
	mustCron(t, "0 0 31 2 MON", "")
}

func BenchmarkCronNext(b *testing.B) {
	for _, expr := range []string{"*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "0 0 29 2 */7"} {
		b.Run(expr, func(b *testing.B) {
			c := mustCron(b, expr, "Europe/Berlin")
			from := time.Unix(1_780_000_000, 0)
			b.ReportAllocs()
			for b.Loop() {
				c.Next(from)
			}
		})
	}
}

func FuzzCron(f *testing.F) {
	f.Add("*/5 0-12/3 1,15 JAN-MAR MON", "Europe/Berlin", int64(1_780_000_000))
	f.Add("30 2 * * *", "America/New_York", int64(1_772_900_000))
	f.Add("15 2 29 2 7", "Australia/Lord_Howe", int64(0))
	f.Add("0 12 * * *", "Pacific/Apia", int64(1_325_150_000))
	f.Fuzz(func(t *testing.T, expr, zone string, unix int64) {
		c, err := ParseCron(expr, zone)
		if err != nil {
			return
		}
		from := time.Unix(unix%(1<<36), 0)
		next := c.Next(from)
		if !next.After(from) {
			t.Fatalf("%q in %q: Next(%v) = %v, want later", expr, zone, from, next)
		}
		if before := c.Next(next.Add(-time.Second)); !before.Equal(next) {
			t.Fatalf("%q in %q: Next(%v) = %v, but just before that Next = %v", expr, zone, from, next, before)
		}
	})
}
