package redisqueue

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// Without stream or group nothing fails: a read makes the group, at 0, so that
// what stands in the stream is delivered.
func TestMissingGroupHeals(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		fresh := check.Lane{Zone: "fresh"}
		quiet := func(l check.Lane) {
			t.Helper()
			req := check.LeaseRequest{Lane: l, Worker: "w", Token: "w/x", Lease: time.Minute}
			if got, _, err := r.Reclaim(ctx, req, 10); err != nil || len(got) > 0 {
				t.Errorf("Reclaim(%s) = %v, %v, want nothing", l, got, err)
			}
			if n, err := r.DropConsumers(ctx, l, 0); err != nil || n != 0 {
				t.Errorf("DropConsumers(%s) = %d, %v, want none", l, n, err)
			}
			if err := r.LeaveLane(ctx, l, "w"); err != nil {
				t.Errorf("LeaveLane(%s) = %v", l, err)
			}
			if s, err := r.Stats(ctx, l); err != nil || s.Pending != 0 {
				t.Errorf("Stats(%s) = %+v, %v", l, s, err)
			}
			if _, err := r.Dispatch(ctx, l, 0); err != nil {
				t.Errorf("Dispatch(%s) = %v", l, err)
			}
		}
		quiet(fresh)
		r.set("a", 1, 1)
		r.dispatch()
		r.must(r.client.XGroupDestroy(ctx, r.KeyReady(lane), GroupWorkers).Err())
		quiet(lane)
		var entries []check.Entry
		for range 2 {
			entries = append(entries, r.read("w")...)
		}
		if got := r.lease("w/a", entries...); len(got) != 1 {
			t.Fatalf("leases = %+v of %v, want one", got, entries)
		}
	})
}

// Consumers with nothing pending go when they have been idle for long enough,
// others stay with all that is pending for them.
func TestDropConsumers(t *testing.T) {
	t.Parallel()
	// miniredis does not tell how long a consumer has been idle
	r := &rig{Queue: New(redistest.Start(t).Client(t), ""), t: t}
	ctx := t.Context()
	r.must(r.Prepare(ctx, lane))
	for _, name := range []string{"idle", "gone"} {
		r.must(r.client.XGroupCreateConsumer(ctx, r.KeyReady(lane), GroupWorkers, name).Err())
	}
	l := r.start("a", "w/a") // read by w
	names := func() map[string]bool {
		out := map[string]bool{}
		for _, c := range r.client.XInfoConsumers(ctx, r.KeyReady(lane), GroupWorkers).Val() {
			out[c.Name] = true
		}
		return out
	}
	if n, err := r.DropConsumers(ctx, lane, time.Hour); err != nil || n != 0 || len(names()) != 3 {
		t.Fatalf("DropConsumers of an hour = %d, %v, consumers %v", n, err, names())
	}
	r.must(r.LeaveLane(ctx, lane, "gone"))
	r.must(r.LeaveLane(ctx, lane, "w")) // has something pending
	if got := names(); len(got) != 2 || got["gone"] {
		t.Fatalf("consumers %v, want idle and w", got)
	}
	if n, err := r.DropConsumers(ctx, lane, 0); err != nil || n != 1 || !names()["w"] {
		t.Fatalf("DropConsumers = %d, %v, consumers %v, want w to stay", n, err, names())
	}
	if r.pending() != 1 {
		t.Fatal("the pending entry was dropped with its consumer")
	}
	r.complete(done(l, 5))
	if n, err := r.DropConsumers(ctx, lane, 0); err != nil || n != 1 {
		t.Fatalf("DropConsumers = %d, %v, want w dropped", n, err)
	}
}

