package redisqueue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestCycle(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		now := r.now()
		if got := r.set("web1", 1, now); got != check.AdoptNew {
			t.Fatalf("set = %s, want new", got)
		}
		if p := r.place("web1"); p.Due != now || p.Record.State != "waiting" {
			t.Fatalf("place = %+v, want waiting at %d", p, now)
		}
		d := r.dispatch()
		if d.Moved != 1 || d.Next != -1 {
			t.Fatalf("dispatch = %+v, want one moved and none left", d)
		}
		entries := r.read("w")
		l := r.lease("w/a", entries...)[0]
		if l.Planned != now || l.Spec != specText("web1", 1) || l.Rev != "1001-0" || l.Last != "" {
			t.Fatalf("lease = %+v, want planned %d, the spec and rev 1001-0", l, now)
		}
		if got := r.complete(done(l, now+30000)); got[0] != check.OutcomeDone {
			t.Fatalf("complete = %v, want done", got)
		}
		if got := r.complete(done(l, now+30000)); got[0] != check.OutcomeDone {
			t.Fatalf("repeated complete = %v, want done", got)
		}
		p := r.place("web1")
		if p.Due != now+30000 || p.Last != `{"state":"OK"}` || r.ready() != 0 {
			t.Fatalf("after complete: %+v, ready %d", p, r.ready())
		}
		if n := r.client.XLen(t.Context(), r.KeyResults(lane)).Val(); n != 1 {
			t.Fatalf("results = %d entries, want 1", n)
		}
	})
}

func TestLeaseSendsSpecOnce(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.set("web1", 1, r.now())
		r.dispatch()
		req := check.LeaseRequest{Lane: lane, Token: "w/a", Lease: time.Minute, Entries: r.read("w"), Revs: []string{"1001-0"}}
		leases, _, err := r.Lease(t.Context(), req)
		r.must(err)
		if leases[0].Spec != "" {
			t.Fatalf("spec = %q, want none: the worker has revision 1001-0", leases[0].Spec)
		}
	})
}

func TestStaleOwnerChangesNothing(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("web1", "w/a")
		r.expire("web1")
		second := r.lease("v/b", l.Entry)
		if len(second) != 1 || !second[0].Reclaimed || second[0].Crashes != 1 {
			t.Fatalf("second lease = %+v, want it taken over with one crash", second)
		}
		before := r.place("web1")
		if got := r.complete(done(l, 1)); got[0] != check.OutcomeStale {
			t.Fatalf("complete of the first owner = %v, want stale", got)
		}
		renewed, err := r.Renew(t.Context(), lane, time.Minute, []check.Holding{{Entry: l.Entry, Token: l.Token}})
		r.must(err)
		released, err := r.Release(t.Context(), lane, []check.Holding{{Entry: l.Entry, Token: l.Token}})
		r.must(err)
		if renewed[0] != check.OutcomeStale || released[0] != check.OutcomeStale {
			t.Fatalf("renew = %v, release = %v, want stale", renewed, released)
		}
		if after := r.place("web1"); after != before {
			t.Fatalf("place = %+v, want it as before: %+v", after, before)
		}
		if got := r.complete(done(second[0], r.now()+1000)); got[0] != check.OutcomeDone || r.place("web1").Record.Crashes != 0 {
			t.Fatalf("complete of the second owner = %v, record %+v", got, r.place("web1").Record)
		}
	})
}

func TestDispatchGuards(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		l := r.start("web1", "w/a")
		zadd := func(id string, score float64) {
			r.must(r.client.ZAdd(ctx, r.KeyDue(lane), redis.Z{Score: score, Member: id}).Err())
		}
		zadd("web1", 0)
		zadd("nobody", 0)
		d := r.dispatch()
		if d.Moved != 0 || len(d.Dropped) != 1 || d.Dropped[0] != "nobody" {
			t.Fatalf("dispatch = %+v, want nothing moved and nobody dropped", d)
		}
		if !r.place("web1").Record.Again {
			t.Fatal("a running check that is made due runs again after its run")
		}
		r.complete(done(l, r.now()+3600_000))
		if p := r.place("web1"); p.Due > r.now() {
			t.Fatalf("due = %d, want now", p.Due)
		}
		if d = r.dispatch(); d.Moved != 1 {
			t.Fatalf("dispatch = %+v, want one moved", d)
		}
		next := r.lease("w/b", r.read("w")...)[0]
		if next.Planned <= l.Planned {
			t.Fatalf("planned = %d after %d, want it later", next.Planned, l.Planned)
		}
		zadd("web1", 5) // seconds, or a slip of the finger: runs once more
		if r.complete(done(next, r.now()+3600_000)); r.place("web1").Due != 5 {
			t.Fatalf("due = %d, want the earlier score 5", r.place("web1").Due)
		}
	})
}

