package scheduler

import (
	"encoding/json"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// A check is removed where it has come to, while something of it is left behind
// where it was. Its incident is resolved once, by the removal, and stands in one
// lane.
func TestRemovedBehindItsMove(t *testing.T) {
	first, second := check.Lane{Zone: "default", Part: 3}, check.Lane{Zone: "default", Part: 1} // the lanes of a: of four, of two
	carry := func(r *rig) { r.must(r.s.carryIDs(r.t.Context(), lane0, []string{"a"})) }
	cases := map[string]func(t *testing.T, r *rig){}
	for name, tt := range map[string]struct {
		ends check.Lane
		do   func(r *rig)
	}{
		"nobody has followed it": {lane0, func(r *rig) {
			r.age()
			carry(r) // it departs
			r.want(accepted, "op delete id a")
			r.partitions(1)
			r.pass(first)
		}},
		"its incident goes on before it departs": {second, func(r *rig) {
			r.want(accepted, "op delete id a")
			r.partitions(2)
			r.pass(first)
			r.age()
			carry(r)
		}},
	} {
		cases[name] = func(t *testing.T, r *rig) {
			r.want(accepted, set("a", "1h")...)
			r.complete(r.lease("w")[0], crit, r.now()+3_600_000)
			r.partitions(4)
			carry(r)
			if p := r.in(first, "a"); p.Record.State != "waiting" {
				t.Fatalf("in its new lane: %+v", p)
			}
			tt.do(r)
			r.settle()
			r.wantResolvedOnce(tt.ends)
		}
	}
	eachCase(t, cases)
}

// wantResolvedOnce fails unless the incident of a stands in that lane alone, and
// was resolved by the removal of a.
func (r *rig) wantResolvedOnce(in check.Lane) {
	r.t.Helper()
	ctx := r.t.Context()
	resolved := 0
	for part := range 4 {
		lane := check.Lane{Zone: "default", Part: part}
		text := r.client.HGet(ctx, r.KeyIncidents(lane), "default/a/5").Val()
		var inc check.Incident
		if lane != in && text != "" || lane == in && (json.Unmarshal([]byte(text), &inc) != nil || inc.Resolved == 0 || inc.Reason == check.ReasonIncidentLost) {
			r.t.Errorf("the incident in %s is %q, want it in %s, resolved by the removal", lane, text, in)
		}
		for _, e := range r.client.XRange(ctx, r.KeyChanges(lane), "-", "+").Val() {
			var ev check.Event
			text, _ := e.Values["event"].(string)
			r.must(json.Unmarshal([]byte(text), &ev))
			if ev.Change == check.ChangeResolve {
				resolved++
			}
		}
	}
	if resolved != 1 {
		r.t.Errorf("it was resolved %d times", resolved)
	}
}
