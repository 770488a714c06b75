package redisqueue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// startAll leases checks c0, c1, ... in one call, in the order of their entries.
func (r *rig) startAll(n int, token string) []check.Lease {
	r.t.Helper()
	for i := range n {
		r.set(fmt.Sprintf("c%d", i), 1, int64(1+i))
	}
	r.dispatch()
	leases := r.lease(token, r.read("w")...)
	if len(leases) != n {
		r.t.Fatalf("%d leases, want %d", len(leases), n)
	}
	return leases
}

func (r *rig) pending() int {
	r.t.Helper()
	p, err := r.client.XPendingExt(r.t.Context(), &redis.XPendingExtArgs{
		Stream: r.KeyReady(lane), Group: GroupWorkers, Start: "-", End: "+", Count: 1000,
	}).Result()
	r.must(err)
	return len(p)
}

// Incidents, changes and crash counts go with the runs that they belong to, in
// the usual batch and in one where something has happened.
func TestCompleteExtras(t *testing.T) {
	for _, odd := range []bool{false, true} {
		t.Run(fmt.Sprintf("odd=%v", odd), func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				ctx := t.Context()
				leases := r.startAll(4, "w/a")
				items := make([]check.Completion, len(leases))
				for i, l := range leases {
					items[i] = done(l, r.now()+1000)
					items[i].IncidentID, items[i].Incident, items[i].Change = "default/"+l.ID+"/1", "{}", l.ID
				}
				items[3].IncidentID, items[3].Incident = "", ""
				items[3].Event = "" // the same as Last
				want := []check.Outcome{0, 0, 0, 0}
				changes := []string{"c0", "c1", "c2", "c3"}
				if odd { // c1 is another's by now, c2 was removed
					r.expire("c1")
					r.lease("v/b", leases[1].Entry)
					_, err := r.Remove(ctx, lane, check.Removal{ID: "c2", Rev: "9000-0"})
					r.must(err)
					want, changes = []check.Outcome{0, check.OutcomeStale, check.OutcomeRemoved, 0}, []string{"c0", "c3"}
				}
				if got := r.complete(items...); !slices.Equal(got, want) {
					t.Fatalf("complete = %v, want %v", got, want)
				}
				var told []string
				for _, m := range r.client.XRange(ctx, r.KeyChanges(lane), "-", "+").Val() {
					told = append(told, m.Values["event"].(string))
				}
				incidents, err := r.Incidents(ctx, lane)
				r.must(err)
				if !slices.Equal(told, changes) || len(incidents) != len(changes)-1 {
					t.Errorf("changes %q, incidents %v, want changes %q and an incident less", told, incidents, changes)
				}
				results := r.client.XRange(ctx, r.KeyResults(lane), "-", "+").Val()
				if len(results) != len(changes) {
					t.Fatalf("%d results, want %d", len(results), len(changes))
				}
				for i, m := range results {
					want := items[0].Event
					if i == len(results)-1 {
						want = items[3].Last
					}
					if m.Values["event"] != want {
						t.Errorf("result %d is %q, want %q", i, m.Values["event"], want)
					}
				}
			})
		})
	}
}

// The crash count is cleared by an ordinary completion and stays by one of a
// run that was not made; a run that was skipped records nothing.
func TestCompleteCrashCountsAndSkips(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keep=%v", keep), func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				leases := r.startAll(2, "w/a")
				for _, l := range leases {
					r.expire(l.ID)
				}
				leases = r.lease("w/b", leases[0].Entry, leases[1].Entry)
				skipped, ran := done(leases[0], r.now()+1000), done(leases[1], r.now()+1000)
				skipped.Last, skipped.Event = "", ""
				skipped.KeepCrashes, ran.KeepCrashes = keep, keep
				r.complete(skipped, ran)
				want := 0
				if keep {
					want = 1
				}
				for _, id := range []string{"c0", "c1"} {
					if p := r.place(id); p.Record.Crashes != want || p.Due == 0 || (p.Last == "") != (id == "c0") {
						t.Errorf("%s = %+v, want %d crashes", id, p, want)
					}
				}
				if n := r.client.XLen(t.Context(), r.KeyResults(lane)).Val(); n != 1 {
					t.Errorf("%d results, want one", n)
				}
			})
		})
	}
}

