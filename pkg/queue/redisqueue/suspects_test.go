package redisqueue

import (
	"fmt"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A lease that ran out during an outage is taken over and tells nothing of its
// worker, not even of one that was suspected before.
func TestReclaimAfterOutage(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("web1", "w/a")
		req := check.LeaseRequest{Lane: lane, Worker: "v", Lease: time.Minute, Suspects: 1, Outage: true, Entries: []check.Entry{l.Entry}}
		for i, want := range []int{0, 0, 3} {
			if i == 2 {
				r.rewrite("web1", map[int]string{6: "3"})
			}
			r.expire("web1")
			req.Token = fmt.Sprintf("v/%d", i)
			got, later, err := r.Lease(t.Context(), req)
			if err != nil || len(got) != 1 || len(later) != 0 || got[0].Crashes != want || got[0].Reclaimed || got[0].Planned != l.Planned {
				t.Fatalf("Lease() = %+v, %+v, %v, want planned time %d, %d crashes and nobody to blame", got, later, err, l.Planned, want)
			}
		}
		r.expire("web1")
		req.Token, req.Outage = "v/last", false
		if got, _, err := r.Lease(t.Context(), req); err != nil || len(got) != 1 || got[0].Crashes != 4 || !got[0].Reclaimed {
			t.Errorf("Lease() without an outage = %+v, %v, want a fourth crash", got, err)
		}
	})
}

// Reclaim takes one suspect and names the others: they can be leased one after
// the other, without another look at the pending list.
func TestReclaimNamesTheOtherSuspects(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		const n = 5
		r.startAll(n, "w/a")
		ids, err := r.client.HKeys(ctx, r.KeyRuns(lane)).Result()
		r.must(err)
		for _, id := range ids {
			r.rewrite(id, map[int]string{5: "1", 6: "1"}) // its lease ran out, after an earlier crash
		}
		req := check.LeaseRequest{Lane: lane, Worker: "v", Token: "v/1", Lease: time.Millisecond, Suspects: 1}
		var leases []check.Lease
		var later []check.Entry
		eventually(t, func() bool {
			leases, later, err = r.Reclaim(ctx, req, 100)
			r.must(err)
			return len(leases)+len(later) > 0
		})
		if len(leases) != 1 || leases[0].Crashes != 2 || len(later) != n-1 {
			t.Fatalf("Reclaim() = %+v, %+v, want one lease and %d for later", leases, later, n-1)
		}
		for i, e := range later {
			req.Token, req.Lease, req.Entries = "v/2", time.Minute, later[i:i+1]
			got, _, err := r.Lease(ctx, req)
			if err != nil || len(got) != 1 || got[0].ID != e.ID || !got[0].Reclaimed || got[0].Crashes != 2 {
				t.Errorf("Lease(%s) = %+v, %v, want it taken over", e.ID, got, err)
			}
		}
	})
}
