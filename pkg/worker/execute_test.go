package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestResults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, command, more string
		state               check.State
		reason, text        string
		label               string
	}{
		{"ok", "fine", "", check.StateOK, "", "", "fine"},
		{"crit", "crit", "", check.StateCrit, "DOWN", "it is down", "crit"},
		{"error", "fails", "", check.StateUnknown, check.ReasonCmdFailure, "no tool", "fails"},
		{"panic", "panics", "", check.StateUnknown, check.ReasonCmdFailure, "panic: canary", "panics"},
		{"timeout", "s60", `,"timeout":"2s"`, check.StateUnknown, check.ReasonCmdTimeout, "timeout of 2s", "s60"},
		{"deaf", "deaf40", `,"timeout":"2s"`, check.StateUnknown, check.ReasonCmdTimeout, "timeout of 2s", "deaf40"},
		{"no command", "absent", "", check.StateUnknown, check.ReasonNoCommand, "absent", "unknown"},
		{"bad params", "picky", "", check.StateUnknown, check.ReasonBadParams, "host: want one", "picky"},
		{"bad spec", "fine", `,"evry":"1s"`, check.StateUnknown, check.ReasonBadParams, "evry", "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, m := newFake(), newCounter()
				q.put("a", specOf("a", tt.command, tt.more))
				var failed []error
				w := start(t, q, func(c *Config) {
					c.Metrics = m
					c.Hooks.OnError = func(_, _ string, err error) { failed = append(failed, err) }
				})
				pass(3 * time.Second)
				last, ev, done := q.result(t, "a")
				if last.State != tt.state || last.Reason != tt.reason || !strings.Contains(last.Text, tt.text) || last.At.IsZero() {
					t.Errorf("last = %s %s %q, want %s %s %q", last.State, last.Reason, last.Text, tt.state, tt.reason, tt.text)
				}
				if ev.Result.State != tt.state || ev.Worker != "w1" || ev.Previous != check.StateOK {
					t.Errorf("event = %+v", ev)
				}
				bad := tt.state != check.StateOK
				if (done.Change != "") != bad || (done.IncidentID != "") != bad || (ev.Change == check.ChangeOpen) != bad {
					t.Errorf("change %q of incident %q, want one: %v", done.Change, done.IncidentID, bad)
				}
				if wait := done.Next - last.Planned; wait <= 0 || wait > 60_000 {
					t.Errorf("next run after %d ms, want a slot of the next minute", wait)
				}
				if m.states[tt.label+" "+tt.state.String()] != 1 || len(m.states) != 1 {
					t.Errorf("counted %v, want one %s of %s", m.states, tt.state, tt.label)
				}
				ran := tt.reason == check.ReasonCmdFailure || tt.reason == check.ReasonCmdTimeout
				if (len(failed) > 0) != ran {
					t.Errorf("OnError got %v", failed)
				}
				pass(40 * time.Second)
				w.stop()
				q.result(t, "a") // and no second completion
			})
		})
	}
}

// TestDeafCommand: a command that ignores its context holds its slot, and
// nothing else.
func TestDeafCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		turns := atomic.Int64{}
		q.put("a", specOf("a", "deaf40", `,"timeout":"2s"`))
		w := start(t, q, func(c *Config) { c.Slots = 1; c.Hooks.OnTurn = func() { turns.Add(1) } })
		pass(5 * time.Second)
		q.result(t, "a")
		if free, busy, stuck := w.Slots(); free != 0 || busy != 0 || stuck != 1 {
			t.Errorf("Slots() = %d, %d, %d, want one that is stuck", free, busy, stuck)
		}
		before := turns.Load()
		pass(10 * time.Second)
		if turns.Load() != before {
			t.Error("the worker says that it lives though all its slots are stuck")
		}
		pass(30 * time.Second)
		if free, busy, stuck := w.Slots(); free != 1 || busy != 0 || stuck != 0 {
			t.Errorf("Slots() = %d, %d, %d, want one that is free", free, busy, stuck)
		}
		q.put("b", specOf("b", "fine", ""))
		pass(time.Second)
		q.result(t, "b")
		w.stop()
	})
}

func TestStopWithDeafCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.put("a", specOf("a", "deaf40", `,"timeout":"2m"`))
		w := start(t, q, nil)
		pass(time.Second)
		if took := w.stop(); took > 12*time.Second {
			t.Errorf("stop took %s, want the grace of 10 s and a moment", took)
		}
		if len(q.released) != 1 || len(q.completions()) != 0 {
			t.Errorf("released %v, completed %d, want a handed back", q.released, len(q.completions()))
		}
		pass(time.Minute) // for the command itself
	})
}

