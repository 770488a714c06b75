package model_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// outcome says what answer a lease's owner is to get; released: to a release,
// which a repetition is not known of.
func (w *world) outcome(h *held) check.Outcome {
	f := w.facts[h.ID]
	_, junk := w.record(h.ID)
	switch {
	case junk:
		return check.OutcomeBad
	case f.owner == h && h.removed:
		return check.OutcomeRemoved
	case f.owner == h:
		return check.OutcomeDone
	case f.commit == h.Token:
		return check.OutcomeDone
	}
	return check.OutcomeStale
}

// completeSome ends runs: of owners, and now and then of those who are none
// any more.
func (w *world) completeSome() {
	var batch []*held
	owners := w.owners()
	for range 1 + w.rng.IntN(4) {
		h := some(w, owners)
		if w.rng.IntN(5) == 0 {
			h = some(w, w.runs)
		}
		if h != nil && !slices.Contains(batch, h) {
			batch = append(batch, h)
		}
	}
	w.complete(batch)
}

// completeStale ends a run for one who is not its owner.
func (w *world) completeStale() {
	var list []*held
	for _, h := range w.runs {
		if w.facts[h.ID].owner != h {
			list = append(list, h)
		}
	}
	if h := some(w, list); h != nil {
		w.complete([]*held{h})
	}
}

func (w *world) complete(batch []*held) {
	if len(batch) == 0 {
		return
	}
	items := make([]check.Completion, len(batch))
	want := make([]check.Outcome, len(batch))
	changes := false
	for i, h := range batch {
		items[i] = w.completion(h)
		want[i] = w.outcome(h)
		changes = changes || w.facts[h.ID].owner == h && want[i] != check.OutcomeBad
	}
	if !changes {
		w.same()
	}
	got, err := w.q.Complete(w.t.Context(), lane, items)
	w.must(err)
	for i, h := range batch {
		w.note("  %s %s next %d: %d", h.ID, h.Token, items[i].Next-w.snap.now, got[i])
		if got[i] != want[i] {
			w.fail("complete of %s by %s = %d, want %d", h.ID, h.Token, got[i], want[i])
		}
		f := w.facts[h.ID]
		if f.owner == h && want[i] != check.OutcomeBad {
			w.completed(h, f, items[i], want[i])
		} else if items[i].IncidentID != "" {
			w.noIncident(items[i])
		}
	}
}

// completion makes what a worker writes about a run.
func (w *world) completion(h *held) check.Completion {
	w.revs++
	c := check.Completion{Entry: h.Entry, Token: h.Token, Rev: h.Rev, Record: h.Record, Next: w.when() + 1}
	if f := w.facts[h.ID]; oneShot(f.spec) {
		c.Next = 0
	}
	if w.rng.IntN(8) > 0 {
		c.Last, c.Event = fmt.Sprintf(`{"n":%d}`, w.revs), fmt.Sprintf(`{"check":%q,"n":%d}`, h.ID, w.revs)
	}
	switch w.rng.IntN(8) {
	case 0:
		c.KeepCrashes = true
	case 1:
		c.IncidentID, c.Incident, c.Change = fmt.Sprintf("default/%s/%d", h.ID, w.revs), fmt.Sprint(w.revs), "{}"
	case 2:
		if h.Rev != "" {
			c.Record = "" // of a worker of another version
		}
	}
	return c
}

// completed notes a completion that was accepted, and says where the check has
// to be after it.
func (w *world) completed(h *held, f *fact, c check.Completion, out check.Outcome) {
	was, _ := w.record(h.ID)
	before := w.snap
	f.owner = nil
	if out == check.OutcomeRemoved {
		f.commit = ""
		if c.IncidentID != "" {
			w.noIncident(c)
		}
		return
	}
	h.ended = true
	f.commit = h.Token
	if c.Last != "" {
		f.last = c.Last
		w.results = append(w.results, c.Event)
	}
	w.then = append(w.then, func() {
		is := w.snap.runs[h.ID]
		if is.State == "leased" || is.State == "queued" || is.Committed == "" || is.Planned != was.Planned {
			w.fail("after its completion %s is %+v", h.ID, is)
		}
		if want := was.Crashes; is.Crashes != 0 && (!c.KeepCrashes || is.Crashes != want) {
			w.fail("after its completion %s has %d crashes", h.ID, is.Crashes)
		}
		if _, ok := w.snap.incidents[c.IncidentID]; c.IncidentID != "" && !ok {
			w.fail("incident %s was not written", c.IncidentID)
		}
		w.checkNext(h, was, is, c.Next, before)
	})
}

