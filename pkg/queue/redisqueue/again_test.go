package redisqueue

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// A worker whose call got no answer asks again with the same token, and counts
// its lease from then: so the lease must begin anew, or another worker takes
// the check while this one still runs it.
func TestLeaseRepeatedBeginsAnew(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		l := r.start("a", "w/a")
		words := strings.Split(l.Record, " ")
		words[5] = "5" // long ago
		r.must(r.client.HSet(ctx, r.KeyRuns(lane), "a", strings.Join(words, " ")).Err())
		asked := r.now()
		again := r.lease("w/a", l.Entry)
		if len(again) != 1 || again[0].Record != r.client.HGet(ctx, r.KeyRuns(lane), "a").Val() {
			t.Fatalf("leases = %+v, want the one that stands there", again)
		}
		if got := r.place("a").Record; got.Expiry < asked+time.Minute.Milliseconds() || got.Owner != "w/a" || got.Crashes != 0 {
			t.Errorf("record %+v, want a lease of a minute from %d on", got, asked)
		}
	})
}

// The repeated call gives no second suspect beside the one that it gave before.
func TestLeaseRepeatedKeepsOneSuspect(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.set("a", 1, 1)
		r.set("b", 1, 1)
		r.dispatch()
		entries := r.read("w")
		for _, id := range []string{"a", "b"} {
			words := strings.Split(r.client.HGet(ctx, r.KeyRuns(lane), id).Val(), " ")
			words[6] = "2"
			r.must(r.client.HSet(ctx, r.KeyRuns(lane), id, strings.Join(words, " ")).Err())
		}
		for range 2 {
			if got := r.lease("w/a", entries...); len(got) != 1 || got[0].ID != "a" {
				t.Errorf("leases = %+v, want that of a alone", got)
			}
		}
	})
}

// What happened to the check between the two calls holds at its completion.
func TestLeaseRepeatedAfterChange(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *rig)
		ok     func(p Place, now int64) bool
	}{
		"paused": {
			func(r *rig) {
				text := specText("a", 2)
				out, err := r.Adopt(r.t.Context(), lane, []check.Adoption{{ID: "a", Rev: "9000-0", Spec: text, SHA: sha(text), OldSHA: sha(specText("a", 1)), Paused: true, First: 1}})
				r.must(err)
				if out[0] != check.AdoptChanged {
					r.t.Fatalf("Adopt() = %v", out)
				}
			},
			func(p Place, _ int64) bool { return p.Record.State == "waiting" && p.Record.Paused && p.Due == 0 },
		},
		"made due by hand": {
			func(r *rig) {
				r.must(r.client.ZAdd(r.t.Context(), r.KeyDue(lane), redis.Z{Score: 0, Member: "a"}).Err())
				r.dispatch()
			},
			func(p Place, now int64) bool { return p.Record.State == "waiting" && p.Due > 0 && p.Due <= now },
		},
		"removed": {
			func(r *rig) {
				_, err := r.Remove(r.t.Context(), lane, check.Removal{ID: "a", Rev: "9000-0"})
				r.must(err)
			},
			func(p Place, _ int64) bool { return p.Record.State == "removed" && p.Record.Owner == "" && p.Due == 0 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				l := r.start("a", "w/a")
				c.change(r)
				if again := r.lease("w/a", l.Entry); len(again) == 1 {
					r.complete(done(again[0], r.now()+60_000))
				}
				if p := r.place("a"); !c.ok(p, r.now()) {
					t.Errorf("the check stands %+v", p)
				}
			})
		})
	}
}

// A check that was removed between the two calls is not run, not even when
// somebody has put a text into the registry again: that one is a new check.
func TestLeaseRepeatedOfARemovedCheck(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("a", "w/a")
		_, err := r.Remove(t.Context(), lane, check.Removal{ID: "a", Rev: "9000-0"})
		r.must(err)
		r.hand("a", specText("a", 2))
		if again := r.lease("w/a", l.Entry); len(again) != 0 {
			t.Errorf("leases = %+v, want none", again)
		}
		if rec := r.place("a").Record; rec.State != "removed" || rec.Owner != "" || r.ready() != 0 {
			t.Errorf("record = %+v, %d entries, want it free", rec, r.ready())
		}
	})
}

// A check that was edited and made due, whose lease was asked for again while
// a text by hand stood there, is put back when its worker says.
func TestLeaseRepeatedOfATextByHand(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("a", "w/a")
		r.set("a", 2, 5) // the first slot of the new schedule
		r.must(r.client.ZAdd(t.Context(), r.KeyDue(lane), redis.Z{Score: 0, Member: "a"}).Err())
		r.dispatch()
		r.hand("a", specText("a", 3))
		again := r.lease("w/a", l.Entry)
		if len(again) != 1 || again[0].Rev != "" {
			t.Fatalf("leases = %+v, want one without a revision", again)
		}
		next := r.now() - 1 // sooner than at once, which is what the hand asked for
		if r.complete(done(again[0], next)); r.place("a").Due != next {
			t.Errorf("due at %d, want %d: the run was of the edit", r.place("a").Due, next)
		}
	})
}
