package check

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Cron is a five-field cron expression in a time zone; ParseCron makes one.
//
// Its slots are the wall-clock minutes that match. When both day fields are
// restricted (neither starts with *) a day matches by either, else by both.
// Slots in a gap of the wall clock (DST begins) run once, together, at the
// first instant after the gap. A slot that the wall clock shows twice (DST
// ends) runs at the first showing only, or, when the minute or hour field
// starts with *, at both.
type Cron struct {
	minute, hour, day, month, weekday uint64 // bit n: the value n matches
	eitherDay                         bool   // day or weekday, not day and weekday
	everyStep                         bool   // repeated wall times run each time
	loc                               *time.Location
}

// field is one field of an expression: its bounds and the names of values.
type field struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

var cronFields = [...]field{
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{name: "day of week", max: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// ParseCron reads "minute hour day month weekday": lists, ranges, steps
// (*/5, 10-40/10, 7/20), names of months and weekdays, 7 for Sunday. timezone
// is an IANA name, empty for UTC. Expressions that match no day of any year
// are refused.
func ParseCron(expr, timezone string) (*Cron, error) {
	loc, err := location(timezone)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(expr)
	if len(words) != len(cronFields) {
		return nil, fieldErr("cron", fmt.Sprintf("%s: want 5 fields (minute hour day month weekday), got %d", quoteShort(expr), len(words)))
	}
	var sets [len(cronFields)]uint64
	for i, f := range cronFields {
		if sets[i], err = f.parse(words[i]); err != nil {
			return nil, fieldErr("cron", err.Error())
		}
	}
	c := &Cron{minute: sets[0], hour: sets[1], day: sets[2], month: sets[3], weekday: sets[4], loc: loc}
	if c.weekday&(1<<7) != 0 {
		c.weekday |= 1 // 7 is Sunday, as 0 is
	}
	starred := func(i int) bool { return words[i][0] == '*' }
	c.everyStep = starred(0) || starred(1)
	c.eitherDay = !starred(2) && !starred(4)
	if !c.possible() {
		return nil, fieldErr("cron", fmt.Sprintf("%s: no month has such a day", quoteShort(expr)))
	}
	return c, nil
}

// possible says whether any day can match. Each day of a year, 29 February
// included, falls on each weekday in some year, so weekdays need no look.
func (c *Cron) possible() bool {
	if c.eitherDay {
		return true
	}
	longest := [...]int{1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
	for m := 1; m <= 12; m++ {
		if c.month&(1<<m) != 0 && bits.TrailingZeros64(c.day) <= longest[m] {
			return true
		}
	}
	return false
}

// parse reads a field's comma list into a set of bits.
func (f field) parse(word string) (uint64, error) {
	var set uint64
	for _, part := range strings.Split(word, ",") {
		lo, hi, step, err := f.span(part)
		if err != nil {
			return 0, err
		}
		for v := lo; v <= hi; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

// span reads one part of a list: *, a, a-b, each with or without /step.
func (f field) span(part string) (lo, hi, step int, err error) {
	span, stepText, stepped := strings.Cut(part, "/")
	step = 1
	if stepped {
		if step, err = number(stepText); err != nil || step < 1 || step > f.max {
			return 0, 0, 0, fmt.Errorf("%s %s: want a step of 1 to %d", f.name, quoteShort(part), f.max)
		}
	}
	from, to, ranged := strings.Cut(span, "-")
	switch {
	case span == "*":
		lo, hi = f.min, f.max
		if f.name == "day of week" {
			hi = 6 // Sunday once, or */2 would run on Sunday and Saturday
		}
		return lo, hi, step, nil
	case ranged:
		if hi, err = f.value(to); err != nil {
			return 0, 0, 0, err
		}
	}
	if lo, err = f.value(from); err != nil {
		return 0, 0, 0, err
	}
	switch {
	case !ranged && stepped:
		hi = f.max
	case !ranged:
		hi = lo
	case hi == 0 && lo > 0 && f.max == 7:
		hi = 7 // SAT-SUN
	}
	if hi < lo {
		return 0, 0, 0, fmt.Errorf("%s %s: the range runs backwards", f.name, quoteShort(part))
	}
	return lo, hi, step, nil
}

// value reads a number or a name.
func (f field) value(word string) (int, error) {
	for i, n := range f.names {
		if strings.EqualFold(word, n) {
			return f.min + i, nil
		}
	}
	v, err := number(word)
	if err != nil || v < f.min || v > f.max {
		return 0, fmt.Errorf("%s %s: want %d to %d", f.name, quoteShort(word), f.min, f.max)
	}
	return v, nil
}

// number reads digits only: no sign, no blanks.
func number(word string) (int, error) {
	v, err := strconv.ParseUint(word, 10, 16)
	return int(v), err
}
