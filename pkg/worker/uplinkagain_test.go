package worker

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// The incident about a worker that is still cut off comes back: the same one when
// it was lost, a new one when it was resolved since the worker was taken for gone.
func TestUplinkIncidentIsRaisedAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		harm string // what stands in the place of the incident
		anew bool
	}{{"lost", "", false}, {"resolved by another", `{"resolved":1}`, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, c := newFake(), &cable{}
				s := startOn(t, q, c)
				c.cut.Store(true)
				pass(3 * ownEvery)
				wantRaised(t, q, 1)
				first := q.raised[0].ID
				q.mu.Lock()
				q.incidents[first] = tt.harm
				q.mu.Unlock()
				pass(3 * ownEvery)
				if len(q.raised) != 2 || (q.raised[1].ID != first) != tt.anew {
					t.Fatalf("raised %+v, want one more, with an id of its own: %v", q.raised, tt.anew)
				}
				c.cut.Store(false)
				pass(time.Minute)
				s.stop()
				for id, text := range q.incidents {
					var inc check.Incident
					if err := json.Unmarshal([]byte(text), &inc); err != nil || inc.Resolved == 0 {
						t.Errorf("%s is open at the end: %s, %v", id, text, err)
					}
				}
				if len(q.raised) != 3 {
					t.Errorf("raised %+v, want two that open and one that resolves", q.raised)
				}
			})
		})
	}
}
