package model_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// text makes a spec: one of few, so that an edit often brings an old one back.
func (w *world) text(id string) string {
	when := `"every":"1h"`
	if w.rng.IntN(10) == 0 {
		when = `"at":"2020-01-01T00:00:00Z"`
	}
	stop := ""
	if w.rng.IntN(12) == 0 {
		stop = `,"paused":true`
	}
	return fmt.Sprintf(`{"id":%q,"command":"probe",%s,"meta":{"n":"%d"}%s}`, id, when, w.rng.IntN(3), stop)
}

// when gives a due time: mostly now.
func (w *world) when() int64 {
	return w.snap.now + []int64{0, 0, 0, -5000, 0, 0, -1, 1, 20, 3600_000}[w.rng.IntN(10)]
}

func (w *world) newRev() string {
	w.revs++
	return fmt.Sprintf("%d-%d", 1_000_000+w.revs/3, w.revs%3)
}

func sha(text string) string {
	if text == "" {
		return ""
	}
	return check.SHA(text)
}

// record is the parsed run record; junk says that there is one that cannot be read.
func (w *world) record(id string) (r redisqueue.Record, junk bool) {
	r, ok := w.snap.runs[id]
	_, some := w.snap.records[id]
	return r, some && !ok
}

func alive(r redisqueue.Record) bool {
	return r.State == "waiting" || r.State == "queued" || r.State == "leased"
}

// adopt sends a spec as a request would, and compares the answer.
func (w *world) adopt(id, rev, text string, first int64, keep bool) {
	f := w.facts[id]
	a := check.Adoption{
		ID: id, Rev: rev, Spec: text, SHA: sha(text), OldSHA: sha(f.spec), Paused: paused(text), First: first, Keep: keep,
	}
	w.note("  %+v", a)
	out, err := w.q.Adopt(w.t.Context(), lane, []check.Adoption{a})
	w.must(err)
	rec, junk := w.record(id)
	want := check.AdoptNew
	switch {
	case junk:
		want = check.AdoptBad
	case alive(rec) && f.spec == text && rec.SHA == sha(text)[:16]:
		want = check.AdoptUnchanged
	case alive(rec):
		want = check.AdoptChanged
	}
	if out[0] != want {
		w.fail("adopt of %s = %s, want %s", id, out[0], want)
	}
	if want == check.AdoptNew || want == check.AdoptChanged {
		f.applied(rev, text)
		waits := rec.State == "waiting" && !rec.Paused
		if kept, ok := w.snap.due[id]; ok && waits && keep && !a.Paused {
			w.then = append(w.then, func() {
				if w.snap.due[id] != kept {
					w.fail("%s is due at %v, want it kept at %v", id, w.snap.due[id], kept)
				}
			})
		}
		if !a.Paused && !(waits && keep) && f.owner == nil && rec.State != "queued" {
			w.then = append(w.then, func() {
				if due := w.snap.due[id]; int64(due) != first {
					w.fail("%s is due at %v, want %d", id, due, first)
				}
			})
		}
	}
}

func (f *fact) applied(rev, text string) {
	if f.newest.rev != "" {
		f.older = append(f.older[max(0, len(f.older)-5):], f.newest)
	}
	f.newest, f.spec = request{rev, text}, text
}

func (w *world) add() {
	id := w.id()
	text := w.text(id)
	keep := oneShot(text) == oneShot(w.facts[id].spec) && w.rng.IntN(2) == 0
	w.adopt(id, w.newRev(), text, w.when(), keep)
}

// pause turns the switch of a check over.
func (w *world) pause() {
	id := w.id()
	text := w.facts[id].spec
	switch {
	case !valid(text):
		return
	case paused(text):
		text = strings.Replace(text, `,"paused":true`, "", 1)
	default:
		text = text[:len(text)-1] + `,"paused":true}`
	}
	w.adopt(id, w.newRev(), text, w.when(), false)
}

