package redisqueue

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/porttest"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// strict sends each script with a shebang: then a cluster refuses keys of
// another slot even where it has that slot itself. Without one such keys only
// fail after a reshard.
type strict struct {
	texts map[string]string // by hash
	ran   map[string]bool   // hashes; the test has one goroutine
}

func (s strict) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (s strict) rewrite(cmd redis.Cmder) {
	args := cmd.Args()
	if name := strings.ToLower(cmd.Name()); name == "evalsha" {
		hash, _ := args[1].(string)
		s.ran[hash] = true
		args[0], args[1] = "eval", "#!lua\n"+s.texts[hash]
	}
}

func (s strict) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.rewrite(cmd)
		return next(ctx, cmd)
	}
}

func (s strict) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			s.rewrite(cmd)
		}
		return next(ctx, cmds)
	}
}

// Every script on a node of a cluster: no key of another slot, and none that
// was not declared.
func TestScriptsOnACluster(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := redistest.Start(t, redistest.ClusterMode(porttest.Free(t))...).Client(t)
	r := &rig{Queue: New(c, ""), t: t}
	r.must(c.ClusterAddSlotsRange(ctx, 0, 16383).Err())
	eventually(t, func() bool { return strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_state:ok") })
	s := strict{texts: map[string]string{}, ran: map[string]bool{}}
	names := map[string]string{}
	for _, name := range scriptNames(t) {
		hash := script(name).Hash()
		s.texts[hash], names[hash] = luaText("prelude")+luaText(name), name
	}
	// What this test is to see is seen by this server.
	if err := c.Eval(ctx, "#!lua\nreturn redis.call('GET', 'x')", []string{"{a}y"}).Err(); err == nil {
		t.Fatal("the server lets a script read a key of another slot")
	}
	c.AddHook(s)

	r.must(r.Require(ctx, false))
	r.must(r.EnterZone(ctx, lane.Zone))
	r.must(r.Prepare(ctx, lane))
	l := r.start("a", "w/a")
	holding := []check.Holding{{Entry: l.Entry, Token: l.Token}}
	_, err := r.Renew(ctx, lane, time.Minute, holding)
	r.must(err)
	_, err = r.Release(ctx, lane, holding)
	r.must(err)
	l = r.lease("w/b", r.read("w")...)[0]
	end := done(l, r.now()+1000)
	end.IncidentID, end.Incident, end.Change = "default/a/1", "{}", "{}"
	if got := r.complete(end); got[0] != check.OutcomeDone {
		t.Fatalf("complete = %v", got)
	}
	_, err = r.Ack(ctx, lane, check.Acking{ID: "default/a/1", Incident: "{}", Ack: `{"by":"kim"}`, Change: "{}"})
	r.must(err)
	_, err = r.Raise(ctx, lane, check.Raise{ID: "default/worker:w/1", Incident: "{}", Change: "{}"})
	r.must(err)
	_, err = r.EndOrphan(ctx, lane, check.Orphan{Check: "a", Last: end.Last, ID: "default/a/1", Incident: "{}", Resolved: `{"n":1}`, Change: "{}"})
	r.must(err)
	_, err = r.PutDowntime(ctx, "maint", "", "{}")
	r.must(err)
	_, err = r.Neighbours(ctx, "default", []string{"a", "b"})
	r.must(err)
	r.must(r.Hurry(ctx, "default", []string{"a", "b"}))
	_, err = r.RunNow(ctx, lane, "a", "9000-0")
	r.must(err)
	r.repairPass("a", specText("a", 1))
	_, err = r.ReplaceSpec(ctx, lane, "a", specText("a", 1), specText("a", 2))
	r.must(err)
	r.must(r.DropSpec(ctx, lane, "a", specText("a", 2)))
	r.sweep(true)
	_, err = r.Remove(ctx, lane, check.Removal{ID: "a", Rev: "9001-0", Last: end.Last})
	r.must(err)
	r.must(r.LeaveLane(ctx, lane, "w"))
	_, err = r.IntakeLock(ctx, "me")
	r.must(err)
	_, err = r.IntakePending(ctx, "0-0", 1)
	r.must(err)
	r.must(r.IntakeDone(ctx, []check.Verdict{{ID: "a", Zone: "default", Op: "set", Verdict: check.VerdictAccepted}}))
	r.must(r.RestoreZone(ctx, "fra", check.Zone{Version: 1, Partitions: 4}))
	r.deliverOnce()
	clusterMoves(r)
	for hash, name := range names {
		if !s.ran[hash] {
			t.Errorf("%s did not run", name)
		}
	}
}

// clusterMoves makes every move between lanes: their slots are different ones.
func clusterMoves(r *rig) {
	ctx := r.t.Context()
	_, after, err := r.SetPartitions(ctx, lane.Zone, 4)
	r.must(err)
	if after.Spread != 4 {
		r.t.Errorf("SetPartitions = %+v", after)
	}
	r.set("b", 1, r.now()+1000)
	ok, err := r.Replicated(ctx, lane)
	if r.must(err); !ok {
		r.t.Error("Replicated = false, and there is no replica")
	}
	r.must(r.client.HSet(ctx, r.KeyIncidents(lane), "default/b/1", "{}").Err())
	r.move(lane, other, "b")
	_, err = r.Follow(ctx, lane, check.Zone{Partitions: 4})
	r.must(err)
	if got, err := r.LaneOf(ctx, lane.Zone, "b"); err != nil || got != other {
		r.t.Errorf("LaneOf = %s %v, want %s", got, err, other)
	}
	_, err = r.Plant(ctx, third, []check.Stone{{ID: "c", Rev: "1-0"}})
	r.must(err)
	r.must(r.Forget(ctx, third, "c", r.rec(third, "c")))
}
