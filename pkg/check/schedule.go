package check

import (
	"hash/fnv"
	"strings"
	"time"
)

// Schedule says when a check runs. Its values are safe for concurrent use.
type Schedule interface {
	// Next gives the first slot strictly after t; the zero time means never.
	Next(t time.Time) time.Time
}

// Every is the fixed grid Phase + k*Interval over unix time, in whole
// milliseconds: it never drifts, whatever happens to single runs.
type Every struct{ Interval, Phase time.Duration }

// Next gives the first point of the grid after t.
func (e Every) Next(t time.Time) time.Time {
	ms := e.next(t.UnixMilli())
	if ms == never {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// never is no unix ms of any schedule.
const never int64 = -1 << 63

func (e Every) next(ms int64) int64 {
	step := e.Interval.Milliseconds()
	if step <= 0 {
		return never
	}
	return ms + step - mod(ms-e.Phase.Milliseconds(), step)
}

// between counts the slots in (from, to], unix ms.
func (e Every) between(from, to int64) int64 {
	first := e.next(from)
	if first == never || first > to {
		return 0
	}
	return (to-first)/e.Interval.Milliseconds() + 1
}

// mod is the remainder that is never negative.
func mod(a, b int64) int64 {
	if r := a % b; r >= 0 {
		return r
	}
	return a%b + b
}

// At runs once, at Time.
type At struct{ Time time.Time }

// Next gives Time when that is after t, else never.
func (a At) Next(t time.Time) time.Time {
	if a.Time.After(t) {
		return a.Time
	}
	return time.Time{}
}

// Schedule makes the check's schedule. It fails only on checks that Validate
// refuses.
func (c *Check) Schedule() (Schedule, error) {
	switch {
	case c.Cron != "":
		s, err := ParseCron(c.Cron, c.Timezone)
		if err != nil {
			return nil, err
		}
		return s, nil
	case !c.At.IsZero():
		return At{c.At.UTC().Truncate(time.Millisecond)}, nil
	case c.Every.D() >= time.Millisecond:
		return Every{c.Every.D(), c.phase()}, nil
	}
	return nil, fieldErr("every", "want one of every, cron, at")
}

// phase gives the offset of the grid of Every, from 0 to less than Every.
func (c *Check) phase() time.Duration {
	every := c.Every.D().Milliseconds()
	if every <= 0 {
		return 0
	}
	if c.Phase != nil {
		return time.Duration(mod(c.Phase.D().Milliseconds(), every)) * time.Millisecond
	}
	return time.Duration(spreadHash(c.ID)%uint64(every)) * time.Millisecond
}

// spreadHash is a stable hash of an id: where its default phase comes from,
// so it must never change. Plain FNV-1a leaves neighbouring ids (web1, web2)
// close together in the low bits; the multiplications mix all bits into them.
func spreadHash(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	x := h.Sum64()
	x = (x ^ x>>32) * 0x9e3779b97f4a7c15
	x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

// SameSchedule says whether both checks run at the same times, so that
// replacing one by the other keeps its due time.
func (c *Check) SameSchedule(o *Check) bool {
	return c.Every == o.Every && c.phase() == o.phase() &&
		strings.Join(strings.Fields(c.Cron), " ") == strings.Join(strings.Fields(o.Cron), " ") &&
		(c.Cron == "" || zoneOrUTC(c.Timezone) == zoneOrUTC(o.Timezone)) &&
		c.At.Equal(o.At)
}

func zoneOrUTC(name string) string {
	if name == "" {
		return "UTC"
	}
	return name
}