func TestPauseAndRemove(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		pause := func(id string) {
			t.Helper()
			old := r.place(id).Spec
			r.rev++
			text := old[:len(old)-1] + `,"paused":true}`
			out, err := r.Adopt(ctx, lane, []check.Adoption{{
				ID: id, Rev: fmt.Sprintf("%d-0", 1000+r.rev), Spec: text, SHA: sha(text), OldSHA: sha(old), Paused: true, First: r.now(),
			}})
			r.must(err)
			if out[0] != check.AdoptChanged {
				t.Fatalf("pause = %v, want changed", out)
			}
		}
		r.set("waits", 1, r.now()+60_000)
		pause("waits")
		if p := r.place("waits"); p.Due != 0 || !p.Record.Paused {
			t.Fatalf("paused waiting check: %+v, want it out of due", p)
		}
		if out, err := r.RunNow(ctx, lane, "waits", "9999-0"); err != nil || out != check.AdoptPaused {
			t.Fatalf("run of a paused check = %v, %v, want paused", out, err)
		}

		r.set("queued", 1, r.now())
		r.dispatch()
		pause("queued")
		if got := r.lease("w/a", r.read("w")...); len(got) != 0 || r.ready() != 0 {
			t.Fatalf("lease of a paused check = %v, ready %d, want it discarded", got, r.ready())
		}

		l := r.start("runs", "w/b")
		pause("runs")
		if got := r.complete(done(l, r.now())); got[0] != check.OutcomeDone || r.place("runs").Due != 0 {
			t.Fatalf("complete = %v, due %d, want done and not due again", got, r.place("runs").Due)
		}

		l = r.start("gone", "w/c")
		out, err := r.Remove(ctx, lane, check.Removal{ID: "gone", Rev: "5000-0"})
		r.must(err)
		if out != check.AdoptChanged {
			t.Fatalf("remove = %v, want changed", out)
		}
		old, err := r.Adopt(ctx, lane, []check.Adoption{{ID: "gone", Rev: "4999-9", Spec: "{}", SHA: sha("{}"), First: r.now()}})
		r.must(err)
		if old[0] != check.AdoptOlder {
			t.Fatalf("older set = %v, want older", old)
		}
		anew, err := r.Adopt(ctx, lane, []check.Adoption{{ID: "gone", Rev: "5001-0", Spec: "{}", SHA: sha("{}"), First: r.now()}})
		r.must(err)
		if anew[0] != check.AdoptNew || !r.place("gone").Record.Void {
			t.Fatalf("newer set = %v, %+v, want new, to run when the old run ended", anew, r.place("gone").Record)
		}
		if got := r.complete(done(l, r.now()+1000)); got[0] != check.OutcomeRemoved {
			t.Fatalf("complete of the removed check = %v, want removed", got)
		}
		if p := r.place("gone"); p.Last != "" || p.Due == 0 || p.Due > r.now() {
			t.Fatalf("place = %+v, want it due now without a last record", p)
		}
	})
}

func TestReclaim(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		for _, id := range []string{"a", "b"} {
			r.set(id, 1, r.now())
		}
		r.dispatch()
		entries := r.read("dead")
		req := check.LeaseRequest{Lane: lane, Worker: "dead", Token: "dead/1", Lease: 20 * time.Millisecond, Entries: entries[:1], Suspects: 1}
		_, _, err := r.Lease(ctx, req) // one leased, one only delivered
		r.must(err)
		req.Worker, req.Token, req.Entries = "alive", "alive/1", nil
		var got []check.Lease
		seen := map[string]bool{}
		eventually(t, func() bool {
			more, _, err := r.Reclaim(ctx, req, 10)
			r.must(err)
			for _, l := range more { // on a slow machine this lease runs out as well
				if !seen[l.ID] {
					got = append(got, l)
				}
				seen[l.ID] = true
			}
			return len(got) == 2
		})
		slices.SortFunc(got, func(a, b check.Lease) int { return strings.Compare(a.ID, b.ID) })
		if got[0].Crashes != 1 || got[1].Crashes != 0 || !got[0].Reclaimed || got[1].Reclaimed {
			t.Fatalf("reclaimed %+v, want both, one crash for the leased one only", got)
		}
	})
}