func (w *world) remove() {
	id := w.id()
	f := w.facts[id]
	rev := w.newRev()
	out, err := w.q.Remove(w.t.Context(), lane, check.Removal{ID: id, Rev: rev, Last: f.last})
	w.note("  %s %s = %s", id, rev, out)
	w.must(err)
	rec, junk := w.record(id)
	want := check.AdoptChanged
	switch {
	case junk:
		want = check.AdoptBad
	case f.spec == "" && (rec.State == "" || rec.State == "removed"):
		want = check.AdoptMissing
	}
	if out != want {
		w.fail("remove of %s = %s, want %s", id, out, want)
	}
	if junk {
		return
	}
	f.applied(rev, "")
	w.gone(id)
}

// gone notes that a check was removed.
func (w *world) gone(id string) {
	f := w.facts[id]
	f.spec, f.last, f.commit = "", "", ""
	if f.owner != nil {
		f.owner.removed = true
	} else if rec, _ := w.record(id); rec.SID != "" {
		w.orphans[rec.SID] = true
	}
}

// older sends a request once more that was applied before: nothing happens.
func (w *world) older() {
	id := w.id()
	f := w.facts[id]
	rec, junk := w.record(id)
	if f.newest.rev == "" || f.lost || junk || rec.State == "" {
		return
	}
	r := some(w, append(slices.Clone(f.older), f.newest))
	var out check.AdoptOutcome
	if r.spec == "" {
		var err error
		out, err = w.q.Remove(w.t.Context(), lane, check.Removal{ID: id, Rev: r.rev, Last: f.last})
		w.must(err)
	} else {
		outs, err := w.q.Adopt(w.t.Context(), lane, []check.Adoption{{
			ID: id, Rev: r.rev, Spec: r.spec, SHA: sha(r.spec), OldSHA: sha(f.spec), First: w.when(),
		}})
		w.must(err)
		out = outs[0]
	}
	w.note("  %s %+v = %s", id, r, out)
	want := check.AdoptOlder
	if r.rev == rec.Rev {
		want = check.AdoptRepeated
	}
	if out != want {
		w.fail("%s: the request %+v once more = %s, want %s", id, r, out, want)
	}
	w.same()
}

// conflict sends requests that were made from what stands there no more.
func (w *world) conflict() {
	id := w.id()
	if _, junk := w.record(id); junk {
		return
	}
	text := w.text(id)
	outs, err := w.q.Adopt(w.t.Context(), lane, []check.Adoption{{ID: id, Rev: w.newRev(), Spec: text, SHA: sha(text), OldSHA: sha("other")}})
	w.must(err)
	out, err := w.q.Remove(w.t.Context(), lane, check.Removal{ID: id, Rev: w.newRev(), Last: "other"})
	w.must(err)
	if outs[0] != check.AdoptConflict || out != check.AdoptConflict {
		w.fail("adopt, remove of another text of %s = %s, %s, want conflict", id, outs[0], out)
	}
	w.same()
}

// same demands that the move has changed nothing.
func (w *world) same() {
	before := w.snap.String()
	w.then = append(w.then, func() {
		if after := w.snap.String(); after != before {
			w.fail("the move changed something; before it:\n%s", before)
		}
	})
}

// runNow makes a check run at once.
func (w *world) runNow() {
	id := w.id()
	out, err := w.q.RunNow(w.t.Context(), lane, id, w.newRev())
	w.note("  %s = %s", id, out)
	w.must(err)
	rec, junk := w.record(id)
	want := check.AdoptChanged
	switch {
	case junk:
		want = check.AdoptBad
	case rec.State == "" || rec.State == "removed" || rec.State == "bad":
		want = check.AdoptMissing
	case rec.Paused:
		want = check.AdoptPaused
	}
	if out != want {
		w.fail("run of %s = %s, want %s", id, out, want)
	}
	if want != check.AdoptChanged {
		w.same()
		return
	}
	w.then = append(w.then, func() {
		after := w.snap.runs[id]
		due, isDue := w.snap.due[id]
		waits := rec.State == "waiting" || rec.State == "done"
		if waits && (!isDue || int64(due) > w.snap.now) || rec.State == "leased" && !after.Again || after.Crashes != 0 {
			w.fail("run of %s, that was %s: due at %v, %+v", id, rec.State, due, after)
		}
	})
}