// Pages of entries that others hold do not hide those behind them.
func TestReclaimLooksThroughAllPages(t *testing.T) {
	t.Parallel()
	r := &rig{Queue: New(redistest.Start(t).Client(t), ""), t: t}
	ctx := t.Context()
	r.must(r.Prepare(ctx, lane))
	const n = reclaimPage + 50
	var items []check.Adoption
	for i := range n {
		id := "c" + string(rune('a'+i/26/26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
		text := specText(id, 1)
		items = append(items, check.Adoption{ID: id, Rev: "5-0", Spec: text, SHA: sha(text), First: int64(1 + i)})
	}
	_, err := r.Adopt(ctx, lane, items)
	r.must(err)
	for range n/DispatchMax + 1 {
		r.dispatch()
	}
	var entries []check.Entry
	for len(entries) < n {
		entries = append(entries, r.read("w")...)
	}
	for i := 0; i < n; i += 100 {
		r.lease("w/"+string(rune('a'+i/100)), entries[i:min(i+100, n)]...)
	}
	last := entries[n-1]
	r.expire(last.ID)
	for _, e := range entries {
		r.must(r.client.Do(ctx, "XCLAIM", r.KeyReady(lane), GroupWorkers, "w", 0, e.SID, "IDLE", 600_000, "JUSTID").Err())
	}
	if got := r.reclaim("v/b", time.Minute); len(got) != 1 || got[0].ID != last.ID {
		t.Fatalf("taken over %d, want %s alone", len(got), last.ID)
	}
}

// Entries that are gone leave the pending list.
func TestReclaimClearsWhatIsGone(t *testing.T) {
	t.Parallel()
	r := &rig{Queue: New(redistest.Start(t).Client(t), ""), t: t} // miniredis keeps deleted entries pending
	ctx := t.Context()
	r.must(r.Prepare(ctx, lane))
	leases := r.startAll(2, "w/a")
	r.must(r.client.XDel(ctx, r.KeyReady(lane), leases[0].SID).Err())
	for _, l := range leases {
		r.must(r.client.Do(ctx, "XCLAIM", r.KeyReady(lane), GroupWorkers, "w", 0, l.SID, "IDLE", 600_000, "JUSTID").Err())
	}
	if got := r.reclaim("v/b", time.Minute); len(got) != 0 || r.pending() != 1 {
		t.Fatalf("taken over %+v, %d pending, want nothing and the entry that is there", got, r.pending())
	}
}

// Release of what was leased and of what was only read, of others' and twice.
func TestReleaseKinds(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		leases := r.startAll(3, "w/a")
		r.set("read", 1, 1)
		r.dispatch()
		read := r.read("w")[0]
		before := r.pending()
		_, err := r.Remove(ctx, lane, check.Removal{ID: "c1", Rev: "9000-0"})
		r.must(err)
		r.must(r.client.ZAdd(ctx, r.KeyDue(lane), redis.Z{Score: 1, Member: "c2"}).Err())
		r.dispatch() // c2 is to run again after this run
		items := []check.Holding{
			{Entry: leases[0].Entry, Token: "w/a"}, {Entry: leases[1].Entry, Token: "w/a"}, {Entry: leases[2].Entry, Token: "w/other"},
			{Entry: leases[2].Entry}, {Entry: read}, {Entry: leases[2].Entry, Token: "w/a"},
		}
		want := []check.Outcome{check.OutcomeDone, check.OutcomeRemoved, check.OutcomeStale, check.OutcomeStale, check.OutcomeDone, check.OutcomeDone}
		out, err := r.Release(ctx, lane, items)
		r.must(err)
		for i := range want {
			if out[i] != want[i] {
				t.Errorf("release of item %d = %d, want %d", i, out[i], want[i])
			}
		}
		if r.ready() != 3 || r.pending() != before-4 {
			t.Errorf("%d entries, %d pending, want 3 and %d", r.ready(), r.pending(), before-4)
		}
		again, err := r.Release(ctx, lane, items)
		r.must(err)
		for i, o := range again {
			if o != check.OutcomeStale {
				t.Errorf("release once more of item %d = %d, want stale", i, o)
			}
		}
		if got := r.lease("v/b", r.read("v")...); len(got) != 3 || r.place("c1").Record.State != "removed" {
			t.Errorf("leases %+v, want three; c1 is %s", got, r.place("c1").Record.State)
		}
	})
}
