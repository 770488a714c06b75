package redisqueue

import (
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// adoptHand puts a text into the registry and adopts it as repair does.
func (r *rig) adoptHand(id, text string) {
	r.t.Helper()
	ctx := r.t.Context()
	r.must(r.client.HSet(ctx, r.KeySpecs(lane), id, text).Err())
	out, err := r.Adopt(ctx, lane, []check.Adoption{{ID: id, Spec: text, SHA: sha(text), OldSHA: sha(text), First: 1}})
	r.must(err)
	if out[0] != check.AdoptNew && out[0] != check.AdoptChanged {
		r.t.Fatalf("Adopt() = %v", out)
	}
}

// A revision never comes back with another text, not even when the records
// were lost: workers that know the revision would run the text that they know.
func TestRevisionOfHandEditsNeverComesBack(t *testing.T) {
	for name, lose := range map[string]string{"all records": "", "the record, as a tombstone's time ends": "a"} {
		t.Run(name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				ctx := t.Context()
				old := specText("a", 1)
				r.adoptHand("a", old)
				known := r.place("a").Record.Rev
				r.adoptHand("a", specText("a", 2))
				if lose == "" {
					r.must(r.client.Del(ctx, r.KeyRuns(lane)).Err())
				} else {
					r.must(r.client.HDel(ctx, r.KeyRuns(lane), lose).Err())
				}
				started := r.now()
				eventually(t, func() bool { return r.now() > started })
				r.adoptHand("a", specText("a", 2))
				eventually(t, func() bool { return r.dispatch().Moved == 1 })
				leases, _, err := r.Lease(ctx, check.LeaseRequest{
					Lane: lane, Worker: "w", Token: "w/a", Lease: time.Minute, Entries: r.read("w"), Revs: []string{known},
				})
				r.must(err)
				if len(leases) != 1 || leases[0].Spec != specText("a", 2) {
					t.Errorf("leases = %+v, want one that brings the new text to a worker that knows revision %s of the old one", leases, known)
				}
				// Every later request beats it.
				if out := r.set("a", 3, 1); out != check.AdoptChanged {
					t.Errorf("set = %v, want changed", out)
				}
			})
		})
	}
}
