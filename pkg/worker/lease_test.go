package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// TestStale: a run whose lease another worker took changes nothing.
func TestStale(t *testing.T) {
	t.Parallel()
	t.Run("at the completion", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q, m := newFake(), newCounter()
			q.put("a", specOf("a", "second", ""))
			w := start(t, q, func(c *Config) { c.Metrics = m })
			pass(500 * time.Millisecond)
			q.steal("a")
			pass(2 * time.Second)
			if n := m.count(CountStale); n != 1 || len(q.completions()) != 0 {
				t.Errorf("%d stale, %d completions, want 1 and 0", n, len(q.completions()))
			}
			w.stop()
		})
	})
	t.Run("at a renewal", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q, m, ended := newFake(), newCounter(), time.Time{}
			q.put("a", specOf("a", "watch", `,"timeout":"2m"`))
			seen := 0
			w := start(t, q, func(c *Config) {
				c.Metrics = m
				c.Handlers = []HandlerInstance{{Name: "h", Default: true, Handler: handlerFunc(func(context.Context, *check.Event) error { seen++; return nil })}}
				c.Commands["watch"] = command(func(ctx context.Context, _ check.Run) (check.Result, error) {
					<-ctx.Done()
					ended = time.Now()
					return check.Result{}, ctx.Err()
				})
			})
			begin := time.Now()
			pass(500 * time.Millisecond)
			q.steal("a")
			pass(time.Minute)
			if took := ended.Sub(begin); took < 10*time.Second || took > 11*time.Second {
				t.Errorf("the command was told after %s, want the first renewal after 10s", took)
			}
			if n := m.count(CountStale); n != 1 || len(q.completions()) != 0 || seen != 0 {
				t.Errorf("%d stale, %d completions, %d handled, want 1, 0, 0", n, len(q.completions()), seen)
			}
			w.stop()
		})
	})
}

// TestLeaseEndsWithoutQueue: a run ends before its lease does when nobody can
// renew it, and is handed back when the queue is there again.
func TestLeaseEndsWithoutQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), newCounter()
		gone := q.canGo()
		q.put("a", specOf("a", "s60", `,"timeout":"2m"`))
		w := start(t, q, func(c *Config) { c.Metrics = m })
		pass(time.Second)
		gone.Store(true)
		pass(25 * time.Second)
		if _, busy, _ := w.Slots(); busy != 1 {
			t.Errorf("%d runs after 26 s, want 1", busy)
		}
		pass(3 * time.Second)
		if _, busy, _ := w.Slots(); busy != 0 {
			t.Errorf("%d runs after 29 s of a lease of 30 s, want 0", busy)
		}
		gone.Store(false)
		pass(10 * time.Second)
		if len(q.released) != 1 || m.count(CountStale) != 1 {
			t.Errorf("released %v, %d stale, want a handed back", q.released, m.count(CountStale))
		}
		w.stop()
	})
}

// TestFrozenProcess: after a stop of the whole process the lease is checked
// before any handler sees the result.
func TestFrozenProcess(t *testing.T) {
	t.Parallel()
	for _, ours := range []bool{true, false} {
		t.Run(fmt.Sprint("ours ", ours), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, m, seen := newFake(), newCounter(), 0
				q.put("a", specOf("a", "fine", ""))
				w := start(t, q, func(c *Config) {
					c.Metrics = m
					c.Handlers = []HandlerInstance{{Name: "h", Default: true, Handler: handlerFunc(func(context.Context, *check.Event) error { seen++; return nil })}}
				})
				pass(time.Second)
				r := frozen(w, q)
				if !ours {
					q.steal("b")
				}
				w.slots.take(t.Context(), 1)
				w.slots.use(1)
				w.runs.add([]*run{r})
				before := len(q.completions())
				w.conclude(phases{t.Context(), t.Context()}, r, check.Result{At: time.Now()}, nil, true)
				pass(time.Second)
				if got := len(q.completions()) == before+1; got != ours {
					t.Errorf("completed: %v, want %v", got, ours)
				}
				if stale := m.count(CountStale) == 1; stale == ours || (seen == 2) != ours {
					t.Errorf("stale %v, handled %d, want ours: %v", stale, seen, ours)
				}
				w.stop()
			})
		})
	}
}

