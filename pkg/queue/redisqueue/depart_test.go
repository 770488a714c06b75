package redisqueue

import (
	"maps"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// A carrier that is late lets nothing go of a check that has come back
// meanwhile, as the same text, or is on its way once more.
func TestLateDeparture(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.set("a", 1, 1)
		f := r.freeze(lane, other, "a")
		late, _ := r.arrive(lane, f)
		if out := r.depart(lane, late); out != check.MoveGone {
			t.Fatalf("Depart = %s", out)
		}
		r.move(other, lane, "a")
		for _, state := range []string{"waiting", "frozen"} {
			before := r.dump()
			if out := r.depart(lane, late); out != check.MoveConflict || r.dump() != before {
				t.Errorf("Depart of one that is %s again = %s", state, out)
			}
			if is := r.placeIn(lane, "a"); is.Record.State != state || is.Spec != late.Spec {
				t.Errorf("it is %+v, want it %s", is, state)
			}
			r.freeze(lane, third, "a")
		}
	})
}

// What belongs to an incident comes with its check, and not only after it: the
// check may run at once.
func TestIncidentsArriveWithTheirChecks(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		c := done(r.start("a", "w/nonce"), r.now()+9000)
		c.Last = `{"state":"CRIT","incident":{"id":"default/a/5"}}`
		c.IncidentID, c.Incident, c.Change = "default/a/5", `{"id":"default/a/5"}`, "{}"
		r.complete(c)
		r.must(r.client.HSet(t.Context(), r.KeyIncidents(lane), "default/a/5/ack", "{}", "default/a/5/pager", "x-1").Err())
		if _, out := r.arrive(lane, r.freeze(lane, other, "a")); out != check.MoveTaken {
			t.Fatalf("Arrive = %s", out)
		}
		want := r.client.HGetAll(t.Context(), r.KeyIncidents(lane)).Val()
		if got := r.client.HGetAll(t.Context(), r.KeyIncidents(other)).Val(); len(want) != 3 || !maps.Equal(got, want) {
			t.Errorf("incidents = %v, want %v", got, want)
		}
	})
}

// The keys of a lane are deleted when there is no check in it: one that waits,
// or is frozen, keeps them all.
func TestDropLaneKeepsChecks(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		drop := func() { r.must(r.DropLane(t.Context(), other)) }
		r.set("a", 1, 1)
		r.move(lane, other, "a")
		r.must(r.client.HSet(t.Context(), r.KeyIncidents(other), "default/a/5", "{}").Err())
		for _, state := range []string{"waiting", "frozen"} {
			before := r.dump()
			drop()
			if r.dump() != before || r.placeIn(other, "a").Record.State != state {
				t.Errorf("something of a lane was deleted that has a check in it, %s", state)
			}
			r.freeze(other, lane, "a")
		}
		c, _ := r.arrive(other, r.freeze(other, lane, "a"))
		r.depart(other, c)
		drop()
		for _, key := range r.client.Keys(t.Context(), "redpoll:{*").Val() {
			if strings.HasPrefix(key, "redpoll:{default:3}") {
				t.Errorf("%s is left", key)
			}
		}
		if is := r.placeIn(lane, "a"); is.Record.State != "waiting" {
			t.Errorf("it is %+v", is)
		}
	})
}
