package redisqueue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// hand writes a text into the registry as a person does.
func (r *rig) hand(id, text string) {
	r.t.Helper()
	r.must(r.client.HSet(r.t.Context(), r.KeySpecs(lane), id, text).Err())
}

// A text that was written by hand and taken back again before repair saw it
// does not stay with a worker that came by in between.
func TestTextByHandIsNotKnownByTheOldRevision(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.set("web1", 1, r.now())
		r.hand("web1", specText("web1", 9))
		r.dispatch()
		l := r.lease("w/a", r.read("w")...)[0]
		if l.Spec != specText("web1", 9) || l.Rev != "" {
			t.Fatalf("lease = %+v, want the text that stands there, without a revision", l)
		}
		r.hand("web1", specText("web1", 1))
		if got := r.complete(done(l, r.now())); got[0] != check.OutcomeDone {
			t.Fatalf("complete = %v, want done", got)
		}
		eventually(t, func() bool { return r.dispatch().Moved == 1 })
		leases, _, err := r.Lease(ctx, check.LeaseRequest{
			Lane: lane, Worker: "w", Token: "w/b", Lease: time.Minute, Entries: r.read("w"), Revs: []string{l.Rev},
		})
		r.must(err)
		if len(leases) != 1 || leases[0].Spec != specText("web1", 1) || leases[0].Rev != "1001-0" {
			t.Fatalf("leases = %+v, want the text of revision 1001-0", leases)
		}
	})
}

// A spec that is missing or too long ends the run; nothing is recorded, and
// the check is put back for repair to find.
func TestLeaseWithoutSpecEnds(t *testing.T) {
	for name, text := range map[string]string{"missing": "", "too long": strings.Repeat("x", check.MaxSpec+1)} {
		t.Run(name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				r.set("odd", 1, r.now())
				r.set("good", 1, r.now())
				r.dispatch()
				if text == "" {
					r.must(r.client.HDel(t.Context(), r.KeySpecs(lane), "odd").Err())
				} else {
					r.hand("odd", text)
				}
				leases := r.lease("w/a", r.read("w")...)
				if len(leases) != 1 || leases[0].ID != "good" {
					t.Fatalf("leases = %v, want that of good alone", leases)
				}
				p := r.place("odd")
				if p.Record.State != "waiting" || p.Due < r.now()+20_000 || p.Last != "" || r.ready() != 1 {
					t.Errorf("place = %+v, want it waiting for about 30 s", p)
				}
				if n := r.client.XLen(t.Context(), r.KeyResults(lane)).Val(); n != 0 {
					t.Errorf("%d results, want none", n)
				}
			})
		})
	}
}

// One answer brings at most LeaseBytes of specs, or one spec; the rest goes
// back to the stream and comes with the next.
func TestLeaseBytes(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		const n = 30
		big := strings.Repeat("x", 60<<10)
		for i := range n {
			id := fmt.Sprintf("c%02d", i)
			text := fmt.Sprintf(`{"id":%q,"command":"tcp","every":"30s","meta":{"n":%q}}`, id, big)
			_, err := r.Adopt(t.Context(), lane, []check.Adoption{{ID: id, Rev: "5-0", Spec: text, SHA: sha(text), First: 1}})
			r.must(err)
		}
		r.dispatch()
		seen := map[string]bool{}
		for turn := 0; len(seen) < n && turn < n; turn++ {
			leases := r.lease(fmt.Sprintf("w/%d", turn), r.read("w")...)
			size := 0
			for _, l := range leases {
				size += len(l.Spec)
				if seen[l.ID] || l.Planned == 0 || l.Crashes != 0 {
					t.Errorf("lease of %s = planned %d, crashes %d, before: %v", l.ID, l.Planned, l.Crashes, seen[l.ID])
				}
				seen[l.ID] = true
			}
			if size > LeaseBytes || len(leases) == 0 {
				t.Fatalf("turn %d: %d leases with %d bytes, want some and at most %d", turn, len(leases), size, LeaseBytes)
			}
		}
		if len(seen) != n || r.ready() != n {
			t.Errorf("%d of %d checks were leased, %d entries", len(seen), n, r.ready())
		}
	})
}
