package check

import (
	"strings"
	"time"
)

// How late is too late, and how long a missed run may be waited for.
const (
	skipAfter  = 10 * time.Second
	skipWithin = 10 * time.Minute
	// setBack is by how much a clock may be set back so that a slot is not run
	// twice; by more, a check must not stand still until the clock is there.
	setBack = 10 * time.Second
	// DefaultRetry is the pace of soft retries without a retry_every, of a one-shot,
	// which has no schedule to fall back to, and of a check that waits for a parent.
	DefaultRetry = 10 * time.Second
	// maxMissed bounds the count of missed slots of a cron schedule, which
	// have to be walked one by one.
	maxMissed = 1000
)

// First gives the first due time of a new check: now, or with spread the
// first slot of its schedule. A one-shot waits for its time in any case. The
// zero time means never: the check is not valid.
func First(c *Check, now time.Time, spread bool) time.Time {
	s, err := c.Schedule()
	if err != nil {
		return time.Time{}
	}
	next := s.Next(now)
	if _, once := s.(At); once {
		if next.IsZero() {
			return now
		}
		return next
	}
	if spread {
		return next
	}
	return now
}

// NextDue gives the due time that follows a run: the first slot after now, or
// for a soft result (Last.Soft) the first planned + k*retry_every after now
// when that is sooner. missed counts the slots that passed since planned:
// they are not made up. A zero due means never again. A planned time that is
// in the future, as the clock was set back, counts as now unless it is far off.
func NextDue(c *Check, s Schedule, planned, now time.Time, soft bool) (due time.Time, missed int) {
	_, once := s.(At)
	if ahead := planned.Sub(now); ahead > 0 && (once || ahead <= setBack) {
		now = planned
	}
	due, missed = s.Next(now), missedSlots(s, planned, now)
	retry := c.RetryEvery.D()
	if once && retry == 0 {
		retry = DefaultRetry
	}
	if !soft || retry <= 0 {
		return due, missed
	}
	return sooner(due, retry, planned, now), missed
}

// WaitDue gives the due time that follows a result that waits for a parent
// (Last.Waiting), where NextDue gives due: retry_every goes on, which here is
// DefaultRetry when it is not set.
func WaitDue(c *Check, planned, now, due time.Time) time.Time {
	retry := c.RetryEvery.D()
	if retry <= 0 {
		retry = DefaultRetry
	}
	return sooner(due, retry, planned, now)
}

// How soon a one-shot whose incident is held runs again: after a minute, as its
// parent does, and in a downtime after an hour at the latest.
const (
	heldRetry = time.Minute
	heldWait  = time.Hour
)

// HeldDue gives the due time that follows a run after which the check has no
// slot: a one-shot, whose incident would never open when a downtime or a parent
// holds it (Last.Held). It runs again soon while a parent is in trouble, and at
// the end of a downtime, until, unix ms. Zero: nothing of that kind holds it.
func HeldDue(last *Last, until int64, now time.Time) time.Time {
	switch {
	case strings.HasPrefix(last.Held, HeldParent):
		return now.Add(heldRetry)
	case !strings.HasPrefix(last.Held, HeldDowntime):
		return time.Time{}
	}
	if end := time.UnixMilli(until); end.After(now) && end.Before(now.Add(heldWait)) {
		return end
	}
	return now.Add(heldWait)
}

// sooner gives the first planned + k*retry after now, or due when that is
// sooner.
func sooner(due time.Time, retry time.Duration, planned, now time.Time) time.Time {
	again := Every{retry, time.Duration(mod(planned.UnixMilli(), max(1, retry.Milliseconds()))) * time.Millisecond}.Next(now)
	if due.IsZero() || again.Before(due) {
		return again
	}
	return due
}

// missedSlots counts the slots in (planned, now].
func missedSlots(s Schedule, planned, now time.Time) int {
	if e, ok := s.(Every); ok {
		return int(e.between(planned.UnixMilli(), now.UnixMilli()))
	}
	n := 0
	for t := s.Next(planned); !t.IsZero() && !t.After(now) && n < maxMissed; t = s.Next(t) {
		n++
	}
	return n
}

// Skip says whether a run that was planned more than 10 s ago is better left
// out, since the next slot is at most 10 minutes away.
func Skip(_ *Check, s Schedule, planned, now time.Time) bool {
	if now.Sub(planned) <= skipAfter {
		return false
	}
	next := s.Next(now)
	return !next.IsZero() && next.Sub(now) <= skipWithin
}

// Quarantine gives the next due time of a check that has cost its crashes-th
// worker (3 or more): the first slot that is at least 5 minutes away, 10 for
// the next crash, doubling up to an hour. due is when it would run else: what
// has no slot any more, a one-shot that is retried or held, runs then, and not
// sooner. Zero: never again.
func Quarantine(crashes int, s Schedule, due, now time.Time) time.Time {
	first := now.Add(min(5*time.Minute<<min(max(crashes-3, 0), 4), time.Hour))
	slot := s.Next(first.Add(-time.Millisecond))
	switch {
	case !slot.IsZero() || due.IsZero():
		return slot
	case due.Before(first):
		return first
	}
	return due
}

// Horizon gives the latest due time that a waiting check may have: two periods
// ahead, or the second slot of its schedule. Until says when that has to be
// found anew; for a grid it moves with now. Zero times stand for any due time,
// for ever: a one-shot that is due or retried, or a check that is not valid.
func Horizon(c *Check, now time.Time) (limit, until time.Time) {
	if c.Every > 0 {
		return now.Add(2 * c.Every.D()), now
	}
	s, err := c.Schedule()
	if err != nil {
		return time.Time{}, time.Time{}
	}
	first := s.Next(now)
	if first.IsZero() {
		return time.Time{}, time.Time{}
	}
	second := s.Next(first)
	if second.IsZero() {
		second = first.Add(time.Second)
	}
	return second, first
}
