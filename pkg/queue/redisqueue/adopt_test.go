package redisqueue

import (
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// adoptA adopts a text for the check a; an empty revision is that of a hand.
func (r *rig) adoptA(a check.Adoption) check.AdoptOutcome {
	r.t.Helper()
	a.ID, a.SHA = "a", sha(a.Spec)
	out, err := r.Adopt(r.t.Context(), lane, []check.Adoption{a})
	r.must(err)
	return out[0]
}

// Each answer of an adoption, and that those which say no change nothing.
func TestAdoptAnswers(t *testing.T) {
	one, two := specText("a", 1), specText("a", 2)
	for _, tt := range []struct {
		name string
		a    check.Adoption
		hand string // the text in the registry, if another than the first
		want check.AdoptOutcome
	}{
		{"changed", check.Adoption{Rev: "2000-0", Spec: two, OldSHA: sha(one), First: 7}, "", check.AdoptChanged},
		{"the same text", check.Adoption{Rev: "2000-0", Spec: one, OldSHA: sha(one), First: 7}, "", check.AdoptUnchanged},
		{"the same request", check.Adoption{Rev: "1001-0", Spec: two, OldSHA: sha(one), First: 7}, "", check.AdoptRepeated},
		{"an older request", check.Adoption{Rev: "1000-9", Spec: two, OldSHA: sha(one), First: 7}, "", check.AdoptOlder},
		{"an older one, by length", check.Adoption{Rev: "999-99", Spec: two, OldSHA: sha(one), First: 7}, "", check.AdoptOlder},
		{"a newer one of the same time", check.Adoption{Rev: "1001-1", Spec: two, OldSHA: sha(one), First: 7}, "", check.AdoptChanged},
		{"made from another text", check.Adoption{Rev: "2000-0", Spec: two, OldSHA: sha("x"), First: 7}, "", check.AdoptConflict},
		{"made from none", check.Adoption{Rev: "2000-0", Spec: two, First: 7}, "", check.AdoptConflict},
		{"by hand", check.Adoption{Spec: two, OldSHA: sha(two), First: 7}, two, check.AdoptChanged},
		{"by hand, changed since", check.Adoption{Spec: two, OldSHA: sha(two), First: 7}, "x", check.AdoptConflict},
		{"by hand, back again", check.Adoption{Spec: one, OldSHA: sha(one), First: 7}, "", check.AdoptUnchanged},
		{"a request over a hand's text", check.Adoption{Rev: "2000-0", Spec: one, OldSHA: sha(two), First: 7}, two, check.AdoptChanged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				r.set("a", 1, r.now()+1000)
				if tt.hand != "" {
					r.hand("a", tt.hand)
				}
				before := r.dump()
				if got := r.adoptA(tt.a); got != tt.want {
					t.Fatalf("Adopt(%+v) = %s, want %s", tt.a, got, tt.want)
				}
				p := r.place("a")
				if tt.want != check.AdoptChanged {
					if r.dump() != before {
						t.Errorf("it changed something: %+v", p)
					}
					return
				}
				if p.Spec != tt.a.Spec || p.Due != 7 || p.Record.SHA != sha(tt.a.Spec)[:16] {
					t.Errorf("place = %+v, want the text and due at 7", p)
				}
			})
		})
	}
}

// A hand's edit takes the revision that was there and a counter: later
// requests beat it, those that it beat stay beaten.
func TestAdoptHandRevision(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.set("a", 1, r.now()+1000)
		for i, want := range []string{"1001-0.1", "1001-0.2"} {
			text := specText("a", 10+i)
			r.hand("a", text)
			if got := r.adoptA(check.Adoption{Spec: text, OldSHA: sha(text), First: 7}); got != check.AdoptChanged || r.place("a").Record.Rev != want {
				t.Fatalf("Adopt by hand = %s, revision %s, want changed, %s", got, r.place("a").Record.Rev, want)
			}
		}
		old := sha(specText("a", 11))
		if got := r.adoptA(check.Adoption{Rev: "1001-0", Spec: "{}", OldSHA: old}); got != check.AdoptOlder {
			t.Errorf("the request before the edit = %s, want older", got)
		}
		if got := r.adoptA(check.Adoption{Rev: "1001-1", Spec: "{}", OldSHA: old}); got != check.AdoptChanged {
			t.Errorf("a request after the edit = %s, want changed", got)
		}
	})
}

// A text that is not valid leaves the schedule, wherever the check was, and a
// valid one brings it back.
func TestAdoptBad(t *testing.T) {
	for _, tt := range []struct {
		name  string
		place func(r *rig)
		want  string
	}{
		{"new", func(*rig) {}, "bad"},
		{"waiting", func(r *rig) { r.set("a", 1, r.now()+1000) }, "bad"},
		{"queued", func(r *rig) { r.set("a", 1, 5); r.dispatch() }, "bad"},
		{"removed", func(r *rig) { r.removeA() }, "bad"},
		{"leased", func(r *rig) { r.start("a", "w/a") }, "leased"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				tt.place(r)
				r.hand("a", "{")
				bad := []check.RepairItem{{ID: "a", SHA: sha("{"), Bad: true}}
				for range 2 { // the second changes nothing
					_, err := r.Repair(t.Context(), lane, bad, true)
					r.must(err)
				}
				p := r.place("a")
				if p.Record.State != tt.want || p.Due != 0 {
					t.Fatalf("place = %+v, want %s and not due", p, tt.want)
				}
				found, err := r.Repair(t.Context(), lane, []check.RepairItem{{ID: "a", SHA: sha("{")}}, true)
				r.must(err)
				if len(found) > 0 {
					t.Errorf("repair finds %+v, want the text known as refused", found)
				}
				if out, err := r.RunNow(t.Context(), lane, "a", "9000-0"); err != nil || out == check.AdoptChanged {
					t.Errorf("run of a refused check = %s, %v", out, err)
				}
				text := specText("a", 3)
				r.hand("a", text)
				r.adoptA(check.Adoption{Spec: text, OldSHA: sha(text), First: 7})
				if p = r.place("a"); tt.want == "bad" && (p.Record.State != "waiting" || p.Due != 7) || p.Record.Paused {
					t.Errorf("after a valid text: %+v", p)
				}
			})
		})
	}
}

// An edit during a run, or of a queued check, is used by the next run and
// moves the check to the first slot of the new schedule.
func TestAdoptWhileQueuedOrLeased(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.set("a", 1, 5)
		r.dispatch()
		r.set("a", 2, r.now()+500_000)
		if p := r.place("a"); p.Record.State != "queued" || p.Due != 0 {
			t.Fatalf("an edited queued check: %+v", p)
		}
		l := r.lease("w/a", r.read("w")...)[0]
		if l.Spec != specText("a", 2) {
			t.Fatalf("the run uses %s, want the edit", l.Spec)
		}
		first := r.now() + 700_000
		r.set("a", 3, first)
		if got := r.complete(done(l, r.now()+1000)); got[0] != check.OutcomeDone || r.place("a").Due != first {
			t.Fatalf("complete = %v, due %d, want done and due at %d", got, r.place("a").Due, first)
		}
	})
}
