package worker

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// batch is the most checks of one lane that one call moves: 100 is nearly
	// all of the gain of batches, 500 is worse.
	batch = 200
	// block is how long a read waits: a stop waits as long.
	block = 500 * time.Millisecond
	// pauseBacklog is how many results may wait for the queue before the
	// worker takes no more checks.
	pauseBacklog = 2000
)

// phases are the contexts of a Run beside that of the intake.
type phases struct {
	// work is that of commands and handlers: it ends with the grace.
	work context.Context
	// queue is that of calls to the queue: it ends when all is handed back.
	queue context.Context
}

// intake reads due checks until ctx ends: all lanes in one call, or each lane
// in one of its own.
func (w *Worker) intake(ctx context.Context, p phases) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if !w.cfg.ReadApart {
		wg.Go(func() { w.read(ctx, p, &wg, func() []check.Lane { return *w.lanes.Load() }) })
		return
	}
	readers := map[check.Lane]context.CancelFunc{}
	for ctx.Err() == nil {
		lanes := *w.lanes.Load()
		for _, l := range lanes {
			if readers[l] == nil {
				sub, cancel := context.WithCancel(ctx)
				readers[l] = cancel
				wg.Go(func() { w.read(sub, p, &wg, func() []check.Lane { return []check.Lane{l} }) })
			}
		}
		for l, cancel := range readers {
			if !slices.Contains(lanes, l) {
				cancel()
				delete(readers, l)
			}
		}
		pause(ctx, beatEvery)
	}
	for _, cancel := range readers {
		cancel()
	}
}

// read takes slots, then entries for them, and has these leased, until ctx
// ends.
func (w *Worker) read(ctx context.Context, p phases, wg *sync.WaitGroup, lanesNow func() []check.Lane) {
	for attempt := 0; ; {
		if !w.commits.wait(ctx, pauseBacklog) {
			return
		}
		lanes := shuffled(w.reachable(lanesNow()))
		if len(lanes) == 0 {
			pause(ctx, block)
			continue
		}
		most := batch * len(lanes)
		if w.cfg.ReadApart {
			most = min(batch, max(1, w.cfg.Slots/len(*w.lanes.Load())))
		}
		n := w.slots.take(ctx, most)
		if n == 0 {
			return
		}
		if n < min(most, enough) && w.slots.crowded() {
			pause(ctx, company) // more come free in a moment: one call for all
			n += w.slots.more(most - n)
		}
		lanes = lanes[:min(len(lanes), n)]
		// Not under ctx: what a stopped read leaves behind in the queue would
		// be found only after a lease.
		entries, err := w.cfg.Queue.Read(p.queue, w.cfg.Name, lanes, n/len(lanes), block)
		w.slots.giveBack(n - len(entries))
		for lane, part := range byLane(entries) {
			wg.Go(func() { w.lease(ctx, p, lane, part) })
		}
		if err == nil {
			attempt = 0
			w.away.passed("read")
			continue
		}
		attempt++
		if !w.away.failed(ctx, "read", err, attempt) {
			return
		}
	}
}

// shuffled gives the lanes in random order, so that none is always last.
func shuffled(lanes []check.Lane) []check.Lane {
	if len(lanes) < 2 {
		return lanes
	}
	lanes = slices.Clone(lanes)
	mathrand.Shuffle(len(lanes), func(i, j int) { lanes[i], lanes[j] = lanes[j], lanes[i] })
	return lanes
}

// byLane splits entries into parts of one lane and of at most batch.
func byLane(entries []check.Entry) func(yield func(check.Lane, []check.Entry) bool) {
	return func(yield func(check.Lane, []check.Entry) bool) {
		for len(entries) > 0 {
			n := 1
			for n < len(entries) && n < batch && entries[n].Lane == entries[0].Lane {
				n++
			}
			if !yield(entries[0].Lane, entries[:n]) {
				return
			}
			entries = entries[n:]
		}
	}
}

// request makes the request for leases of entries, of which known are the
// specs that the worker has.
func (w *Worker) request(lane check.Lane, entries []check.Entry, known []*spec) check.LeaseRequest {
	req := check.LeaseRequest{
		Lane: lane, Worker: w.cfg.Name, Token: w.cfg.Name + "/" + rand.Text(), Lease: w.cfg.Lease, Entries: entries,
	}
	if known != nil {
		req.Revs = make([]string, len(known))
		for i, s := range known {
			if s != nil {
				req.Revs[i] = s.rev
			}
		}
	}
	return req
}

// lease turns entries into runs. It owns a reserved slot for each of them.
// When ctx has ended they are handed back instead.
func (w *Worker) lease(ctx context.Context, p phases, lane check.Lane, entries []check.Entry) {
	for len(entries) > 0 {
		if ctx.Err() != nil {
			w.handBack(lane, "", entries)
			w.slots.giveBack(len(entries))
			return
		}
		known := w.specs.known(entries)
		req := w.request(lane, entries, known)
		reserved := w.suspects.reserve()
		if reserved {
			req.Suspects = 1
		}
		leases, later, err := w.askLease(ctx, p, req, known)
		w.suspects.settle(reserved, leases)
		if err != nil {
			w.giveUpLease(req)
			return
		}
		w.slots.giveBack(len(entries) - len(leases) - len(later))
		if len(leases) == 0 {
			w.suspects.park(later)
			w.slots.giveBack(len(later))
			return
		}
		entries = later // there was no room in the answer
	}
}

// giveUpLease hands back what may be leased or not, when askLease gave an
// error, and gives up the slots.
func (w *Worker) giveUpLease(req check.LeaseRequest) {
	w.handBack(req.Lane, req.Token, req.Entries)
	w.handBack(req.Lane, "", req.Entries)
	w.slots.giveBack(len(req.Entries))
}

// askLease asks until there is an answer, the lane is broken or ctx ends,
// always with the same token: an answer that was lost is given again.
func (w *Worker) askLease(ctx context.Context, p phases, req check.LeaseRequest, known []*spec) ([]check.Lease, []check.Entry, error) {
	for attempt := 1; ; attempt++ {
		asked := time.Now()
		leases, later, err := w.cfg.Queue.Lease(p.queue, req)
		if err == nil {
			w.away.passed("lease")
			w.start(p, leases, known, asked)
			return leases, later, nil
		}
		if w.away.refused(ctx, "lease", req.Lane, err, longPause) || !w.away.failed(ctx, "lease", err, attempt) {
			return nil, nil, err
		}
	}
}
