package worker

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func manyLanes(n int) []check.Lane {
	lanes := make([]check.Lane, n)
	for i := range lanes {
		lanes[i] = check.Lane{Zone: "a", Part: i}
	}
	return lanes
}

// putIn queues a check in a lane.
func (f *fake) putIn(l check.Lane, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.specs[id] = specOf(id, "fine", "")
	f.ready = append(f.ready, check.Entry{Lane: l, SID: "1-" + id, ID: id, Planned: f.now()})
}

// However many lanes there are, and however few slots, each is read in turn;
// the reads that wait at once, each on a connection, are bounded.
func TestManyLanesReadApart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ lanes, slots int }{{3, 100}, {40, 5}, {200, 1000}, {200, 1}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newFake()
				q.lanes = manyLanes(tt.lanes)
				at, most := 0, 0
				q.onRead = func(lanes []check.Lane, _ int) error {
					q.mu.Lock()
					defer q.mu.Unlock()
					if len(lanes) != 1 {
						t.Errorf("one call reads %v", lanes)
					}
					at++
					most = max(most, at)
					return nil
				}
				q.onReadEnd = func() { q.mu.Lock(); at--; q.mu.Unlock() }
				w := start(t, q, func(c *Config) { c.ReadApart, c.Slots, c.Zones = true, tt.slots, []string{"a"} })
				pass(10 * time.Second)
				for i, l := range q.lanes {
					q.putIn(l, fmt.Sprint("c", i))
				}
				pass(10 * time.Second)
				if n := len(q.completions()); n != tt.lanes {
					t.Errorf("%d of %d lanes were served within 10 s", n, tt.lanes)
				}
				if most > MaxReaders {
					t.Errorf("%d reads waited at once, want at most %d", most, MaxReaders)
				}
				w.stop()
			})
		})
	}
}

// Lanes that come and go are served and left while the worker runs.
func TestLanesComeAndGo(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		t.Run(fmt.Sprint(apart), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newFake()
				set := func(n int) {
					q.mu.Lock()
					defer q.mu.Unlock()
					q.lanes = manyLanes(n)
				}
				set(1)
				w := start(t, q, func(c *Config) { c.ReadApart, c.Zones = apart, []string{"a"} })
				total := 0
				for _, n := range []int{1, 8, 100, 2} {
					set(n)
					pass(3 * time.Second)
					for i := range n {
						q.putIn(manyLanes(n)[i], fmt.Sprintf("n%d-%d", n, i))
					}
					total += n
					pass(3 * time.Second)
					if got := len(q.completions()); got != total {
						t.Errorf("%d lanes: %d checks ran, want %d", n, got, total)
					}
				}
				q.putIn(manyLanes(8)[7], "nobody's")
				pass(5 * time.Second)
				if got := len(q.completions()); got != total {
					t.Error("a lane that is gone is read")
				}
				w.stop()
			})
		})
	}
}

// A lane whose results are refused for good is left alone for longer and
// longer: its checks do not run again and again for nothing. When it takes
// results again all is as before.
func TestRefusedLaneRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		refused, broken := 0, true
		q.onComplete = func(items []check.Completion) error {
			q.mu.Lock()
			defer q.mu.Unlock()
			if !broken {
				return nil
			}
			refused++
			return refusal("WRONGTYPE key last is a string, want a hash")
		}
		q.onRelease = func(items []check.Holding) error {
			q.mu.Lock()
			defer q.mu.Unlock()
			for _, it := range items {
				delete(q.owner, it.SID)
				q.ready = append(q.ready, it.Entry)
			}
			return nil
		}
		w := start(t, q, nil)
		q.put("a", specOf("a", "fine", ""))
		pass(10 * time.Minute)
		if refused < 4 || refused > 40 {
			t.Errorf("results were refused %d times in 10 minutes, want a try each minute or so", refused)
		}
		q.mu.Lock()
		broken = false
		q.mu.Unlock()
		pass(2 * time.Minute)
		if len(q.completions()) == 0 {
			t.Error("the lane is left alone though its results are taken again")
		}
		if n := len(w.away.bad); n != 0 {
			t.Errorf("%d troubles are remembered: %v", n, w.away.bad)
		}
		w.stop()
	})
}

// The trouble of one lane is forgotten when the lane works again.
func TestTroubleOfALaneEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		bad := true
		q.onLease = func(check.LeaseRequest) error {
			if bad {
				return fmt.Errorf("lease: %w", refusal("WRONGTYPE key runs is a string, want a hash"))
			}
			return nil
		}
		w := start(t, q, nil)
		q.put("a", specOf("a", "fine", ""))
		pass(5 * time.Second)
		if len(w.away.bad) == 0 {
			t.Error("no trouble is remembered")
		}
		bad = false
		q.put("b", specOf("b", "fine", ""))
		pass(10 * time.Second)
		if len(w.away.bad) != 0 {
			t.Errorf("remembered: %v", w.away.bad)
		}
		w.stop()
	})
	if replyCode(errors.New("x")) != "" {
		t.Error("an error of the way is taken for an answer")
	}
}

// A lease that was found by a long search holds from when it was asked for, not
// from when the search began.
func TestReclaimedLeaseHoldsFromItsOwnCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		w := start(t, q, nil)
		pass(time.Second)
		asked := time.Now()
		l := check.Lease{Entry: check.Entry{Lane: lane, SID: "1-a", ID: "a", Planned: q.now()}, Token: "w1/x", Now: q.now(), Asked: asked, Spec: specOf("a", "slow", "")}
		w.slots.take(t.Context(), 1)
		w.start(phases{work: t.Context(), queue: t.Context()}, []check.Lease{l}, nil, asked.Add(-20*time.Second))
		w.runs.mu.Lock()
		r := w.runs.list[0]
		w.runs.mu.Unlock()
		if !r.held.Equal(asked) || r.server(asked) != l.Now {
			t.Errorf("held from %s, the queue's time is %d: want %s and %d", r.held, r.server(asked), asked, l.Now)
		}
		w.stop()
	})
}
