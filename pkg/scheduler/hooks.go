package scheduler

import (
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Hooks tell what a Scheduler does, for metrics. Nil functions are left out.
// They are called from several goroutines and must return at once.
type Hooks struct {
	// Dispatched is called after each move of due checks. Strays are ids that
	// were due and have no spec.
	Dispatched func(lane check.Lane, moved, strays int)
	// Verdict is called for every verdict that was logged.
	Verdict func(v check.Verdict)
	// Repaired is called for everything that repair found wrong.
	Repaired func(lane check.Lane, id, kind string)
	// Zone tells about a zone now and then: for how long its oldest due check
	// has been waiting for dispatch, and the entries of its ready streams.
	Zone func(zone string, overdue time.Duration, ready int64)
	// Moved is called when checks have arrived in another lane.
	Moved func(from, to check.Lane, checks int)
	// Failed is called for each failure of a loop, with one of Loops.
	Failed func(loop string)
	// Turn is called whenever a loop has turned, failed or not.
	Turn func()
}

// filled gives the hooks with a function in every place.
func (h Hooks) filled() Hooks {
	if h.Dispatched == nil {
		h.Dispatched = func(check.Lane, int, int) {}
	}
	if h.Verdict == nil {
		h.Verdict = func(check.Verdict) {}
	}
	if h.Repaired == nil {
		h.Repaired = func(check.Lane, string, string) {}
	}
	if h.Zone == nil {
		h.Zone = func(string, time.Duration, int64) {}
	}
	if h.Moved == nil {
		h.Moved = func(check.Lane, check.Lane, int) {}
	}
	if h.Failed == nil {
		h.Failed = func(string) {}
	}
	if h.Turn == nil {
		h.Turn = func() {}
	}
	return h
}