func TestIncidents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		var state atomic.Int32
		w := start(t, q, func(c *Config) {
			c.Commands["wanted"] = command(func(context.Context, check.Run) (check.Result, error) {
				return check.Result{State: check.State(state.Load()), Reason: "R", At: time.Now()}, nil
			})
		})
		var changes []string
		for _, s := range []check.State{check.StateWarn, check.StateCrit, check.StateCrit, check.StateOK, check.StateOK, check.StateCrit} {
			state.Store(int32(s))
			q.mu.Lock()
			q.planned["a"] = q.now()
			q.mu.Unlock()
			q.put("a", specOf("a", "wanted", `,"attempts":2,"retry_every":"5s"`))
			pass(5 * time.Second)
			all := q.completions()
			done := all[len(all)-1]
			var ev check.Event
			if err := json.Unmarshal([]byte(done.Event), &ev); err != nil {
				t.Fatal(err)
			}
			changes = append(changes, fmt.Sprint(string(ev.Change), ev.Soft))
			if ev.Change != "" && (done.Change != done.Event || done.IncidentID != ev.Incident.ID || !strings.Contains(done.Incident, done.IncidentID)) {
				t.Errorf("completion of a change = %+v", done)
			}
			if standing := done.IncidentID != "" && done.Change == ""; standing != (ev.Change == "" && ev.Incident != nil) || standing && !strings.Contains(done.Incident, done.IncidentID) {
				t.Errorf("completion with an open incident that did not change = %+v", done)
			}
			if ev.Soft && done.Next-ev.Planned > 5000 {
				t.Errorf("next run of a soft result after %d ms, want at most retry_every", done.Next-ev.Planned)
			}
		}
		want := "true openfalse false resolvefalse false true"
		if got := strings.Join(changes, " "); got != want {
			t.Errorf("changes %q, want %q", got, want)
		}
		w.stop()
	})
}

func TestRunSeesLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, log := newFake(), &bytes.Buffer{}
		var seen []*check.Last
		w := start(t, q, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
			c.Commands["looks"] = command(func(_ context.Context, run check.Run) (check.Result, error) {
				seen = append(seen, run.Last)
				return check.Result{At: time.Now(), Metrics: []check.Metric{check.Counter("octets", 7, 64, "bytes")}}, nil
			})
		})
		q.last["a"] = "{junk"
		for range 2 {
			q.put("a", specOf("a", "looks", ""))
			pass(time.Second)
		}
		q.mu.Lock()
		q.last["a"] = "[]"
		q.mu.Unlock()
		q.put("a", specOf("a", "looks", ""))
		pass(time.Second)
		if len(seen) != 3 || seen[0] != nil || seen[1] == nil || seen[2] != nil {
			t.Fatalf("runs saw %v, want none, a record, none", seen)
		}
		if m, ok := seen[1].Metric("octets"); !ok || m.Count != 7 || seen[1].Worker != "w1" || seen[1].Rev != "1" {
			t.Errorf("second run saw %+v", seen[1])
		}
		if n := strings.Count(log.String(), "last record is unreadable"); n != 1 {
			t.Errorf("junk was logged %d times, want once", n)
		}
		w.stop()
	})
}

func TestSkip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), newCounter()
		pass(time.Hour)
		q.planned["a"] = q.now() - (150 * time.Second).Milliseconds()
		q.planned["late"] = q.planned["a"]
		q.put("a", specOf("a", "fine", `,"phase":"30s"`))
		q.put("late", `{"id":"late","command":"fine","every":"24h"}`)
		var slow []string
		w := start(t, q, func(c *Config) {
			c.Metrics = m
			c.Hooks.OnSlow = func(id string, kind Slow, by time.Duration) { slow = append(slow, fmt.Sprint(id, " ", kind, " ", by)) }
		})
		pass(time.Second)
		for _, c := range q.completions() {
			if skipped := c.Last == "" && c.Event == ""; skipped != (c.ID == "a") || c.Next <= q.now()-1000 {
				t.Errorf("completion %+v, want a skipped and the other run", c)
			}
		}
		if n := m.count(CountMissed); n != 3 {
			t.Errorf("%d missed slots, want 3", n)
		}
		if len(slow) != 1 || slow[0] != "late late 2m30s" {
			t.Errorf("slow runs %v, want the late one", slow)
		}
		w.stop()
	})
}

func TestLongRunIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, log := newFake(), &bytes.Buffer{}
		q.put("a", specOf("a", "s60", `,"timeout":"2m"`))
		var slow []string
		w := start(t, q, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
			c.Hooks.OnSlow = func(id string, kind Slow, by time.Duration) { slow = append(slow, fmt.Sprint(id, " ", kind, " ", by)) }
		})
		pass(6 * time.Minute)
		if len(slow) != 1 || slow[0] != "a long 30s" {
			t.Errorf("slow runs %v, want one", slow)
		}
		for _, want := range []string{"slow run", "msg=runs count=1 average=1m0s max=1m0s check=a late=0 long=1"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("log lacks %q", want)
			}
		}
		w.stop()
	})
}

func TestOneShot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		at := time.Now().UTC().Format(time.RFC3339)
		q.put("done", `{"id":"done","command":"fine","at":"`+at+`"}`)
		q.put("again", `{"id":"again","command":"crit","attempts":3,"at":"`+at+`"}`)
		w := start(t, q, nil)
		pass(time.Second)
		if _, _, done := q.result(t, "done"); done.Next != 0 {
			t.Errorf("next run of a one-shot = %d, want never", done.Next)
		}
		if last, _, done := q.result(t, "again"); done.Next <= last.Finished {
			t.Errorf("next run of a soft one-shot = %d, want a retry", done.Next)
		}
		w.stop()
	})
}

// TestServerTime: the worker's own clock may say anything.
func TestServerTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), newCounter()
		q.skew = -1000 * time.Hour
		q.put("a", specOf("a", "second", ""))
		w := start(t, q, func(c *Config) { c.Metrics = m })
		pass(2 * time.Second)
		last, ev, done := q.result(t, "a")
		if took := last.Finished - last.Started; took != 1000 || last.Started-last.Planned > 5 || last.Started < last.Planned ||
			ev.Finished != last.Finished || done.Next-last.Finished > 60_000 || done.Next <= last.Finished {
			t.Errorf("planned %d started %d finished %d next %d", last.Planned, last.Started, last.Finished, done.Next)
		}
		if len(m.late) != 1 || m.late[0] > 5*time.Millisecond {
			t.Errorf("lateness %v, want none", m.late)
		}
		w.stop()
	})
}

func TestHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		var calls []string
		w := start(t, q, func(c *Config) {
			c.Hooks = Hooks{
				OnStart: func(c *check.Check, _ time.Time) { calls = append(calls, "start "+c.ID); panic("canary") },
				OnFinish: func(ev *check.Event, took time.Duration) {
					calls = append(calls, fmt.Sprint("finish ", took))
					panic("canary")
				},
				OnError: func(id, _ string, _ error) { calls = append(calls, "error "+id); panic("canary") },
				OnTurn:  func() { panic("canary") },
			}
		})
		q.put("a", specOf("a", "second", ""))
		pass(2 * time.Second)
		q.put("b", specOf("b", "fails", ""))
		pass(2 * time.Second)
		if got, want := strings.Join(calls, ", "), "start a, finish 1s, start b, error b, finish 0s"; got != want {
			t.Errorf("hooks %q, want %q", got, want)
		}
		q.result(t, "a")
		q.result(t, "b")
		w.stop()
	})
}

func TestDirtyMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, log := newFake(), &bytes.Buffer{}
		w := start(t, q, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
			c.Commands["dirty"] = command(func(context.Context, check.Run) (check.Result, error) {
				return check.Result{At: time.Now(), Text: "a\x00b", Metrics: []check.Metric{
					check.Gauge("nan", math.NaN(), ""), check.Gauge("good", 1, ""), check.Gauge("bad name", 1, "")}}, nil
			})
		})
		q.put("a", specOf("a", "dirty", ""))
		pass(time.Second)
		last, _, _ := q.result(t, "a")
		if len(last.Metrics) != 1 || last.Metrics[0].Name != "good" || last.Text != "a\uFFFDb" {
			t.Errorf("last = %+v, want the good metric only", last)
		}
		if !strings.Contains(log.String(), "metrics dropped") {
			t.Error("dropped metrics were not logged")
		}
		w.stop()
	})
}

func TestNilCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.put("nil", specOf("nil", "nothing", ""))
		q.put("boom", specOf("boom", "boom", ""))
		w := start(t, q, func(c *Config) {
			c.Commands["nothing"] = func(json.RawMessage) (check.Command, error) { return nil, nil }
			c.Commands["boom"] = func(json.RawMessage) (check.Command, error) { panic(errors.New("canary")) }
		})
		pass(time.Second)
		for _, id := range []string{"nil", "boom"} {
			if last, _, _ := q.result(t, id); last.Reason != check.ReasonBadParams {
				t.Errorf("result of %s = %+v, want BAD_PARAMS", id, last)
			}
		}
		w.stop()
	})
}
