package model_test

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

const leaseTime = time.Minute

var workers = []string{"w1", "w2", "w3"}

// dispatch moves what is due, and compares where everything went.
func (w *world) dispatch() {
	limit := []int{0, 0, 1, 3}[w.rng.IntN(4)]
	before := w.snap
	d, err := w.q.Dispatch(w.t.Context(), lane, limit)
	w.must(err)
	w.note("  %+v", d)
	w.then = append(w.then, func() {
		moved := 0
		for id, score := range before.due {
			was, is := before.runs[id], w.snap.runs[id]
			_, still := w.snap.due[id]
			if is.State == "queued" && was.State == "waiting" {
				moved++
				w.checkDispatched(id, score, was, is, before.now)
			}
			if score > float64(before.now) || (still && limit > 0) {
				continue
			}
			f := w.facts[id]
			switch {
			case still:
				w.fail("%s was due at %v and still is", id, score)
			case was.State == "waiting" && !was.Paused && is.State != "queued":
				w.fail("%s was due and is %s", id, is.State)
			case was.State == "leased" && !is.Again:
				w.fail("%s was made due during its run: %+v", id, is)
			}
			if f != nil {
				f.beside = false
			}
		}
		if moved != d.Moved {
			w.fail("dispatch says %d, %d moved", d.Moved, moved)
		}
	})
}

func (w *world) checkDispatched(id string, score float64, was, is redisqueue.Record, from int64) {
	exact := score >= 1e11 && math.Floor(score) > float64(was.Planned)
	least := max(from, was.Planned+1)
	switch {
	case is.Planned <= was.Planned:
		w.fail("%s is planned at %d after %d", id, is.Planned, was.Planned)
	case exact && is.Planned != int64(score):
		w.fail("%s was due at %v and is planned at %d", id, score, is.Planned)
	case !exact && (is.Planned < least || is.Planned > max(w.snap.now, least)):
		w.fail("%s was due at %v and is planned at %d, want %d to %d", id, score, is.Planned, least, w.snap.now)
	}
}

func (w *world) readSome() {
	entries, err := w.q.Read(w.t.Context(), some(w, workers), []check.Lane{lane}, 1+w.rng.IntN(4), 0)
	w.must(err)
	w.note("  %v", entries)
	w.read = append(w.read, entries...)
	if len(w.read) > 30 {
		w.read = w.read[len(w.read)-30:]
	}
}

// leaseSome asks for the leases of entries: of those that were read and now
// and then of any that are pending.
func (w *world) leaseSome() {
	var entries []check.Entry
	for len(w.read) > 0 && len(entries) < 3 {
		entries, w.read = append(entries, w.read[0]), w.read[1:]
	}
	if w.rng.IntN(4) == 0 {
		for _, sid := range w.snap.held() {
			e, ok := w.snap.entries[sid]
			if ok && !slices.ContainsFunc(entries, func(o check.Entry) bool { return o.ID == e.id }) {
				entries = append(entries, check.Entry{Lane: lane, SID: sid, ID: e.id, Planned: e.planned})
			}
		}
	}
	entries = oncePerCheck(entries)
	req := w.leaseRequest(entries)
	leases, later, err := w.q.Lease(w.t.Context(), req)
	w.must(err)
	want := w.predict(entries, req)
	w.note("  %v suspects %d: want %v", entries, req.Suspects, want)
	w.checkLater(entries, later, want)
	w.read = append(w.read, later...)
	w.leased(req, entries, leases, want)
}

// checkLater: what is put off is what there was no room for among the suspects.
func (w *world) checkLater(entries, later []check.Entry, want map[string]answer) {
	for _, e := range entries {
		if got := slices.Contains(later, e); got != (want[e.SID] == answerLater) {
			w.fail("lease of %+v: later %v, want %s", e, got, want[e.SID])
		}
	}
}

func oncePerCheck(entries []check.Entry) []check.Entry {
	seen := map[string]bool{}
	return slices.DeleteFunc(entries, func(e check.Entry) bool {
		again := seen[e.ID]
		seen[e.ID] = true
		return again
	})
}

func (w *world) leaseRequest(entries []check.Entry) check.LeaseRequest {
	worker := some(w, workers)
	w.revs++
	req := check.LeaseRequest{
		Lane: lane, Worker: worker, Token: fmt.Sprintf("%s/%d", worker, w.revs), Lease: leaseTime, Suspects: w.rng.IntN(2), Outage: w.rng.IntN(4) == 0, Entries: entries,
	}
	for _, e := range entries {
		req.Revs = append(req.Revs, w.cache[worker+"/"+e.ID].rev)
	}
	return req
}

