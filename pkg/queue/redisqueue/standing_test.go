package redisqueue

import (
	"fmt"
	"slices"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// An incident that stays open is written again where it was lost, and nowhere
// else: what stands there may have been resolved by another hand.
func TestCompleteStandingIncident(t *testing.T) {
	for _, odd := range []bool{false, true} {
		t.Run(fmt.Sprintf("odd=%v", odd), func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				ctx := t.Context()
				leases := r.startAll(3, "w/a")
				items := make([]check.Completion, len(leases))
				for i, l := range leases {
					items[i] = done(l, r.now()+1000)
					items[i].IncidentID, items[i].Incident = "default/"+l.ID+"/1", "open"
				}
				r.must(r.client.HSet(ctx, r.KeyIncidents(lane), "default/c1/1", "resolved").Err())
				want, lost := []check.Outcome{0, 0, 0}, "open"
				if odd { // c2 is another's by now
					r.expire("c2")
					r.lease("v/b", leases[2].Entry)
					want[2], lost = check.OutcomeStale, ""
				}
				if got := r.complete(items...); !slices.Equal(got, want) {
					t.Fatalf("complete = %v, want %v", got, want)
				}
				for id, want := range map[string]string{"default/c0/1": "open", "default/c1/1": "resolved", "default/c2/1": lost} {
					if got, _, err := r.Incident(ctx, lane, id); err != nil || got != want {
						t.Errorf("incident %s = %q, %v, want %q", id, got, err, want)
					}
				}
				if n := r.client.XLen(ctx, r.KeyChanges(lane)).Val(); n != 0 {
					t.Errorf("%d changes, want none", n)
				}
			})
		})
	}
}

func TestRaise(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		const id = "default/worker:w1/1"
		for _, step := range []struct {
			name, was, text string
			want            check.AdoptOutcome
			stands          string
		}{
			{"new", "", "open", check.AdoptChanged, "open"},
			{"repeated", "", "open", check.AdoptUnchanged, "open"},
			{"another one stands there", "other", "resolved", check.AdoptConflict, "open"},
			{"resolved", "open", "resolved", check.AdoptChanged, "resolved"},
			{"lost", "open", "resolved", check.AdoptChanged, "resolved"},
		} {
			if step.name == "lost" {
				r.must(r.client.Del(ctx, r.KeyIncidents(lane)).Err())
			}
			out, err := r.Raise(ctx, lane, check.Raise{ID: id, Was: step.was, Incident: step.text, Change: "{}"})
			r.must(err)
			if got, _, _ := r.Incident(ctx, lane, id); out != step.want || got != step.stands {
				t.Errorf("%s: %v, %q stands there, want %v, %q", step.name, out, got, step.want, step.stands)
			}
		}
		if n := r.client.XLen(ctx, r.KeyChanges(lane)).Val(); n != 3 {
			t.Errorf("%d changes, want 3", n)
		}
	})
}
