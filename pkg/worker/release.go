package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// releaseTries is how often a release is tried while the worker goes on: after
// that the lease runs out and somebody takes the check over.
const releaseTries = 5

// returns are the checks that are to be handed back to the queue.
type returns struct {
	mu    sync.Mutex // guards the rest
	lanes map[check.Lane][]check.Holding
	busy  bool      // a goroutine hands back
	fails int       // in a row
	after time.Time // not before
}

// handBack has entries handed back soon. The token is empty for those that
// were not leased.
func (w *Worker) handBack(lane check.Lane, token string, entries []check.Entry) {
	w.returns.mu.Lock()
	defer w.returns.mu.Unlock()
	if w.returns.lanes == nil {
		w.returns.lanes = map[check.Lane][]check.Holding{}
	}
	for _, e := range entries {
		w.returns.lanes[lane] = append(w.returns.lanes[lane], check.Holding{Entry: e, Token: token})
	}
}

// flushHandBacks hands back what waits for it, in a goroutine of its own
// unless wait is set.
func (w *Worker) flushHandBacks(p phases, wait bool) {
	r := &w.returns
	r.mu.Lock()
	if len(r.lanes) == 0 || (!wait && (r.busy || time.Now().Before(r.after))) {
		r.mu.Unlock()
		return
	}
	lanes := maps.Clone(r.lanes)
	clear(r.lanes)
	r.busy = true
	r.mu.Unlock()
	work := func() {
		ok := w.release(p, lanes)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.busy = false
		r.settle(lanes, ok)
	}
	if wait {
		work()
		return
	}
	w.endings.Go(work)
}

// settle keeps what is left in lanes for another try. r.mu is held.
func (r *returns) settle(lanes map[check.Lane][]check.Holding, ok bool) {
	if ok {
		r.fails = 0
		return
	}
	if r.fails++; r.fails >= releaseTries {
		r.fails = 0
		return // too late: the leases have run out
	}
	r.after = time.Now().Add(jitter(firstPause << r.fails))
	for lane, rest := range lanes {
		r.lanes[lane] = append(r.lanes[lane], rest...)
	}
}

// release hands back all of lanes and takes what worked out of it.
func (w *Worker) release(p phases, lanes map[check.Lane][]check.Holding) (ok bool) {
	for _, lane := range slices.Collect(maps.Keys(lanes)) {
		for len(lanes[lane]) > 0 {
			part := lanes[lane][:min(len(lanes[lane]), batch)]
			if _, err := w.cfg.Queue.Release(p.queue, lane, part); err != nil {
				w.away.note("release", err)
				return false
			}
			w.away.passed("release")
			lanes[lane] = lanes[lane][len(part):]
		}
		delete(lanes, lane)
	}
	return true
}

// releaseAll hands everything back at the end, and tries until ctx ends.
func (w *Worker) releaseAll(ctx context.Context, p phases) {
	for _, e := range w.suspects.drain() {
		w.handBack(e.Lane, "", []check.Entry{e})
	}
	for ctx.Err() == nil {
		w.flushHandBacks(p, true)
		w.returns.mu.Lock()
		left := len(w.returns.lanes) > 0 || w.returns.busy
		w.returns.mu.Unlock()
		if !left || !pause(ctx, firstPause) {
			return
		}
	}
}