type answer string

const (
	answerLeased  answer = "leased"
	answerLater   answer = "later"
	answerNothing answer = "nothing"
)

// predict says what becomes of entries that are asked for, and notes which
// runs end by that.
func (w *world) predict(entries []check.Entry, req check.LeaseRequest) map[string]answer {
	out, suspects := map[string]answer{}, req.Suspects
	for _, e := range entries {
		r, junk := w.record(e.ID)
		out[e.SID] = answerNothing
		if junk || r.SID != e.SID {
			continue
		}
		crashes := r.Crashes
		if r.Owner != "" {
			if r.Expiry > w.snap.now {
				continue
			}
			crashes += lost(req)
		}
		switch f := w.facts[e.ID]; {
		case r.State == "removed" || r.Paused:
			if f != nil {
				f.owner = nil
			}
		case crashes >= 2 && suspects == 0:
			out[e.SID] = answerLater
		default:
			if crashes >= 2 {
				suspects--
			}
			out[e.SID] = answerLeased
		}
	}
	return out
}

// lost is what a lease that ran out adds to the crashes.
func lost(req check.LeaseRequest) int {
	if req.Outage {
		return 0
	}
	return 1
}

// leased compares leases that were given with what was to be expected.
func (w *world) leased(req check.LeaseRequest, entries []check.Entry, leases []check.Lease, want map[string]answer) {
	got := map[string]bool{}
	for _, l := range leases {
		got[l.SID] = true
		was, _ := w.record(l.ID)
		f := w.facts[l.ID]
		if want[l.SID] != answerLeased || f == nil {
			w.fail("lease of %+v was given, want %s", l, want[l.SID])
		}
		crashes := was.Crashes
		if was.Owner != "" {
			crashes += lost(req)
		}
		if l.Planned != was.Planned || l.Token != req.Token || l.Last != f.last || l.Crashes != crashes || l.Reclaimed != (was.Owner != "" && !req.Outage) {
			w.fail("lease %+v of %+v, want crashes %d, last %q", l, was, crashes, f.last)
		}
		w.useSpec(req.Worker+"/"+l.ID, l, f, was)
		h := &held{Lease: l}
		f.owner = h
		w.runs = append(w.runs[max(0, len(w.runs)-25):], h)
	}
	for _, e := range entries {
		if want[e.SID] == answerLeased && !got[e.SID] {
			w.unfit(e, req.Token)
		}
	}
}

// useSpec makes sure that a worker runs the text that stands in the registry,
// or, until repair has seen an edit by hand, the one before it.
func (w *world) useSpec(key string, l check.Lease, f *fact, was redisqueue.Record) {
	text := l.Spec
	if text == "" {
		if l.Rev != w.cache[key].rev {
			w.fail("lease %+v without spec, the worker has %+v", l, w.cache[key])
		}
		text = w.cache[key].text
	} else {
		w.cache[key] = cachedSpec{l.Rev, text}
	}
	adopted := was.SHA == sha(text)[:16]
	if text != f.spec && !adopted {
		w.fail("%s runs %q, its spec is %q", key, text, f.spec)
	}
	if text != f.spec && f.touched == 0 {
		w.fail("%s runs %q although it was edited: %q", key, text, f.spec)
	}
}

// unfit: a lease was not given although the entry was current. The spec must
// be missing, and the run has ended.
func (w *world) unfit(e check.Entry, token string) {
	f := w.facts[e.ID]
	if f == nil || f.spec != "" {
		w.fail("entry %s of %s was not leased", e.SID, e.ID)
	}
	f.owner, f.commit = nil, token
}

// reclaim takes over what lost workers had.
func (w *world) reclaim() {
	var entries []check.Entry
	for _, sid := range w.snap.held() {
		e, ok := w.snap.entries[sid]
		if ok && w.snap.pending[sid].idle >= leaseTime.Milliseconds() {
			entries = append(entries, check.Entry{Lane: lane, SID: sid, ID: e.id, Planned: e.planned})
		}
	}
	req := w.leaseRequest(nil)
	req.Revs = nil
	leases, later, err := w.q.Reclaim(w.t.Context(), req, 100)
	w.must(err)
	want := w.predict(entries, req)
	w.checkLater(entries, later, want)
	w.note("  suspects %d: want %v", req.Suspects, want)
	w.leased(req, entries, leases, want)
}
