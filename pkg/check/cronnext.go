package check

import (
	"math/bits"
	"sync"
	"time"
)

const (
	day = 24 * 60 * 60 // seconds
	// farAway is more than any change of a zone's offset: Samoa skipped a
	// whole day, Manila and Alaska moved by one.
	farAway = 3 * day
	// searchDays bounds the look for a matching day: 29 February on a given
	// weekday can be 40 years away.
	searchDays = 41 * 366
)

// Next gives the first slot after t.
func (c *Cron) Next(t time.Time) time.Time {
	at := t.Unix()
	span := spanAt(c.loc, at)
	local := at + span.offset // slots up to here are done
	for {
		if !c.everyStep {
			// Wall times that were shown before this span began are done too.
			local = max(local, shownBefore(c.loc, span, at)-1)
		}
		slot, ok := c.nextLocal(local)
		if !ok {
			return time.Time{}
		}
		unix := slot - span.offset
		if span.last || unix < span.end {
			return time.Unix(unix, 0).UTC()
		}
		next := spanAt(c.loc, span.end)
		if slot < span.end+next.offset {
			return time.Unix(span.end, 0).UTC() // the slot is in the gap
		}
		at, span = span.end, next // not next.start: see spanAt
		if far := unix - farAway; far > at && at+span.offset-farAway > local {
			// Nothing matches from local to slot, and no clock goes back from
			// here to before local: go to near the slot at once.
			at, span = far, spanAt(c.loc, far)
		}
		local = at + span.offset - 1
	}
}

// zoneSpan is a time during which a zone keeps one offset, [start, end) in
// unix seconds. last: it has no end; first: no start.
type zoneSpan struct {
	start, end, offset int64
	first, last        bool
}

func spanAt(loc *time.Location, at int64) zoneSpan {
	t := time.Unix(at, 0).In(loc)
	start, end := t.ZoneBounds()
	_, offset := t.Zone()
	span := zoneSpan{start.Unix(), end.Unix(), int64(offset), start.IsZero(), end.IsZero()}
	if !span.last {
		// Where a zone's rules go on for ever, Go counts 365 days in each year
		// and lets the last span of a leap year end a day too soon: on 31
		// December the end it gives is not after t.
		for span.end <= at {
			span.end += day
		}
	}
	return span
}

// shownBefore gives the local second up to which the wall clock had come
// before the span began; at is the instant of interest.
func shownBefore(loc *time.Location, span zoneSpan, at int64) int64 {
	shown := never + 1
	for !span.first && at-span.start < farAway {
		end := span.start
		span = spanAt(loc, end-1)
		shown = max(shown, end+span.offset)
	}
	return shown
}

// nextLocal gives the first matching minute after a local second, as local
// seconds: unix seconds as if the zone were UTC.
func (c *Cron) nextLocal(local int64) (int64, bool) {
	minute := (local-mod(local, 60))/60 + 1
	days := (minute - mod(minute, 24*60)) / (24 * 60)
	inDay := int(mod(minute, 24*60))
	for limit := days + searchDays; days < limit; {
		year, month, d := time.Unix(days*day, 0).UTC().Date()
		if c.month&(1<<month) == 0 {
			days = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC).Unix() / day
			inDay = 0
			continue
		}
		if c.dayMatches(d, days) {
			if m, ok := c.nextInDay(inDay); ok {
				return days*day + int64(m)*60, true
			}
		}
		days++
		inDay = 0
	}
	return 0, false
}

func (c *Cron) dayMatches(d int, days int64) bool {
	byDay := c.day&(1<<d) != 0
	byWeekday := c.weekday&(1<<mod(days+4, 7)) != 0 // 1 January 1970 was a Thursday
	if c.eitherDay {
		return byDay || byWeekday
	}
	return byDay && byWeekday
}

// nextInDay gives the first matching minute of a day at or after from.
func (c *Cron) nextInDay(from int) (int, bool) {
	hour, minute := from/60, from%60
	if c.hour&(1<<hour) != 0 {
		if m := bits.TrailingZeros64(c.minute >> minute << minute); m < 60 {
			return hour*60 + m, true
		}
	}
	h := bits.TrailingZeros64(c.hour >> (hour + 1) << (hour + 1))
	if h > 23 {
		return 0, false
	}
	return h*60 + bits.TrailingZeros64(c.minute), true
}

// zones keeps one *time.Location for each name: loading reads a file, and one
// takes some kilobytes, which 100,000 checks must not hold each. It only ever
// holds names that exist.
var zones sync.Map

// location finds a time zone by its IANA name; empty means UTC.
func location(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	bad := fieldErr("timezone", quoteShort(name)+": want an IANA name such as Europe/Berlin")
	if name == "Local" || len(name) > 64 {
		return nil, bad // another machine has another local time
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, bad
	}
	zones.Store(name, loc)
	return loc, nil
}