// checkNext: the worker's next time, or that of an edit, or sooner.
func (w *world) checkNext(h *held, was, is redisqueue.Record, next int64, before snapshot) {
	beside, hasBeside := before.due[h.ID]
	due, isDue := w.snap.due[h.ID]
	if was.Rev != strings.Split(h.Record, " ")[7] && was.First != 0 {
		next = was.First
	}
	atOnce := was.Again && (next == 0 || next > before.now)
	switch {
	case was.Paused:
		if !is.Paused || isDue != hasBeside {
			w.fail("%s was paused during its run: %+v, due %v", h.ID, is, isDue)
		}
	case atOnce:
		if !isDue || due > float64(w.snap.now) {
			w.fail("%s is to run again: due %v at %v", h.ID, isDue, due)
		}
	case next == 0:
		if is.State != "done" {
			w.fail("%s is done and is %+v", h.ID, is)
		}
	case hasBeside && beside < float64(next):
		if due != beside {
			w.fail("%s is due at %v, want the earlier %v", h.ID, due, beside)
		}
	case !isDue || int64(due) != next:
		w.fail("%s is due at %v, want %d", h.ID, due, next)
	}
}

func (w *world) noIncident(c check.Completion) {
	w.then = append(w.then, func() {
		if _, ok := w.snap.incidents[c.IncidentID]; ok {
			w.fail("incident %s was written by one whose result was not accepted", c.IncidentID)
		}
	})
}

// renew extends a lease, of an owner mostly.
func (w *world) renew() {
	h := some(w, w.runs)
	if h == nil {
		return
	}
	f := w.facts[h.ID]
	rec, junk := w.record(h.ID)
	want := check.OutcomeStale
	switch {
	case junk:
		want = check.OutcomeBad
	case f.owner == h && rec.State == "removed":
		want = check.OutcomeRemoved
	case f.owner == h:
		want = check.OutcomeDone
	}
	if f.owner != h || junk {
		w.same()
	}
	out, err := w.q.Renew(w.t.Context(), lane, leaseTime, []check.Holding{{Entry: h.Entry, Token: h.Token}})
	w.must(err)
	w.note("  %s %s: %d", h.ID, h.Token, out[0])
	if out[0] != want {
		w.fail("renew of %s by %s = %d, want %d", h.ID, h.Token, out[0], want)
	}
	if f.owner == h && !junk {
		w.then = append(w.then, func() {
			if end := w.snap.runs[h.ID].Expiry; end < rec.Expiry || end < w.snap.now+leaseTime.Milliseconds()-5000 {
				w.fail("the renewed lease of %s ends at %d", h.ID, end)
			}
		})
	}
}

// release hands runs back, of owners mostly, and entries that were read.
func (w *world) release() {
	h := some(w, w.runs)
	if h == nil {
		return
	}
	w.releaseOne(h.Entry, h.Token, w.facts[h.ID].owner == h)
}

func (w *world) releaseRead() {
	if len(w.read) == 0 {
		return
	}
	e := w.read[0]
	w.read = w.read[1:]
	rec, _ := w.record(e.ID)
	w.releaseOne(e, "", rec.State == "queued" && rec.SID == e.SID)
}

func (w *world) releaseOne(e check.Entry, token string, mine bool) {
	rec, junk := w.record(e.ID)
	f := w.facts[e.ID]
	want := check.OutcomeStale
	switch {
	case junk:
		want = check.OutcomeBad
	case mine && (rec.State == "removed" || rec.Paused):
		want = check.OutcomeRemoved
	case mine:
		want = check.OutcomeDone
	}
	if junk || !mine {
		w.same()
	}
	out, err := w.q.Release(w.t.Context(), lane, []check.Holding{{Entry: e, Token: token}})
	w.must(err)
	w.note("  %s %s %q: %d", e.ID, e.SID, token, out[0])
	if out[0] != want {
		w.fail("release of %s by %q = %d, want %d", e.ID, token, out[0], want)
	}
	if junk || !mine {
		return
	}
	f.owner = nil
	w.then = append(w.then, func() {
		is := w.snap.runs[e.ID]
		if is.Planned != rec.Planned || is.Owner != "" || (want == check.OutcomeDone) != (is.State == "queued") {
			w.fail("after its release %s is %+v", e.ID, is)
		}
		if is.State == "queued" {
			f.entryLost = false
		}
	})
}
