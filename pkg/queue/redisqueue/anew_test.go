package redisqueue

import (
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// A check that is removed and set anew while it runs waits until that run
// ends, and then until its own first time: a one-shot of tomorrow runs tomorrow.
func TestSetAnewDuringARunKeepsItsFirstTime(t *testing.T) {
	for name, wait := range map[string]int64{"tomorrow": 24 * 3600_000, "at once": 0} {
		t.Run(name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				ctx := t.Context()
				l := r.start("a", "w/a")
				_, err := r.Remove(ctx, lane, check.Removal{ID: "a", Rev: "2000-0"})
				r.must(err)
				first := r.now() + wait
				text := specText("a", 2)
				_, err = r.Adopt(ctx, lane, []check.Adoption{{ID: "a", Rev: "3000-0", Spec: text, SHA: sha(text), First: first}})
				r.must(err)
				if p := r.place("a"); p.Record.State != "leased" || p.Due != 0 {
					t.Fatalf("it stands %+v, want it to wait for the run", p)
				}
				if out := r.complete(done(l, r.now()+30_000)); out[0] != check.OutcomeRemoved {
					t.Errorf("completion = %v, want removed", out)
				}
				if p := r.place("a"); p.Record.State != "waiting" || p.Due < first || p.Due > max(first, r.now()) {
					t.Errorf("due in %d ms, want in %d", p.Due-r.now(), first-r.now())
				}
			})
		})
	}
}
