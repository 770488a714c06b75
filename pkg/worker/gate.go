package worker

import (
	"slices"
	"sync"
	"time"
)

// A check is slow when its latest run took slowAfter or longer: most likely its
// target is dead and it ran into its timeout.
const slowAfter = time.Second

const (
	// maxWaiting bounds the runs that wait without a slot. When there are more,
	// those who come keep their slots, and so the worker takes fewer checks.
	maxWaiting = 4096
	// lendAfter is how long a slow run waits before it is handed back, since
	// another worker may have room, and keepAtMost how long any run waits: its
	// lease is renewed for no longer than beginLimit.
	lendAfter  = 2 * time.Second
	keepAtMost = 2 * time.Minute
)

// gate lets at most so many runs at once measure one target, and at most so
// many slow ones take slots from the others. A run that may not go on waits;
// it has its lease, but no slot that others could use.
type gate struct {
	mu        sync.Mutex // guards the rest
	perTarget int        // runs of one target at once; 0: any number
	slowMost  int        // slow runs at once; 0: any number
	targets   map[string]int
	slow      int
	waiting   []*run
	closed    bool
}

// permit is what a run has from the gate.
type permit struct {
	target string // empty: none that counts
	slow   bool
	since  time.Time // it waits from here; zero: it does not
	ran    int64     // when the check ran last: who waited longest goes first
	slot   bool      // it keeps its slot while it waits
}

// The answers of the gate.
const (
	gateOpen   = iota // go on
	gateWait          // wait without a slot: somebody calls
	gateHold          // wait with the slot: somebody calls
	gateClosed        // the worker stops
)

func (g *gate) init(perTarget, slowMost, slots int) {
	g.perTarget, g.slowMost, g.targets = perTarget, slowMost, map[string]int{}
	if slowMost <= 0 || slowMost >= slots {
		g.slowMost = 0
	}
}

// enter asks for a run to go on.
func (g *gate) enter(r *run, now time.Time) int {
	if g.perTarget == 0 {
		r.permit.target = ""
	}
	if g.slowMost == 0 {
		r.permit.slow = false
	}
	if r.permit.target == "" && !r.permit.slow {
		return gateOpen
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return gateClosed
	case g.free(r):
		g.count(r, 1)
		return gateOpen
	}
	r.permit.since, r.permit.slot = now, len(g.waiting) >= maxWaiting
	g.waiting = append(g.waiting, r)
	if r.permit.slot {
		return gateHold
	}
	return gateWait
}

// free says whether the run may go on. g.mu is held.
func (g *gate) free(r *run) bool {
	return (r.permit.target == "" || g.targets[r.permit.target] < g.perTarget) && (!r.permit.slow || g.slow < g.slowMost)
}

// count notes that a run has begun (1) or ended (-1). g.mu is held.
func (g *gate) count(r *run, n int) {
	if r.permit.slow {
		g.slow += n
	}
	if t := r.permit.target; t != "" {
		if g.targets[t] += n; g.targets[t] == 0 {
			delete(g.targets, t)
		}
	}
}

// leave ends the permit of a run whose command has ended, and gives those that
// go on instead: their permits count from now on.
func (g *gate) leave(r *run) []*run {
	if r.permit.target == "" && !r.permit.slow {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count(r, -1)
	var next []*run
	for len(g.waiting) > 0 {
		best := -1
		for i, o := range g.waiting {
			if g.free(o) && (best < 0 || o.permit.ran < g.waiting[best].permit.ran) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		next = append(next, g.waiting[best])
		g.count(g.waiting[best], 1)
		g.waiting = slices.Delete(g.waiting, best, best+1)
	}
	return next
}

// tired takes out the runs that are not to wait any longer: drop says so, or
// they have waited for too long.
func (g *gate) tired(now time.Time, drop func(*run) bool) (dropped, back []*run) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(r *run) bool {
		waited := now.Sub(r.permit.since)
		elsewhere := r.permit.slow && g.slow >= g.slowMost && waited >= lendAfter
		switch {
		case drop(r):
			dropped = append(dropped, r)
		case elsewhere || waited >= keepAtMost:
			back = append(back, r)
		default:
			return false
		}
		return true
	})
	return dropped, back
}

// pull takes out the waiting runs of a zone.
func (g *gate) pull(zone string) (pulled []*run) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(r *run) bool {
		if r.lease.Lane.Zone != zone {
			return false
		}
		pulled = append(pulled, r)
		return true
	})
	return pulled
}

// close lets nobody in any more and gives the runs that wait.
func (g *gate) close() []*run {
	g.mu.Lock()
	defer g.mu.Unlock()
	rest := g.waiting
	g.waiting, g.closed = nil, true
	return rest
}

// counts tells how many runs wait: for their target, and for others that are
// slow as they are.
func (g *gate) counts() (target, slow int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.waiting {
		if r.permit.target != "" && g.targets[r.permit.target] >= g.perTarget {
			target++
		} else {
			slow++
		}
	}
	return target, slow
}
