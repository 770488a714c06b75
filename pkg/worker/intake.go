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
	// leastBlock is how long one waits at least that is one of many.
	leastBlock = 10 * time.Millisecond
	// nonceLength is how many letters of 5 random bits tell one token of this
	// worker from all others. They stand in the record of each check.
	nonceLength = 16
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

// MaxReaders is the most reads that wait at once where each lane is read with a
// call of its own, each on a connection: more lanes share them.
const MaxReaders = 64

// intake reads due checks until ctx ends: all lanes in one call, or each lane
// in one of its own.
func (w *Worker) intake(ctx context.Context, p phases) {
	var wg sync.WaitGroup
	defer wg.Wait()
	all := func() []check.Lane { return *w.lanes.Load() }
	if !w.cfg.ReadApart {
		wg.Go(func() { w.read(ctx, p, &wg, all) })
		return
	}
	for readers := 0; ctx.Err() == nil; {
		for nth := readers; nth < min(len(all()), MaxReaders); nth++ {
			wg.Go(func() { w.read(ctx, p, &wg, func() []check.Lane { return portion(all(), nth) }) })
			readers++
		}
		pause(ctx, lookEvery)
	}
}

// portion gives the lanes of the nth of many readers: all together read every
// lane, each of them the same lanes as long as these do not change. None is for
// a reader that is not needed now.
func portion(lanes []check.Lane, nth int) []check.Lane {
	var out []check.Lane
	for i := nth; i < len(lanes); i += MaxReaders {
		out = append(out, lanes[i])
	}
	return out
}

// reading is what one read asks for.
type reading struct {
	lanes []check.Lane
	most  int // entries
	block time.Duration
}

// next says what a reader of lanes asks for in its turn.
func (w *Worker) next(lanes []check.Lane, turn int) reading {
	if !w.cfg.ReadApart {
		return reading{shuffled(lanes), batch * len(lanes), block}
	}
	// Every reader holds slots while it waits. Where they are fewer than lanes,
	// or the reader has several, a read waits for a part of the time.
	all := max(len(*w.lanes.Load()), 1)
	turns := max(len(lanes), (all+w.cfg.Slots-1)/w.cfg.Slots)
	return reading{[]check.Lane{lanes[turn%len(lanes)]}, min(batch, max(1, w.cfg.Slots/all)), max(block/time.Duration(turns), leastBlock)}
}

// read takes slots, then entries for them, and has these leased, until ctx
// ends.
func (w *Worker) read(ctx context.Context, p phases, wg *sync.WaitGroup, lanesNow func() []check.Lane) {
	for attempt, turn := 0, 0; ; turn++ {
		if !w.commits.wait(ctx, pauseBacklog) {
			return
		}
		lanes := w.rests.awake(w.reachable(lanesNow()), time.Now())
		if len(lanes) == 0 {
			if !pause(ctx, block) {
				return
			}
			continue
		}
		r := w.next(lanes, turn)
		n := w.slots.take(ctx, r.most)
		if n == 0 {
			return
		}
		if n < min(r.most, enough) && w.slots.crowded() {
			pause(ctx, company) // more come free in a moment: one call for all
			n += w.slots.more(r.most - n)
		}
		r.lanes = r.lanes[:min(len(r.lanes), n)]
		// Not under ctx: what a stopped read leaves behind in the queue would
		// be found only after a lease.
		entries, err := w.cfg.Queue.Read(p.queue, w.cfg.Name, r.lanes, n/len(r.lanes), r.block)
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
		Lane: lane, Worker: w.cfg.Name, Token: w.cfg.Name + "/" + rand.Text()[:nonceLength], Lease: w.cfg.Lease, Entries: entries,
		Outage: w.away.lately(lane.String(), w.outage()),
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

// outage is for how long behind an outage of a lane its leases may have run out
// though their owners live: those of before end within a lease, and an owner that
// has not come back yet, or has much to tell first, renews none.
func (w *Worker) outage() time.Duration { return 2*w.cfg.Lease + longPause }

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
			w.away.passedIn("lease", req.Lane)
			w.start(p, leases, known, asked)
			return leases, later, nil
		}
		w.away.missed(req.Lane.String(), err)
		if w.away.refused(ctx, "lease", req.Lane, err, longPause) || !w.away.failed(ctx, "lease", err, attempt) {
			return nil, nil, err
		}
	}
}
