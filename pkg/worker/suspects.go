package worker

import (
	"context"
	"sync"

	"github.com/redpoll/redpoll/pkg/check"
)

// A suspect is a check that was running when two or more workers were lost. A
// worker holds one at a time: when it is lost too, only that one is to blame.
const suspectCrashes = 2

// maxCrashes is the crash count from which a check that was taken over is not
// run but put away for a while.
const maxCrashes = 3

// maxParked bounds the entries that wait for the right to hold a suspect. What
// is forgotten is found again when somebody reclaims it.
const maxParked = 1000

// suspects is the right to hold one suspect, and the entries that wait for it.
type suspects struct {
	mu     sync.Mutex // guards the rest
	held   bool
	parked []check.Entry
	known  map[string]bool // stream entries of parked
	wake   chan struct{}   // holds one: there may be something to do
}

func (s *suspects) init() {
	s.wake = make(chan struct{}, 1)
	s.known = map[string]bool{}
}

// reserve takes the right; the caller releases it unless it got a suspect, and
// then when that run has ended.
func (s *suspects) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return false
	}
	s.held = true
	return true
}

// settle releases a reserved right if none of leases is a suspect.
func (s *suspects) settle(reserved bool, leases []check.Lease) {
	for i := range leases {
		if leases[i].Crashes >= suspectCrashes {
			return
		}
	}
	if reserved {
		s.release()
	}
}

func (s *suspects) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	s.signal()
}

// park keeps entries until the right is free.
func (s *suspects) park(entries []check.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		place := e.Lane.String() + " " + e.SID
		if !s.known[place] && len(s.parked) < maxParked {
			s.known[place] = true
			s.parked = append(s.parked, e)
		}
	}
	s.signal()
}

// signal wakes the loop when there is something for it. s.mu is held.
func (s *suspects) signal() {
	if s.held || len(s.parked) == 0 {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next takes the right and one parked entry, if both are there.
func (s *suspects) next() (check.Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held || len(s.parked) == 0 {
		return check.Entry{}, false
	}
	e := s.parked[0]
	s.parked = s.parked[1:]
	delete(s.known, e.Lane.String()+" "+e.SID)
	s.held = true
	return e, true
}

// drain gives all parked entries up.
func (s *suspects) drain() []check.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.parked
	s.parked = nil
	clear(s.known)
	return rest
}

// tryParked leases parked entries, one whenever the right to hold a suspect is
// free, until ctx ends.
func (w *Worker) tryParked(ctx context.Context, p phases) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.suspects.wake:
		}
		for ctx.Err() == nil {
			e, ok := w.suspects.next()
			if !ok {
				break
			}
			if w.slots.take(ctx, 1) == 0 {
				w.suspects.park([]check.Entry{e}) // handed back with the others
				w.suspects.release()
				break
			}
			w.leaseSuspect(ctx, p, e)
		}
	}
}

// leaseSuspect asks for the lease of one entry, with the right to hold a
// suspect and a slot.
func (w *Worker) leaseSuspect(ctx context.Context, p phases, e check.Entry) {
	known := w.specs.known([]check.Entry{e})
	req := w.request(e.Lane, []check.Entry{e}, known)
	req.Suspects = 1
	leases, later, err := w.askLease(ctx, p, req, known)
	w.suspects.settle(true, leases)
	if err != nil {
		w.giveUpLease(req)
		return
	}
	w.slots.giveBack(1 - len(leases))
	if len(later) > 0 && len(leases) == 0 {
		w.log.Debug("suspect put off", "check", e.ID) // reclaim finds it again
	}
}
