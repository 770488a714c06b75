package worker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Behind an outage a worker asks for leases as one that cannot know whether the
// owners of others are lost, until all leases of before have run out.
func TestLeaseBehindOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		gone := q.canGo()
		w := start(t, q, func(c *Config) { c.Lease = 9 * time.Second })
		asked := func(id string) bool {
			t.Helper()
			q.mu.Lock()
			before := len(q.requests)
			q.mu.Unlock()
			q.put(id, specOf(id, "fine", ""))
			pass(100 * time.Millisecond)
			q.mu.Lock()
			defer q.mu.Unlock()
			if len(q.requests) != before+1 {
				t.Fatalf("%d requests for %s, want one", len(q.requests)-before, id)
			}
			return q.requests[before].Outage
		}
		if asked("before") {
			t.Error("an outage before there was one")
		}
		gone.Store(true)
		pass(time.Minute)
		gone.Store(false)
		pass(2 * longPause) // the loops are back
		for _, tt := range []struct {
			id   string
			wait time.Duration
			want bool
		}{{"soon", 0, true}, {"after a lease", 9 * time.Second, true}, {"after three", 18 * time.Second, false}} {
			pass(tt.wait)
			if got := asked(tt.id); got != tt.want {
				t.Errorf("%s: outage = %v, want %v", tt.id, got, tt.want)
			}
		}
		w.stop()
	})
}

// One lane that is away blames nobody in that lane alone, and a key of the wrong
// type is no outage.
func TestLeaseBesideDeadLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		away, odd := check.Lane{Zone: lane.Zone, Part: 1}, check.Lane{Zone: lane.Zone, Part: 2}
		q.lanes = append(q.lanes, away, odd)
		q.onReclaim = func(l check.Lane) error {
			switch l {
			case away:
				return errAway
			case odd:
				return replyError("WRONGTYPE Operation against a key holding the wrong kind of value")
			}
			return nil
		}
		w := start(t, q, nil)
		pass(10 * time.Minute)
		for lane, want := range map[check.Lane]bool{lane: false, away: true, odd: false} {
			if got := w.request(lane, nil, nil).Outage; got != want {
				t.Errorf("a lease in %s: outage = %v, want %v", lane, got, want)
			}
		}
		w.stop()
	})
}

// What runs as soon as the queue is back is told within its lease, however long
// the queue was away.
func TestLeaseHoldsBehindOutage(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	for away := 10 * time.Second; away < 20*time.Second; away += 100 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			q := newFake()
			gone := q.canGo()
			var leased, told time.Time // of the check behind the outage
			q.onLease = func(req check.LeaseRequest) error {
				if gone.Load() {
					return errAway
				}
				if req.Entries[0].ID == "behind" {
					leased = time.Now()
				}
				return nil
			}
			q.onComplete = func(items []check.Completion) error {
				if gone.Load() {
					return errAway
				}
				if slices.ContainsFunc(items, func(c check.Completion) bool { return c.ID == "behind" }) {
					told = time.Now()
				}
				return nil
			}
			w := start(t, q, func(c *Config) { c.Lease = lease })
			q.put("before", specOf("before", "second", ""))
			pass(100 * time.Millisecond)
			gone.Store(true)
			q.put("behind", specOf("behind", "fine", ""))
			pass(away)
			gone.Store(false)
			pass(2 * longPause)
			if took := told.Sub(leased); leased.IsZero() || told.IsZero() || took >= lease {
				t.Errorf("an outage of %s: the run behind it was told %s after its lease, want less than %s", away, took, lease)
			}
			w.stop()
		})
	}
}
