package redisqueue

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// rewrite changes words of a check's run record, by their place.
func (r *rig) rewrite(id string, words map[int]string) {
	r.t.Helper()
	ctx := r.t.Context()
	text, err := r.client.HGet(ctx, r.KeyRuns(lane), id).Result()
	r.must(err)
	w := strings.Split(text, " ")
	for i, word := range words {
		w[i] = word
	}
	r.must(r.client.HSet(ctx, r.KeyRuns(lane), id, strings.Join(w, " ")).Err())
}

func (r *rig) reclaim(token string, lease time.Duration) []check.Lease {
	r.t.Helper()
	out, _, err := r.Reclaim(r.t.Context(), check.LeaseRequest{Lane: lane, Worker: "v", Token: token, Lease: lease, Suspects: 1}, 10)
	r.must(err)
	return out
}

// Workers of one zone may have leases of different lengths: one with short
// ones does not cut those of the others.
func TestShortLeasesDoNotCutLongOnes(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("web1", "w/a")
		end := r.place("web1").Record.Expiry
		eventually(t, func() bool { // until the entry has been pending for as long as that
			r.reclaim("v/b", time.Millisecond)
			p, err := r.client.XPendingExt(t.Context(), &redis.XPendingExtArgs{
				Stream: r.KeyReady(lane), Group: GroupWorkers, Start: "-", End: "+", Count: 1,
			}).Result()
			r.must(err)
			return p[0].Idle > 20*time.Millisecond
		})
		if got := r.reclaim("v/c", time.Millisecond); len(got) != 0 {
			t.Fatalf("taken over %+v, want nothing: the lease of the owner holds", got)
		}
		if rec := r.place("web1").Record; rec.Owner != l.Token || rec.Expiry != end {
			t.Fatalf("record = %+v, want the lease as it was, to %d", rec, end)
		}
	})
}

// The server's clock was set back by an hour while a check ran: its entry and
// the end of its lease stand in the future. When its worker is lost another
// one gets it after a lease by the new clock, not an hour later.
func TestLeaseFromTheFutureIsCut(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		ahead := r.now() + 3600_000
		r.set("web1", 1, r.now()+60_000)
		sid := strconv.FormatInt(ahead, 10) + "-0"
		r.must(r.client.Do(ctx, "XADD", r.KeyReady(lane), sid, "id", "web1", "due", ahead).Err())
		r.rewrite("web1", map[int]string{0: "q", 2: strconv.FormatInt(ahead, 10), 3: sid})
		r.must(r.client.ZRem(ctx, r.KeyDue(lane), "web1").Err())
		if got := r.lease("w/a", r.read("w")...); len(got) != 1 {
			t.Fatalf("leases = %+v, want one", got)
		}
		r.rewrite("web1", map[int]string{5: strconv.FormatInt(ahead+60_000, 10)})

		lease := 200 * time.Millisecond
		if got := r.reclaim("v/b", lease); len(got) != 0 {
			t.Fatalf("taken over at once: %+v", got)
		}
		if end := r.place("web1").Record.Expiry; end > r.now()+lease.Milliseconds() {
			t.Fatalf("the lease ends in %d ms, want it cut to %s", end-r.now(), lease)
		}
		var got []check.Lease
		eventually(t, func() bool { got = r.reclaim("v/c", lease); return len(got) == 1 })
		r.complete(done(got[0], r.now()+1000))

		// The next run is planned later still.
		r.must(r.client.ZIncrBy(ctx, r.KeyDue(lane), -5000, "web1").Err())
		r.dispatch()
		next := r.lease("v/d", r.read("v")...)
		if len(next) != 1 || next[0].Planned != ahead+1 {
			t.Fatalf("next lease %+v, want it planned at %d", next, ahead+1)
		}
	})
}

// A lease longer than any that there is comes from a clock that was set back,
// or from junk: repair shortens it.
func TestRepairShortensLongLeases(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.start("web1", "w/a")
		r.rewrite("web1", map[int]string{5: strconv.FormatInt(r.now()+3600_000, 10)})
		if kind := r.repairPass("web1", specText("web1", 1)); kind != "long_lease" {
			t.Fatalf("repair found %q, want long_lease", kind)
		}
		if end := r.place("web1").Record.Expiry; end > r.now()+maxLease.Milliseconds() {
			t.Fatalf("the lease ends in %d ms, want at most %s", end-r.now(), maxLease)
		}
	})
}

// A due time that the old clock gave is pulled back.
func TestRepairPullsDueTimesBack(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.set("web1", 1, r.now()+3600_000)
		if kind := r.repairPass("web1", specText("web1", 1)); kind != check.FindingFar {
			t.Fatalf("repair found %q, want far", kind)
		}
		if due := r.place("web1").Due; due > r.now()+60_000 {
			t.Fatalf("due in %d ms, want within 60 s", due-r.now())
		}
	})
}

// A due time that is no time is pulled back even where any time may be right:
// a one-shot by a hand's ZADD inf would never run.
func TestRepairPullsInfinityBack(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.set("once", 1, r.now()+1000)
		text := specText("once", 1)
		for _, score := range []float64{math.Inf(1), 1e300, 1.7e15} {
			r.must(r.client.ZAdd(t.Context(), r.KeyDue(lane), redis.Z{Score: score, Member: "once"}).Err())
			item := check.RepairItem{ID: "once", SHA: sha(text), Place: r.now() + 2000}
			found, err := r.Repair(t.Context(), lane, []check.RepairItem{item}, true)
			r.must(err)
			if len(found) != 1 || found[0].Kind != check.FindingFar || r.place("once").Due != item.Place {
				t.Errorf("score %v: repair finds %+v, due at %d", score, found, r.place("once").Due)
			}
		}
	})
}
