package worker

import (
	"context"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// fate is why a command was told to end before its timeout.
type fate uint8

const (
	fateNone    fate = iota
	fateCut          // the worker's grace is over
	fateLost         // the lease ran out or is another's
	fateRemoved      // the check was removed
	fateUplink       // the worker has lost its uplink
)

// run is one run of a check, from its lease to its completion.
type run struct {
	lease check.Lease
	spec  *spec
	// asked is when the lease was asked for: no later than lease.Now.
	asked time.Time
	// last is the record of the check's latest run, nil if there is none.
	last   *check.Last
	permit permit // the gate's
	until  int64  // end of the downtime that holds the incident, unix ms

	// Guarded by running.mu.
	index  int                // in running.list
	held   time.Time          // the lease holds for Config.Lease from here
	began  time.Time          // when the command began; zero: not yet
	giveUp time.Time          // when to give the command up; zero: there is none to give up
	cancel context.CancelFunc // of the command
	fate   fate
	taken  bool // the end of the command is somebody's: the run's or the monitor's
	long   bool // was reported as long
	renews bool // a renewal is on its way
}

// server turns an instant of the worker's clock into the queue's unix ms.
func (r *run) server(t time.Time) int64 { return r.lease.Now + t.Sub(r.asked).Milliseconds() }

// now is the queue's time.
func (r *run) now() time.Time { return time.UnixMilli(r.server(time.Now())).UTC() }

func (r *run) planned() time.Time { return time.UnixMilli(r.lease.Planned).UTC() }

func (r *run) suspect() bool { return r.lease.Crashes >= suspectCrashes }

// putAway says that the check cost too many workers: its command is not run.
func (r *run) putAway() bool { return r.lease.Reclaimed && r.lease.Crashes >= maxCrashes }

func (r *run) holding() check.Holding {
	return check.Holding{Entry: r.lease.Entry, Token: r.lease.Token}
}

// running are the runs that a worker holds.
type running struct {
	mu      sync.Mutex // guards the rest and the marked part of each run
	list    []*run
	cutting bool          // the grace is over
	empty   chan struct{} // closed when list is empty; nil: nobody waits
}

// add takes runs in.
func (s *running) add(runs []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range runs {
		r.index = len(s.list)
		s.list = append(s.list, r)
	}
}

// remove lets a run go.
func (s *running) remove(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := len(s.list) - 1
	s.list[r.index] = s.list[end]
	s.list[r.index].index = r.index
	s.list[end] = nil
	s.list = s.list[:end]
	if end == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// any says whether there are runs.
func (s *running) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list) > 0
}

// begin notes that the run's command begins; false when it must not.
func (s *running) begin(r *run, at, giveUp time.Time, cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cutting {
		r.fate = fateCut
	}
	if r.fate != fateNone {
		return false
	}
	r.began, r.giveUp, r.cancel = at, giveUp, cancel
	return true
}

// take makes the end of the run's command the caller's; false when the monitor
// has given it up.
func (s *running) take(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.taken {
		return false
	}
	r.taken, r.giveUp = true, time.Time{}
	return true
}

// fateOf tells why the run's command was cancelled, and until when its lease
// surely holds.
func (s *running) fateOf(r *run, lease time.Duration) (fate, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.fate, r.held.Add(lease)
}

// end cancels a run's command for the given reason. s.mu is held.
func (r *run) end(why fate, now time.Time) {
	if r.fate != fateNone || r.taken {
		return
	}
	r.fate = why
	if r.cancel != nil {
		r.cancel()
		if limit := now.Add(giveUpAfter); r.giveUp.After(limit) {
			r.giveUp = limit
		}
	}
}

// cut cancels every command, also those that have not begun.
func (s *running) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutting = true
	now := time.Now()
	for _, r := range s.list {
		r.end(fateCut, now)
	}
}

// cutZone cancels every command of a zone.
func (s *running) cutZone(zone string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, r := range s.list {
		if r.lease.Lane.Zone == zone {
			r.end(fateUplink, now)
		}
	}
}

// wait waits until there are no runs; false when ctx ended first.
func (s *running) wait(ctx context.Context) bool {
	s.mu.Lock()
	if len(s.list) == 0 {
		s.mu.Unlock()
		return true
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.mu.Unlock()
	select {
	case <-empty:
		return true
	case <-ctx.Done():
		return false
	}
}