func TestSuspectsOneAtATime(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		for _, id := range []string{"a", "b"} {
			r.set(id, 1, r.now())
		}
		r.dispatch()
		entries := r.read("w")
		for range 2 {
			r.lease(fmt.Sprintf("w/%d", time.Now().UnixNano()), entries...)
			for _, e := range entries {
				r.expire(e.ID)
			}
		}
		// The third look: both have one crash and get their second.
		leases, later, err := r.Lease(t.Context(), check.LeaseRequest{
			Lane: lane, Token: "w/last", Lease: time.Minute, Suspects: 1, Entries: entries,
		})
		r.must(err)
		if len(leases) != 1 || len(later) != 1 || leases[0].Crashes != 2 {
			t.Fatalf("leases %+v, later %+v, want one suspect taken and one left", leases, later)
		}
	})
}

func TestRelease(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("web1", "w/a")
		out, err := r.Release(t.Context(), lane, []check.Holding{{Entry: l.Entry, Token: l.Token}})
		r.must(err)
		if out[0] != check.OutcomeDone || r.ready() != 1 {
			t.Fatalf("release = %v, ready %d, want done and one entry", out, r.ready())
		}
		again := r.lease("v/b", r.read("v")...)
		if len(again) != 1 || again[0].Planned != l.Planned || again[0].Crashes != 0 {
			t.Fatalf("lease after release = %+v, want the same planned time %d and no crash", again, l.Planned)
		}
	})
}

func TestOneShot(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("once", "w/a")
		r.complete(done(l, 0))
		if p := r.place("once"); p.Record.State != "done" || p.Due != 0 {
			t.Fatalf("place = %+v, want done", p)
		}
		found := r.sweep(true)
		if len(found) != 1 || found[0].Kind != check.FindingDone || !found[0].Open {
			t.Fatalf("sweep = %v, want done, open", found)
		}
		out, err := r.Remove(t.Context(), lane, check.Removal{ID: "once", Last: `{"state":"OK"}`})
		r.must(err)
		if out != check.AdoptChanged || r.place("once").Record.State != "removed" {
			t.Fatalf("remove = %v, %+v", out, r.place("once"))
		}
	})
}

func TestRemoveMissingBlocksOlder(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		out, err := r.Remove(t.Context(), lane, check.Removal{ID: "x", Rev: "2000-0"})
		r.must(err)
		if out != check.AdoptMissing {
			t.Fatalf("remove = %v, want missing", out)
		}
		if got := r.set("x", 1, 1); got != check.AdoptOlder {
			t.Fatalf("set with an older revision = %v, want older", got)
		}
	})
}

func TestWrongTypeIsNamed(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.set("web1", 1, r.now())
		r.must(r.client.Rename(ctx, r.KeyRuns(lane), "kept").Err())
		r.must(r.client.Set(ctx, r.KeyRuns(lane), "junk", 0).Err())
		_, err := r.Dispatch(ctx, lane, 0)
		if err == nil || !strings.Contains(err.Error(), r.KeyRuns(lane)+" is a string, want a hash") {
			t.Fatalf("dispatch = %v, want an error that names the key", err)
		}
		r.must(r.client.Rename(ctx, "kept", r.KeyRuns(lane)).Err())
		if d := r.dispatch(); d.Moved != 1 {
			t.Fatalf("dispatch afterwards = %+v, want nothing lost", d)
		}
	})
}

func TestBadRecordFailsItsItemOnly(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.set("bad", 1, r.now())
		r.set("good", 1, r.now())
		r.dispatch()
		leases := r.lease("w/a", r.read("w")...)
		r.must(r.client.HSet(ctx, r.KeyRuns(lane), "bad", "junk").Err())
		out := r.complete(done(leases[0], 1), done(leases[1], 1))
		if out[0] != check.OutcomeBad || out[1] != check.OutcomeDone {
			t.Fatalf("complete = %v, want bad and done", out)
		}
		items := []check.RepairItem{{ID: "bad", SHA: sha(specText("bad", 1))}}
		for _, want := range []string{"bad_record", check.FindingHand} {
			found, err := r.Repair(ctx, lane, items, true)
			r.must(err)
			if len(found) != 1 || found[0].Kind != want {
				t.Fatalf("repair = %v, want %s", found, want)
			}
		}
	})
}
