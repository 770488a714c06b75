package worker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// refusal is an error that the queue answered, not one of the way to it.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) RedisError()     {}

// A lane in which a key was made something else neither keeps the slots nor
// stops the reading of the others.
func TestBrokenLaneLeavesTheOthersRoom(t *testing.T) {
	t.Parallel()
	for _, move := range []string{"lease", "complete"} {
		t.Run(move, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newFake()
				broken := check.Lane{Zone: "broken"}
				q.lanes = append(q.lanes, broken)
				for i := range 5000 {
					id := fmt.Sprint("x", i)
					q.specs[id] = specOf(id, "fine", "")
					q.ready = append(q.ready, check.Entry{Lane: broken, SID: "1-" + id, ID: id, Planned: q.now()})
				}
				bad := fmt.Errorf("%s: %w", move, refusal("WRONGTYPE key last is a string, want a hash"))
				q.onLease = func(req check.LeaseRequest) error {
					if move == "lease" && req.Lane == broken {
						return bad
					}
					return nil
				}
				q.onComplete = func(items []check.Completion) error {
					if move == "complete" && items[0].Lane == broken {
						return bad
					}
					return nil
				}
				w := start(t, q, nil)
				pass(2 * time.Minute)
				for i := range 10 {
					id := fmt.Sprint("a", i)
					q.put(id, specOf(id, "fine", ""))
				}
				pass(20 * time.Second)
				if n := len(q.completions()); n != 10 {
					t.Errorf("%d completions of the lane that works, want 10", n)
				}
				leased := 0 // not all 5000: a lane that refuses rests
				for _, req := range q.requests {
					if req.Lane == broken {
						leased += len(req.Entries)
					}
				}
				// Those at hand, one for each slot, are on their way back.
				if n := len(q.released); move == "complete" && (leased < 1000 || n < leased-100) {
					t.Errorf("%d of %d runs of the broken lane are handed back, want all: a lease that runs out is a crash", n, leased)
				}
				w.stop()
			})
		})
	}
}