// Runs end in any order: entries of runs that go on, of runs that were only
// read and of those that nobody has read stay, whatever goes before them.
func TestCompleteClearsItsEntriesOnly(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		leases := r.startAll(8, "w/a")
		end := func(which ...int) {
			t.Helper()
			var items []check.Completion
			for _, i := range which {
				items = append(items, done(leases[i], r.now()+3600_000))
			}
			r.complete(items...)
		}
		want := func(left ...int) {
			t.Helper()
			var got, wanted []string
			for _, m := range r.client.XRange(ctx, r.KeyReady(lane), "-", "+").Val() {
				got = append(got, m.Values["id"].(string))
			}
			for _, i := range left {
				wanted = append(wanted, fmt.Sprintf("c%d", i))
			}
			if !slices.Equal(got, wanted) {
				t.Fatalf("entries of %v stay, want %v", got, wanted)
			}
		}
		end(2) // in the middle
		want(0, 1, 3, 4, 5, 6, 7)
		end(0, 4) // the first, and one in the middle
		want(1, 3, 5, 6, 7)
		r.set("c8", 1, 1)
		r.dispatch() // nobody has read it
		end(7, 1, 3, 5)
		want(6, 8)
		end(6)
		want(8)
		if got := r.lease("v/b", r.read("v")...); len(got) != 1 || r.pending() != 1 {
			t.Fatalf("leases %+v, %d pending, want c8", got, r.pending())
		}
	})
}

// The group was destroyed and made anew at 0 while runs go on: what the
// pending list does not know is deleted one by one, and nothing that others
// have to read.
func TestCompleteAfterTheGroupWasLost(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		leases := r.startAll(6, "w/a")
		r.set("new", 1, 1)
		r.dispatch()
		r.must(r.client.XGroupDestroy(ctx, r.KeyReady(lane), GroupWorkers).Err())
		r.must(r.Prepare(ctx, lane))
		some, err := r.Read(ctx, "v", []check.Lane{lane}, 2, 0) // c0 and c1 are delivered again
		r.must(err)
		if got := r.lease("v/b", some...); len(some) != 2 || len(got) != 0 {
			t.Fatalf("%d entries, leases %+v, want two entries and no lease: their owner lives", len(some), got)
		}
		for _, batch := range [][]check.Lease{leases[3:5], leases[0:2], leases[5:6], leases[2:3]} {
			var items []check.Completion
			for _, l := range batch {
				items = append(items, done(l, r.now()+3600_000))
			}
			for _, out := range r.complete(items...) {
				if out != check.OutcomeDone {
					t.Errorf("complete = %v, want done", out)
				}
			}
		}
		if r.ready() != 1 {
			t.Fatalf("%d entries stay, want that of new", r.ready())
		}
		if got := r.lease("v/c", r.read("v")...); len(got) != 1 || got[0].ID != "new" {
			t.Errorf("leases = %+v, want that of new", got)
		}
	})
}

// The stream was deleted, or the group is missing: a run that goes on still
// ends.
func TestCompleteWithoutStreamOrGroup(t *testing.T) {
	for _, what := range []string{"stream", "group"} {
		t.Run(what, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				l := r.start("a", "w/a")
				if what == "stream" {
					r.must(r.client.Del(t.Context(), r.KeyReady(lane)).Err())
				} else {
					r.must(r.client.XGroupDestroy(t.Context(), r.KeyReady(lane), GroupWorkers).Err())
				}
				if got := r.complete(done(l, r.now()+1000)); got[0] != check.OutcomeDone || r.place("a").Due == 0 || r.ready() != 0 {
					t.Errorf("complete = %v, %+v, %d entries", got, r.place("a"), r.ready())
				}
			})
		})
	}
}

// A renewed run is completed as well, and its repetition is known.
func TestCompleteAfterRenew(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("a", "w/a")
		out, err := r.Renew(t.Context(), lane, 5*time.Minute, []check.Holding{{Entry: l.Entry, Token: l.Token}})
		r.must(err)
		if out[0] != check.OutcomeDone || r.place("a").Record.Expiry < r.now()+4*60_000 {
			t.Fatalf("renew = %v, %+v", out, r.place("a").Record)
		}
		for range 2 {
			if got := r.complete(done(l, r.now()+1000)); got[0] != check.OutcomeDone {
				t.Errorf("complete = %v, want done", got)
			}
		}
		if n := r.client.XLen(t.Context(), r.KeyResults(lane)).Val(); n != 1 {
			t.Errorf("%d results, want one", n)
		}
	})
}
