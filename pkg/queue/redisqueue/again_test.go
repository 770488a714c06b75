package redisqueue

import (
	"strings"
	"testing"
	"time"
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
