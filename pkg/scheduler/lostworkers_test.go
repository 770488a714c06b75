package scheduler

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// What a worker has said about itself ends with the worker: the incidents of
// those that are dead, or know nothing of them, are resolved, once.
func TestLostWorkersIncidents(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		now, err := r.Now(ctx)
		r.must(err)
		raise := func(worker string) check.Raise {
			at := now - time.Minute.Milliseconds()
			inc := check.Incident{ID: check.IncidentID("default", check.WorkerCheckID(worker), at), To: check.StateCrit, Opened: at, Updated: at}
			raised, err := check.NewRaise("default", worker, inc, "", check.ChangeOpen)
			r.must(err)
			out, err := r.Raise(ctx, lane0, raised)
			r.must(err)
			if again, err := r.Raise(ctx, lane0, raised); err != nil || out != check.AdoptChanged || again != check.AdoptUnchanged {
				t.Fatalf("Raise = %v, then %v, %v, want changed, unchanged", out, again, err)
			}
			return raised
		}
		held, anew, gone := raise("held"), raise("anew"), raise("gone")
		r.must(r.Beat(ctx, check.Heartbeat{Name: "held", Every: 60_000, Incidents: []string{held.ID}}))
		r.must(r.Beat(ctx, check.Heartbeat{Name: "anew", Every: 60_000}))
		dead, err := json.Marshal(check.Heartbeat{Name: "gone", Every: 1000, At: now - 10_000, Incidents: []string{gone.ID}})
		r.must(err)
		r.must(r.client.HSet(ctx, r.KeyWorkers(), "gone", dead).Err())
		r.must(r.client.HSet(ctx, r.KeyIncidents(lane0), "default/check/1", `{"id":"default/check/1"}`, "default/worker:x/1", "junk").Err())

		later := now + 5
		for _, at := range []int64{later, later + time.Minute.Milliseconds()} {
			kept, err := r.Incidents(ctx, lane0)
			r.must(err)
			r.must(r.s.resolveLostWorkers(ctx, lane0, kept, at))
		}
		var resolved []string
		for _, m := range r.client.XRange(ctx, r.KeyChanges(lane0), "-", "+").Val() {
			var ev check.Event
			r.must(json.Unmarshal([]byte(m.Values["event"].(string)), &ev))
			if ev.Change == check.ChangeResolve {
				resolved = append(resolved, ev.Incident.ID)
				if ev.Incident.Resolved != later || ev.State != check.StateOK || ev.Previous != check.StateCrit {
					t.Errorf("resolved by %+v", ev)
				}
			}
		}
		slices.Sort(resolved)
		if want := []string{anew.ID, gone.ID}; !slices.Equal(resolved, want) {
			t.Errorf("resolved %v, want %v", resolved, want)
		}
		if out, err := r.Raise(ctx, lane0, anew); err != nil || out != "conflict" {
			t.Errorf("Raise of another text = %v, %v, want a conflict", out, err)
		}
	})
}

// A worker that is live is not taken for gone because Redis was away: nothing is
// resolved until it can have beaten again, nor what it has raised just now.
func TestWorkersAreNotLostByAnOutage(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		now, err := r.Now(ctx)
		r.must(err)
		var ids []string
		for worker, age := range map[string]time.Duration{"cut-off": time.Minute, "new": time.Second} {
			at := now - age.Milliseconds()
			inc := check.Incident{ID: check.IncidentID("default", check.WorkerCheckID(worker), at), To: check.StateCrit, Opened: at, Updated: at}
			raised, err := check.NewRaise("default", worker, inc, "", check.ChangeOpen)
			r.must(err)
			_, err = r.Raise(ctx, lane0, raised)
			r.must(err)
			ids = append(ids, inc.ID)
		}
		slices.Sort(ids)
		for _, step := range []struct {
			since time.Duration // that the lock is this scheduler's
			want  int
		}{{0, 0}, {beatsBack / 2, 0}, {beatsBack, 1}} {
			r.s.repairs.away = time.Now().Add(-step.since)
			r.must(r.s.cleanLane(ctx, &pass{lane: lane0}))
			resolved := 0
			for i, id := range ids {
				text, _, err := r.Incident(ctx, lane0, id)
				r.must(err)
				var inc check.Incident
				r.must(json.Unmarshal([]byte(text), &inc))
				if inc.Resolved != 0 {
					resolved++
				}
				if inc.Resolved != 0 && i > 0 {
					t.Errorf("%s is resolved a second after it was raised", id)
				}
			}
			if resolved != step.want {
				t.Errorf("%s after Redis was back %d incidents are resolved, want %d", step.since, resolved, step.want)
			}
		}
	})
}
