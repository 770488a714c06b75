package redisqueue

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// fullRig is a lane with checks in many places, on a server whose memory is
// full by now.
func fullRig(t *testing.T) (r *rig, leases map[string]check.Lease) {
	t.Helper()
	ctx := t.Context()
	r = &rig{Queue: New(redistest.Start(t).Client(t), ""), t: t}
	r.must(r.Require(ctx, false))
	r.must(r.EnterZone(ctx, lane.Zone))
	r.must(r.Prepare(ctx, lane))
	leases = map[string]check.Lease{}
	for _, id := range []string{"runs", "released", "lost", "renewed"} {
		leases[id] = r.start(id, "w/"+id)
	}
	r.expire("lost")
	r.must(r.client.HSet(ctx, r.KeyIncidents(lane), "default/runs/1", "{}", "default/nobody/1", "{}").Err())
	for _, id := range []string{"due", "waits", "far", "gone", "edited"} {
		r.set(id, 1, r.now())
	}
	r.must(r.client.ZAdd(ctx, r.KeyDue(lane), redis.Z{Score: 1e13, Member: "far"}, redis.Z{Score: 1e13, Member: "waits"}).Err())
	r.must(r.client.HDel(ctx, r.KeySpecs(lane), "gone").Err())
	r.must(r.client.ConfigSet(ctx, "maxmemory", "1").Err())
	if err := r.client.Set(ctx, "more", "x", 0).Err(); !redis.HasErrorPrefix(err, "OOM") {
		t.Fatalf("SET = %v, want the server to be full", err)
	}
	return r, leases
}

// A server whose memory is full refuses whatever may add to it, but no move:
// each begins with a write that removes something.
func TestMovesWhenMemoryIsFull(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r, leases := fullRig(t)
	incident := "default/runs/1"
	c := done(leases["runs"], r.now()+1000)
	c.IncidentID, c.Incident, c.Change = incident, `{"n":1}`, "{}"
	text := specText("edited", 2)
	holding := func(id string) []check.Holding {
		return []check.Holding{{Entry: leases[id].Entry, Token: leases[id].Token}}
	}
	for name, move := range map[string]func() (string, error){
		"enter":   func() (string, error) { return "ok", r.EnterZone(ctx, lane.Zone) },
		"require": func() (string, error) { return "ok", r.Require(ctx, false) },
		"renew": func() (string, error) {
			out, err := r.Renew(ctx, lane, time.Minute, holding("renewed"))
			return word(len(out) == 1 && out[0] == check.OutcomeDone), err
		},
		"release": func() (string, error) {
			out, err := r.Release(ctx, lane, holding("released"))
			return word(len(out) == 1 && out[0] == check.OutcomeDone), err
		},
		"complete": func() (string, error) {
			out, err := r.Complete(ctx, lane, []check.Completion{c})
			return word(len(out) == 1 && out[0] == check.OutcomeDone && r.place("runs").Last == c.Last), err
		},
		"lease of a lost run": func() (string, error) {
			out, _, err := r.Lease(ctx, check.LeaseRequest{Lane: lane, Token: "v/a", Lease: time.Minute, Suspects: 1, Entries: []check.Entry{leases["lost"].Entry}})
			return word(len(out) == 1), err
		},
		"adopt": func() (string, error) {
			out, err := r.Adopt(ctx, lane, []check.Adoption{{ID: "edited", Rev: "9000-0", Spec: text, SHA: sha(text), OldSHA: sha(specText("edited", 1))}})
			return word(len(out) == 1 && out[0] == check.AdoptChanged), err
		},
		"run": func() (string, error) {
			out, err := r.RunNow(ctx, lane, "waits", "9000-0")
			return word(out == check.AdoptChanged), err
		},
		"ack": func() (string, error) {
			text := r.client.HGet(ctx, r.KeyIncidents(lane), incident).Val()
			out, err := r.Ack(ctx, lane, check.Acking{ID: incident, Incident: text, Ack: "{}", Change: "{}"})
			return word(out == check.AdoptChanged), err
		},
		"orphan": func() (string, error) {
			out, err := r.EndOrphan(ctx, lane, check.Orphan{Check: "nobody", ID: "default/nobody/1", Incident: "{}", Resolved: `{"n":1}`, Change: "{}"})
			return word(out == check.AdoptChanged), err
		},
		"downtime": func() (string, error) {
			out, err := r.PutDowntime(ctx, "maint", "", "{}")
			return word(out == check.AdoptChanged), err
		},
		"repair": func() (string, error) {
			out, err := r.Repair(ctx, lane, []check.RepairItem{{ID: "far", SHA: sha(specText("far", 1)), Ahead: 60_000, Place: 5}}, true)
			return word(len(out) == 1 && r.place("far").Due == 5), err
		},
		"remove": func() (string, error) {
			out, err := r.Remove(ctx, lane, check.Removal{ID: "gone"})
			return word(out == check.AdoptChanged), err
		},
		"replace": func() (string, error) {
			ok, err := r.ReplaceSpec(ctx, lane, "due", specText("due", 1), specText("due", 2))
			return word(ok), err
		},
	} {
		if out, err := move(); err != nil || out != "ok" {
			t.Errorf("%s = %s, %v, want it made", name, out, err)
		}
	}
	// Dispatch takes the one that was due from the start, and others by now.
	if d := r.dispatch(); d.Moved == 0 {
		t.Errorf("dispatch = %+v, want some moved", d)
	}
	if got := r.lease("v/b", r.read("v")...); len(got) == 0 {
		t.Error("no leases, want some")
	}
}

func word(ok bool) string {
	if ok {
		return "ok"
	}
	return "another answer"
}