// frozen makes a run whose command took far longer than its lease, while
// nothing else in the process ran.
func frozen(w *started, q *fake) *run {
	e := check.Entry{Lane: lane, SID: "1-b", ID: "b", Planned: q.now()}
	l := check.Lease{Entry: e, Token: "w1/frozen", Rev: "1", Now: q.now()}
	q.owner["1-b"] = l.Token
	asked := time.Now().Add(-time.Hour)
	return &run{lease: l, spec: w.build(lane, "b", "1", specOf("b", "fine", "")), asked: asked, held: asked}
}

func TestQueueAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		gone := q.canGo()
		gone.Store(true)
		w := start(t, q, nil)
		pass(10 * time.Second)
		gone.Store(false)
		for i := range 50 {
			q.put(fmt.Sprint("a", i), specOf(fmt.Sprint("a", i), "second", ""))
		}
		pass(3500 * time.Millisecond) // the longest pause, and a moment
		gone.Store(true)
		pass(20 * time.Second)
		if n := len(q.completions()); n != 0 && n != 50 {
			t.Errorf("%d completions, want all or none", n)
		}
		gone.Store(false)
		pass(5 * time.Second)
		if n := len(q.completions()); n != 50 {
			t.Errorf("%d completions after the queue came back, want 50: results are kept", n)
		}
		w.stop()
	})
}

func TestPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, tries := newFake(), 0
		q.onRead = func([]check.Lane, int) error { tries++; return errAway }
		w := start(t, q, nil)
		pass(time.Minute)
		if tries < 18 || tries > 60 {
			t.Errorf("%d tries in a minute, want one each 3 s after the first few", tries)
		}
		w.stop()
	})
}

// TestCommitRefused: one result that the queue refuses does not hold up the
// others.
func TestCommitRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.onComplete = func(items []check.Completion) error {
			for _, c := range items {
				if c.ID == "bad" {
					return errors.New("ERR no")
				}
			}
			return nil
		}
		q.put("bad", specOf("bad", "second", ""))
		for i := range 20 {
			q.put(fmt.Sprint("a", i), specOf(fmt.Sprint("a", i), "second", ""))
		}
		w := start(t, q, nil)
		pass(time.Minute)
		if n := len(q.completions()); n != 20 {
			t.Errorf("%d completions, want 20 beside the bad one", n)
		}
		w.stop()
	})
}

func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), newCounter()
		q.onComplete = func([]check.Completion) error { return errAway }
		w := start(t, q, func(c *Config) { c.Metrics = m })
		pass(time.Second)
		p := phases{t.Context(), t.Context()}
		ctx, cancel := context.WithCancel(t.Context())
		p.queue = ctx
		for i := range maxKept + 100 {
			w.commits.expect()
			w.commits.add(p, commit{Completion: check.Completion{Entry: check.Entry{Lane: lane, ID: fmt.Sprint(i)}}})
		}
		if n := m.count(CountDropped); n != 100 || w.commits.kept != maxKept {
			t.Errorf("%d dropped, %d kept, want 100 and %d", n, w.commits.kept, maxKept)
		}
		reads := q.readCount()
		pass(10 * time.Second)
		if n := q.readCount() - reads; n > 1 {
			t.Errorf("%d reads while results wait, want none", n)
		}
		cancel()
		pass(time.Minute)
		w.stop()
		if n := m.count(CountDropped); n != maxKept+100 || w.commits.kept != 0 {
			t.Errorf("%d dropped, %d kept at the end, want all and none", n, w.commits.kept)
		}
	})
}

func TestSuspects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		for i := range 5 {
			id := fmt.Sprint("s", i)
			q.crashes[id] = 2
			q.put(id, specOf(id, "second", ""))
		}
		q.crashes["trial"] = 4 // not taken over: it is tried
		q.put("trial", specOf("trial", "second", ""))
		for i := range 50 {
			q.put(fmt.Sprint("a", i), specOf(fmt.Sprint("a", i), "second", ""))
		}
		w := start(t, q, nil)
		pass(1500 * time.Millisecond)
		if n := len(q.completions()); n != 51 {
			t.Errorf("%d completions after 1.5 s, want 50 and one suspect", n)
		}
		pass(6 * time.Second)
		if n := len(q.completions()); n != 56 || q.most != 1 {
			t.Errorf("%d completions, %d suspects at once, want 56 and 1", n, q.most)
		}
		if last, _, done := q.result(t, "trial"); last.State != check.StateOK || done.KeepCrashes {
			t.Errorf("trial run = %+v", last)
		}
		w.stop()
	})
}

func TestStopReleasesParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		for i := range 3 {
			id := fmt.Sprint("s", i)
			q.crashes[id] = 2
			q.put(id, specOf(id, "s5", ""))
		}
		w := start(t, q, nil)
		pass(time.Second)
		w.stop()
		if len(q.completions()) != 1 || len(q.released) != 2 {
			t.Errorf("%d completions, released %v, want one and two", len(q.completions()), q.released)
		}
	})
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), newCounter()
		l := func(id string, crashes int) check.Lease {
			return check.Lease{Entry: check.Entry{Lane: lane, SID: "1-" + id, ID: id, Planned: q.now()}, Rev: "1", Crashes: crashes, Spec: specOf(id, "panics", "")}
		}
		q.reclaimed = []check.Lease{l("once", 1), l("poison", 3)}
		w := start(t, q, func(c *Config) { c.Metrics = m })
		pass(time.Second)
		last, ev, done := q.result(t, "poison")
		if last.State != check.StateUnknown || last.Reason != check.ReasonWorkerLost || ev.Change != check.ChangeOpen || !done.KeepCrashes {
			t.Errorf("poison: %+v, completion %+v", last, done)
		}
		if wait := time.Duration(done.Next-last.Finished) * time.Millisecond; wait < 5*time.Minute || wait > 6*time.Minute {
			t.Errorf("poison comes back after %s, want the first slot after 5m", wait)
		}
		if last, _, done := q.result(t, "once"); last.Reason != check.ReasonCmdFailure || done.KeepCrashes {
			t.Errorf("once: %+v, want it run", last)
		}
		w.stop()
	})
}

func TestReclaimPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		w := start(t, q, nil)
		for round := range 10 {
			id := fmt.Sprint("a", round)
			q.mu.Lock()
			q.reclaimed = []check.Lease{{Entry: check.Entry{Lane: lane, SID: "1-" + id, ID: id, Planned: q.now()}, Rev: "1", Crashes: 1, Spec: specOf(id, "fine", "")}}
			q.mu.Unlock()
			pass(10 * time.Second)
			q.result(t, id)
		}
		w.stop()
	})
}

// TestSlotsBeforeLease holds the rule under load: never more leases than slots.
func TestSlotsBeforeLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, now, most := newFake(), 0, 0
		var mu sync.Mutex // guards now and most
		add := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			now += n
			most = max(most, now)
		}
		for i := range 500 {
			q.put(fmt.Sprint("a", i), specOf(fmt.Sprint("a", i), "counts", ""))
		}
		q.onLease = func(req check.LeaseRequest) error { add(len(req.Entries)); return nil }
		w := start(t, q, func(c *Config) {
			c.Slots = 7
			c.Commands["counts"] = command(func(context.Context, check.Run) (check.Result, error) {
				<-time.After(10 * time.Millisecond)
				add(-1)
				return check.Result{At: time.Now()}, nil
			})
		})
		pass(5 * time.Second)
		if n := len(q.completions()); n != 500 || most > 7 {
			t.Errorf("%d completions, %d leases at once, want 500 and at most 7", n, most)
		}
		w.stop()
	})
}

// TestLeaseAnswerLost: the same request is made again, so that the queue can
// give the same answer.
func TestLeaseAnswerLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		var tokens []string
		q.onLease = func(req check.LeaseRequest) error {
			if tokens = append(tokens, req.Token); len(tokens) < 3 {
				return errAway
			}
			return nil
		}
		q.put("a", specOf("a", "fine", ""))
		w := start(t, q, nil)
		pass(3 * time.Second)
		q.result(t, "a")
		if len(tokens) != 3 || tokens[0] != tokens[2] || !strings.HasPrefix(tokens[0], "w1/") {
			t.Errorf("tokens %q, want the same three times", tokens)
		}
		w.stop()
	})
}
