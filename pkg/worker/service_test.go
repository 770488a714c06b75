package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Name: "a b", Slots: -1, Lease: time.Millisecond, Handlers: []HandlerInstance{
		{Name: ""}, {Name: "x", Handler: handlerFunc(nil)}, {Name: "x", Handler: handlerFunc(nil)}, {Name: "y", Handler: handlerFunc(nil), Timeout: -1}}})
	if err == nil {
		t.Fatal("New() = nil, want errors")
	}
	for _, want := range []string{"Queue is not set", `Name "a b"`, "Slots -1", "Lease 1ms", `handler ""`, `"x" is there twice`, `"y": timeout`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New() = %v, want %q in it", err, want)
		}
	}
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.put("a", specOf("a", "fine", ""))
		w := start(t, q, nil)
		pass(time.Second)
		if err := w.Ready(); err != nil {
			t.Errorf("Ready() = %v, want nil", err)
		}
		last, ev, done := q.result(t, "a")
		if last.State != check.StateOK || ev.Check.ID != "a" || ev.Worker != "w1" || done.Rev != "1" || done.Next <= last.Finished {
			t.Errorf("completion = %+v", done)
		}
		if err := w.Worker.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("second Run() = %v, want ErrRunning", err)
		}
		if took := w.stop(); took > time.Second {
			t.Errorf("idle stop took %s, want a second at most", took)
		}
		if len(q.dropped) != 1 || q.dropped[0] != "w1" || q.left != 1 {
			t.Errorf("left %d lanes, dropped %v, want one lane and w1", q.left, q.dropped)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		command  string
		took     time.Duration
		complete bool
	}{
		{"s5", 5 * time.Second, true},
		{"s60", 10 * time.Second, false},
	} {
		t.Run(tt.command, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newFake()
				q.put("a", specOf("a", tt.command, `,"timeout":"2m"`))
				w := start(t, q, nil)
				pass(10 * time.Millisecond)
				time.AfterFunc(time.Millisecond, func() { q.put("late", specOf("late", "fine", "")) })
				took := w.stop()
				if took < tt.took-time.Second || took > tt.took+time.Second {
					t.Errorf("stop took %s, want about %s", took, tt.took)
				}
				if got := len(q.completions()) == 1; got != tt.complete {
					t.Errorf("completed a: %v, want %v", got, tt.complete)
				}
				for _, h := range q.released {
					if h.ID == "a" && tt.complete || (h.Token == "") != (h.ID == "late") {
						t.Errorf("released %v", h)
					}
				}
				want := 2
				if tt.complete {
					want = 1
				}
				if len(q.released) != want {
					t.Errorf("released %v, want the late one and a: %v", q.released, !tt.complete)
				}
			})
		})
	}
}

// TestStopWithAllSlotsBusy is the ancestors' fault 14: they crashed.
func TestStopWithAllSlotsBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		for i := range 10 {
			q.put(fmt.Sprint("a", i), specOf(fmt.Sprint("a", i), "s60", `,"timeout":"2m"`))
		}
		w := start(t, q, func(c *Config) { c.Slots = 4 })
		pass(time.Second)
		if free, busy, stuck := w.Slots(); free != 0 || busy != 4 || stuck != 0 {
			t.Errorf("Slots() = %d, %d, %d, want 0, 4, 0", free, busy, stuck)
		}
		if len(q.ready) != 6 {
			t.Errorf("%d entries are left in the queue, want 6: a slot is taken before an entry", len(q.ready))
		}
		w.stop()
		if len(q.released) != 4 || len(q.completions()) != 0 {
			t.Errorf("%d released, %d completed, want 4 and 0", len(q.released), len(q.completions()))
		}
		if free, busy, stuck := w.Slots(); free != 4 || busy != 0 || stuck != 0 {
			t.Errorf("Slots() = %d, %d, %d, want 4, 0, 0", free, busy, stuck)
		}
	})
}

func TestStopReleasesUnleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.onLease = func(check.LeaseRequest) error { return errAway }
		q.put("a", specOf("a", "fine", ""))
		w := start(t, q, nil)
		pass(2 * time.Second)
		q.mu.Lock()
		q.owner["1-a"] = "" // as the queue has it for a check that is not leased
		q.mu.Unlock()
		w.stop()
		if len(q.released) != 1 || q.released[0].ID != "a" || q.released[0].Token != "" {
			t.Errorf("released %v, want a without a token", q.released)
		}
	})
}

func TestStopWithoutQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		gone := q.canGo()
		q.put("a", specOf("a", "s60", `,"timeout":"2m"`))
		q.put("b", specOf("b", "second", ""))
		w := start(t, q, nil)
		pass(10 * time.Millisecond)
		gone.Store(true)
		pass(3 * time.Second)
		if took := w.stop(); took > 14*time.Second {
			t.Errorf("stop took %s, want grace and 4 s at most", took)
		}
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		for i := range 1000 {
			q.put(fmt.Sprint("a", i), specOf(fmt.Sprint("a", i), "second", ""))
		}
		w := start(t, q, func(c *Config) { c.Slots = 2000 })
		pass(2 * time.Second)
		if n := len(q.completions()); n != 1000 {
			t.Errorf("%d completions, want 1000", n)
		}
		if len(q.requests) > 10 || len(q.calls) > 40 {
			t.Errorf("%d lease and %d complete calls for 1000 checks, want batches", len(q.requests), len(q.calls))
		}
		for _, n := range append(q.calls, q.readMany...) {
			if n > batch {
				t.Errorf("a call moved %d checks, want at most %d", n, batch)
			}
		}
		w.stop()
	})
}

// TestSlowHoldsUpNobody: a check that takes long is completed alone, and those
// beside it do not wait for it.
func TestSlowHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.put("slow", specOf("slow", "s60", `,"timeout":"2m"`))
		q.put("quick", specOf("quick", "fine", ""))
		w := start(t, q, nil)
		pass(20 * time.Millisecond)
		last, _, _ := q.result(t, "quick")
		if wait := last.Finished - last.Planned; wait > 5 {
			t.Errorf("the quick check was finished after %d ms, want 5 at most", wait)
		}
		pass(61 * time.Second)
		q.result(t, "slow")
		if len(q.renewed) < 5 {
			t.Errorf("%d renewals in a minute of leases of 30 s, want one each 10 s", len(q.renewed))
		}
		w.stop()
	})
}

func TestSpecIsFetchedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, built := newFake(), 0
		w := start(t, q, func(c *Config) {
			c.Commands["counted"] = func(json.RawMessage) (check.Command, error) { built++; return check.CommandFunc(fine), nil }
		})
		for range 3 {
			q.put("a", specOf("a", "counted", ""))
			pass(time.Second)
		}
		if built != 1 || len(q.completions()) != 3 || len(q.requests) != 3 {
			t.Fatalf("built %d times in %d runs, want once in 3", built, len(q.completions()))
		}
		if got := q.requests[2].Revs[0]; got != "1" {
			t.Errorf("third request tells revision %q, want 1", got)
		}
		w.stop()
	})
}

func TestLanes(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		t.Run(fmt.Sprint("apart ", apart), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newFake()
				q.lanes = []check.Lane{{Zone: "a"}, {Zone: "b"}, {Zone: "c"}}
				w := start(t, q, func(c *Config) { c.ReadApart, c.Zones = apart, []string{"a", "b", "c"} })
				pass(20 * time.Second)
				first := map[check.Lane]int{}
				for _, lanes := range q.readLanes {
					if apart != (len(lanes) == 1) {
						t.Fatalf("a read of %d lanes", len(lanes))
					}
					first[lanes[0]]++
				}
				if len(first) != 3 {
					t.Errorf("lanes that came first: %v, want each of three", first)
				}
				q.mu.Lock()
				q.lanes = append(q.lanes[:1:1], check.Lane{Zone: "d"})
				q.readLanes = nil
				q.mu.Unlock()
				pass(20 * time.Second)
				seen := map[string]bool{}
				for _, lanes := range q.readLanes[len(q.readLanes)/2:] {
					for _, l := range lanes {
						seen[l.Zone] = true
					}
				}
				if len(seen) != 2 || !seen["d"] {
					t.Errorf("lanes after a change: %v, want a and d", seen)
				}
				w.stop()
			})
		})
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		var beats []check.Heartbeat
		q.onBeat = func(b check.Heartbeat) error { beats = append(beats, b); return nil }
		turns := 0
		w := start(t, q, func(c *Config) {
			c.Version, c.Zones = "v1", []string{"default"}
			c.Handlers = []HandlerInstance{{Name: "out", Handler: handlerFunc(nil)}}
			c.Hooks.OnTurn = func() { turns++ }
		})
		q.put("a", specOf("a", "s5", ""))
		pass(10 * time.Second)
		if len(beats) < 3 || turns < 8 {
			t.Fatalf("%d beats and %d turns in 10 s, want 4 and 10", len(beats), turns)
		}
		b := beats[1]
		if b.Name != "w1" || b.Slots != 100 || b.Busy != 1 || b.Version != "v1" || b.Every != 3000 || b.Started == 0 ||
			len(b.Commands) != len(commands()) || len(b.Handlers) != 1 || b.Zones[0] != "default" {
			t.Errorf("beat = %+v", b)
		}
		w.stop()
	})
}

// handlerFunc is a handler; nil does nothing.
type handlerFunc func(ctx context.Context, ev *check.Event) error

func (f handlerFunc) Process(ctx context.Context, ev *check.Event) error {
	if f == nil {
		return nil
	}
	return f(ctx, ev)
}
