package model_test

import (
	"encoding/json"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// check holds everything that Redis contains against the model. What a hand
// has touched may be odd until two passes of repair went over it.
func (w *world) check() {
	w.t.Helper()
	s := &w.snap
	w.checkResults()
	for id, f := range w.facts {
		w.checkSpec(id, f)
		r, ok := s.runs[id]
		if !ok {
			if _, junk := w.record(id); junk && f.touched == 0 {
				w.fail("%s: its record is junk", id)
			}
			if f.spec != "" && f.touched == 0 {
				w.fail("%s has a spec and no record", id)
			}
			w.checkAbsent(id, f)
			continue
		}
		w.checkPlanned(id, f, r)
		w.checkPlace(id, f, r)
		w.checkOwner(id, f, r)
	}
	w.checkEntries()
	for _, id := range strange {
		_, isDue := s.due[id]
		_, isRun := s.records[id]
		_, hasLast := s.last[id]
		if w.strays == 0 && (isDue || isRun || hasLast) {
			w.fail("%q is due or has records, and has no spec", id)
		}
	}
}

// checkResults: every accepted result is in results once, in order.
func (w *world) checkResults() {
	w.t.Helper()
	have := len(w.results) - len(w.snap.results)
	if have < 0 {
		w.fail("results has %d more than were accepted: %q", -have, w.snap.results)
	}
	for i, event := range w.snap.results {
		if w.results[have+i] != event {
			w.fail("results has %s, want %s", event, w.results[have+i])
		}
	}
	if n := w.snap.total; n != len(w.results) && n < redisqueue.KeepResults {
		w.fail("results has %d entries, want %d", n, len(w.results))
	}
	w.seen = w.snap.newest
}

func (w *world) checkSpec(id string, f *fact) {
	w.t.Helper()
	if got := w.snap.specs[id]; got != f.spec {
		w.fail("%s: specs has %q, want %q", id, got, f.spec)
	}
	if got := w.snap.last[id]; got != f.last {
		w.fail("%s: last is %q, want %q", id, got, f.last)
	}
}

// checkAbsent: a check that is not there is nowhere.
func (w *world) checkAbsent(id string, f *fact) {
	w.t.Helper()
	if f.touched > 0 {
		return
	}
	if _, ok := w.snap.due[id]; ok {
		w.fail("%s has no record and is due", id)
	}
}

// checkPlanned: planned times rise.
func (w *world) checkPlanned(id string, f *fact, r redisqueue.Record) {
	w.t.Helper()
	if r.Planned < f.planned && !f.lost {
		w.fail("%s: planned %d comes after %d", id, r.Planned, f.planned)
	}
	f.planned, f.lost = r.Planned, false
}

// checkPlace: a check that should run is in exactly one place, another one in
// none.
func (w *world) checkPlace(id string, f *fact, r redisqueue.Record) {
	w.t.Helper()
	_, isDue := w.snap.due[id]
	e, inReady := w.snap.entries[r.SID]
	inReady = inReady && r.SID != ""
	if f.touched > 0 {
		return
	}
	if f.spec == "" {
		if r.State != "removed" || isDue || f.last != "" {
			w.fail("%s has no spec: it is %s, due: %v, last: %q", id, r.State, isDue, f.last)
		}
	} else if r.State == "removed" || r.SHA != check.SHA(f.spec)[:16] {
		w.fail("%s: its record %s is not of its spec %s", id, w.snap.records[id], f.spec)
	}
	switch r.State {
	case "waiting":
		if r.Paused && isDue && f.beside {
			f.touch() // a score by hand outlived the run: repair takes it out
			break
		}
		if r.Paused == isDue || (!r.Paused && !valid(f.spec)) || (r.Paused != paused(f.spec) && valid(f.spec)) {
			w.fail("%s waits, paused: %v, due: %v, spec %s", id, r.Paused, isDue, f.spec)
		}
		if due := w.snap.due[id]; f.scored == 0 && due > latest(f.spec, w.snap.now) {
			w.fail("%s is due at %v, now is %d", id, due, w.snap.now)
		}
	case "queued", "leased":
		if (!inReady || e.id != id || e.planned != r.Planned || !w.snap.reachable(r.SID)) && !(f.entryLost && r.State == "leased" && r.Expiry > w.snap.now) {
			w.fail("%s is %s, its entry is %+v, reachable: %v", id, r.State, e, w.snap.reachable(r.SID))
		}
		if isDue && !f.beside {
			w.fail("%s is %s and due", id, r.State)
		}
	case "done":
		if isDue && !f.beside {
			w.fail("%s is done and due", id)
		}
	case "bad":
		if valid(f.spec) || isDue {
			w.fail("%s is bad, due: %v, spec %s", id, isDue, f.spec)
		}
	}
	if r.State == "waiting" || r.State == "removed" && r.Owner == "" {
		f.beside, f.entryLost = false, false
	}
}

// checkOwner: at most one lease can complete, and it is the latest one.
func (w *world) checkOwner(id string, f *fact, r redisqueue.Record) {
	w.t.Helper()
	if r.Owner == "" {
		if f.owner != nil && f.touched == 0 {
			w.fail("%s: nobody holds it, want %s", id, f.owner.Token)
		}
		f.owner = nil
		return
	}
	if f.touched == 0 && (f.owner == nil || f.owner.Token != r.Owner) {
		w.fail("%s: %s holds it, want %+v", id, r.Owner, f.owner)
	}
	if f.owner != nil && f.owner.Token != r.Owner {
		f.owner = nil
	}
}

// checkEntries: XLEN(ready) = queued + running + entries of removed or paused
// checks, which the next lease discards.
func (w *world) checkEntries() {
	w.t.Helper()
	for sid, e := range w.snap.entries {
		if w.snap.current(sid) {
			delete(w.orphans, sid)
			continue
		}
		if !w.orphans[sid] {
			if f := w.facts[e.id]; w.loose == 0 && f != nil && f.touched == 0 {
				w.fail("entry %s of %s belongs to nothing", sid, e.id)
			}
			w.orphans[sid] = true
		}
	}
	for sid := range w.orphans {
		if _, ok := w.snap.entries[sid]; !ok {
			delete(w.orphans, sid)
		}
	}
}

// latest is when a check may be due at the latest: two intervals from now, and
// a little for the time since repair looked.
func latest(spec string, now int64) float64 {
	if oneShot(spec) {
		return 1e14
	}
	return float64(now) + 2*3600_000 + 60_000
}

// valid and paused tell what a text says.
func valid(spec string) bool { return json.Valid([]byte(spec)) }

func paused(spec string) bool { return strings.Contains(spec, `"paused":true`) }

func oneShot(spec string) bool { return strings.Contains(spec, `"at":`) }
