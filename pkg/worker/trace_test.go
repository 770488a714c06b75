package worker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// spender is a Metrics that also notes where the time went.
type spender struct {
	*counter
	mu    sync.Mutex // guards spent
	spent map[string][]time.Duration
}

func (s *spender) Spent(phase string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent == nil {
		s.spent = map[string][]time.Duration{}
	}
	s.spent[phase] = append(s.spent[phase], took)
}

// queued puts a check that was planned and queued some time ago.
func (f *fake) queued(id, spec string, planned, queued time.Duration) {
	f.planned[id] = f.now() - planned.Milliseconds()
	f.put(id, spec)
	f.ready[len(f.ready)-1].SID = fmt.Sprintf("%d-0", f.now()-queued.Milliseconds())
}

// TestTrace: where a run was when, in its event, for the hook and in metrics.
func TestTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), &spender{counter: newCounter()}
		q.skew = time.Hour // of the queue's clock, the only one that counts
		q.queued("late", specOf("late", "second", ""), 3*time.Second, 2*time.Second)
		q.crashes["late"] = 1
		held := make(chan struct{})
		q.onComplete = func([]check.Completion) error { <-held; return nil }
		var hooked *check.Event
		var committed int64
		handled := make(chan *check.Trace, 1)
		w := start(t, q, func(c *Config) {
			c.Metrics = m
			c.Hooks.OnTrace = func(ev *check.Event, at int64) { hooked, committed = ev, at }
			c.Handlers = []HandlerInstance{{Name: "slow", Default: true, Handler: handlerFunc(func(_ context.Context, ev *check.Event) error {
				handled <- ev.Trace
				<-time.After(2 * time.Second)
				return nil
			})}}
		})
		now := q.now()
		pass(7 * time.Second)
		close(held)
		pass(time.Second)
		_, ev, _ := q.result(t, "late")
		want := check.Trace{Queued: now - 2000, Leased: now, Handled: now + 3000, Crashes: 1}
		if ev.Trace == nil || *ev.Trace != want {
			t.Fatalf("trace = %+v, want %+v", ev.Trace, want)
		}
		if early := <-handled; early != nil {
			t.Errorf("a handler saw the trace %+v, of which it is a part", early)
		}
		if hooked == nil || hooked.Check.ID != "late" || *hooked.Trace != want || committed != now+7000 {
			t.Errorf("OnTrace got %+v committed at %d, want the trace and %d", hooked, committed, now+7000)
		}
		for phase, took := range map[string]time.Duration{
			check.PhaseDispatch: time.Second, check.PhaseQueue: 2 * time.Second, check.PhaseStart: 0,
			check.PhaseHandlers: 2 * time.Second, check.PhaseCommit: 4 * time.Second,
		} {
			if got := m.spent[phase]; len(got) != 1 || got[0] != took {
				t.Errorf("spent in %s: %v, want %s", phase, got, took)
			}
		}
		if len(m.spent) != 5 {
			t.Errorf("phases counted: %v, want five", m.spent)
		}
		w.stop()
	})
}

// TestWhatIsTraced: what is not OK, what is late, and the share that was asked
// for.
func TestWhatIsTraced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, command string
		late          time.Duration
		sample        float64
		want          bool
	}{
		{"ordinary", "fine", 0, -1, false},
		{"not OK", "crit", 0, -1, true},
		{"no command", "absent", 0, -1, true},
		{"late", "fine", check.TraceLate, -1, true},
		{"all", "fine", 0, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newFake()
				q.queued("a", specOf("a", tt.command, ""), tt.late, tt.late)
				finished, traces := 0, 0
				w := start(t, q, func(c *Config) {
					c.TraceSample = tt.sample
					c.Hooks.OnFinish = func(ev *check.Event, _ time.Duration) {
						if (ev.Trace != nil) != tt.want {
							t.Errorf("OnFinish got the trace %v, want one: %v", ev.Trace, tt.want)
						}
						finished++
					}
					c.Hooks.OnTrace = func(*check.Event, int64) { traces++ }
				})
				pass(time.Second)
				w.stop()
				if _, ev, _ := q.result(t, "a"); (ev.Trace != nil) != tt.want || finished != 1 || (traces == 1) != tt.want {
					t.Errorf("trace %v, %d times OnFinish, %d OnTrace; want a trace: %v", ev.Trace, finished, traces, tt.want)
				}
			})
		})
	}
}

// TestStaleRunHasNoTrace: what was not committed did not happen.
func TestStaleRunHasNoTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), &spender{counter: newCounter()}
		q.put("a", specOf("a", "second", ""))
		w := start(t, q, func(c *Config) {
			c.TraceSample, c.Metrics = 1, m
			c.Hooks.OnTrace = func(ev *check.Event, _ int64) { t.Errorf("OnTrace got %+v", ev) }
		})
		pass(500 * time.Millisecond)
		q.steal("a")
		pass(time.Second)
		w.stop()
		if got := m.spent[check.PhaseCommit]; len(got) != 0 || m.count(CountStale) != 1 {
			t.Errorf("commits %v, stale %d; want none and one", got, m.count(CountStale))
		}
	})
}

// TestTraceAndDeafHandler: the race detector looks on while a handler that does
// not end reads the event.
func TestTraceAndDeafHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.put("a", specOf("a", "crit", ""))
		w := start(t, q, func(c *Config) {
			c.Handlers = []HandlerInstance{{Name: "deaf", Default: true, Timeout: time.Second, Handler: handlerFunc(func(_ context.Context, ev *check.Event) error {
				for range 100 {
					<-time.After(100 * time.Millisecond)
					if ev.Trace != nil {
						t.Error("the trace came while a handler had the event")
					}
				}
				return nil
			})}}
		})
		pass(20 * time.Second)
		if _, ev, _ := q.result(t, "a"); ev.Trace == nil || ev.Trace.Handled-ev.Finished != 1500 {
			t.Errorf("trace = %+v of a run that finished at %d, want 1.5 s with handlers", ev.Trace, ev.Finished)
		}
		w.stop()
	})
}
