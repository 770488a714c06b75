package model_test

import (
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// owners are the leases that can be completed.
func (w *world) owners() []*held {
	var list []*held
	for _, id := range ids {
		if h := w.facts[id].owner; h != nil {
			list = append(list, h)
		}
	}
	return list
}

// leaseAgain asks for a lease once more with the same token, as a worker does
// that got no answer: it gets what it had, and the lease begins anew.
func (w *world) leaseAgain() {
	h := some(w, w.owners())
	if h == nil {
		return
	}
	was, junk := w.record(h.ID)
	f := w.facts[h.ID]
	req := check.LeaseRequest{
		Lane: lane, Worker: "w", Token: h.Token, Lease: leaseTime, Suspects: w.rng.IntN(2), Entries: []check.Entry{h.Entry},
	}
	leases, later, err := w.q.Lease(w.t.Context(), req)
	w.must(err)
	w.note("  %s %s: %d", h.ID, h.Token, len(leases))
	gone := was.State == "removed" || f.spec == "" // it ends at once
	if junk || len(later) > 0 || len(leases) == 0 != gone {
		w.fail("lease of %s once more = %+v, later %v", h.ID, leases, later)
	}
	if gone {
		f.owner = nil
		if !h.removed {
			f.commit = h.Token
		}
		return
	}
	if l := leases[0]; l.Crashes != was.Crashes || l.Planned != was.Planned || l.Spec != f.spec {
		w.fail("lease of %s once more = %+v of %+v", h.ID, l, was)
	}
	h.Lease = leases[0]
	w.then = append(w.then, func() {
		if end := w.snap.runs[h.ID].Expiry; end < w.snap.now+leaseTime.Milliseconds()-5000 {
			w.fail("the lease of %s did not begin anew: it ends at %d", h.ID, end)
		}
	})
}

// expire ends the time of a lease, and has its entry look as if it had been
// delivered long ago: nobody waits here.
func (w *world) expire() {
	h := some(w, w.runs)
	if h == nil || w.facts[h.ID].owner != h || strings.HasPrefix(w.snap.records[h.ID], "w") {
		return
	}
	words := strings.Split(w.snap.records[h.ID], " ")
	words[5] = "1"
	if w.rng.IntN(3) == 0 {
		words[6] = "2" // it was running when others were lost before
	}
	w.note("  %s %s", h.ID, h.SID)
	w.must(w.q.Client().HSet(w.t.Context(), w.q.KeyRuns(lane), h.ID, strings.Join(words, " ")).Err())
	w.age(h.SID)
	if f := w.facts[h.ID]; f.entryLost {
		f.touch() // by now repair is to mend it
	}
}

// forget has an entry look as if its worker had died before it asked for the
// lease.
func (w *world) forget() {
	if sid := some(w, w.snap.held()); sid != "" {
		w.note("  %s", sid)
		w.age(sid)
	}
}

func (w *world) age(sid string) {
	p, ok := w.snap.pending[sid]
	if !ok {
		return
	}
	w.must(w.q.Client().Do(w.t.Context(), "XCLAIM", w.q.KeyReady(lane), redisqueue.GroupWorkers, p.consumer, 0, sid,
		"IDLE", 10*leaseTime.Milliseconds(), "JUSTID").Err())
}
