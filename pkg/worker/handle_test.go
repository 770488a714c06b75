package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// mutator is a handler with both steps; nil ones do nothing.
type mutator struct {
	mutate  func(ctx context.Context, ev *check.Event) error
	process handlerFunc
}

func (m mutator) Mutate(ctx context.Context, ev *check.Event) error { return m.mutate(ctx, ev) }

func (m mutator) Process(ctx context.Context, ev *check.Event) error {
	return m.process.Process(ctx, ev)
}

// runWith runs one check of the command through handlers and gives its
// records.
func runWith(t *testing.T, spec string, wait time.Duration, handlers ...HandlerInstance) (*counter, *fake, []error) {
	t.Helper()
	q, m := newFake(), newCounter()
	var mu sync.Mutex // guards errs
	var errs []error
	q.put("a", spec)
	w := start(t, q, func(c *Config) {
		c.Metrics, c.Handlers = m, handlers
		c.Hooks.OnError = func(_, handler string, err error) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("%s: %w", handler, err))
		}
		c.Commands["measures"] = command(func(context.Context, check.Run) (check.Result, error) {
			return check.Result{State: check.StateWarn, Reason: "SLOW", Text: "as measured", At: time.Now(),
				Metrics: []check.Metric{check.Gauge("rtt_seconds", 1, "seconds")}}, nil
		})
	})
	pass(wait)
	w.stop()
	return m, q, errs
}

func TestHandlersOfACheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, more, want string
		missing          int
	}{
		{"defaults", "", "d e", 0},
		{"named", `,"handlers":["x","d"]`, "d x", 0},
		{"none", `,"handlers":[]`, "", 0},
		{"missing", `,"handlers":["x","gone"]`, "x", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex // guards got
				var got []string
				var list []HandlerInstance
				for _, name := range []string{"d", "e", "x"} {
					list = append(list, HandlerInstance{Name: name, Default: name != "x", Handler: handlerFunc(func(context.Context, *check.Event) error {
						mu.Lock()
						defer mu.Unlock()
						got = append(got, name)
						return nil
					})})
				}
				m, q, _ := runWith(t, specOf("a", "fine", tt.more), time.Second, list...)
				slices.Sort(got)
				if strings.Join(got, " ") != tt.want || m.count(CountNoHandler) != tt.missing {
					t.Errorf("handled by %q, %d missing, want %q and %d", got, m.count(CountNoHandler), tt.want, tt.missing)
				}
				q.result(t, "a")
			})
		})
	}
}

// TestHandlersAtOnce: processes run at the same time, after all mutations and
// before the completion.
func TestHandlersAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, saw := time.Now(), make(chan string, 9)
		slow := func(_ context.Context, ev *check.Event) error {
			<-time.After(2 * time.Second)
			saw <- ev.Result.Text
			return nil
		}
		add := func(s string) func(context.Context, *check.Event) error {
			return func(_ context.Context, ev *check.Event) error { ev.Result.Text += s; return nil }
		}
		_, q, errs := runWith(t, specOf("a", "measures", ""), 3*time.Second,
			HandlerInstance{Name: "one", Default: true, Handler: mutator{add(" 1"), slow}},
			HandlerInstance{Name: "two", Default: true, Handler: mutator{add(" 2"), slow}},
			HandlerInstance{Name: "three", Default: true, Handler: handlerFunc(slow)})
		for range 3 {
			if text := <-saw; text != "as measured 1 2" {
				t.Errorf("a handler saw %q, want both mutations in order", text)
			}
		}
		last, ev, _ := q.result(t, "a")
		if took := last.Finished - begin.UnixMilli(); took > 100 {
			t.Errorf("finished after %d ms: the time of handlers counts as the command's", took)
		}
		if last.Text != "as measured" || ev.Result.Text != "as measured 1 2" || len(errs) > 0 {
			t.Errorf("last %q, event %q, errors %v", last.Text, ev.Result.Text, errs)
		}
	})
}

func TestMutatorKeepsItsBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, q, errs := runWith(t, specOf("a", "measures", `,"labels":{"site":"fra"},"meta":{"a":{"b":[1]}}`), time.Second,
			HandlerInstance{Name: "wild", Default: true, Handler: mutator{mutate: func(_ context.Context, ev *check.Event) error {
				ev.Result.State, ev.Result.Reason, ev.Result.Text = check.StateOK, "NICE", "all\x00 is well"
				ev.Result.Metrics[0].Value = 2
				ev.Result.Metrics = append(ev.Result.Metrics, check.Gauge("bad name", 1, ""))
				ev.Check.Labels["rack"] = "7"
				ev.Check.Meta["a"].(map[string]any)["b"].([]any)[0] = 9
				ev.Check.ID, ev.Change, ev.Incident.ID = "other", "", "other"
				return nil
			}}})
		last, ev, done := q.result(t, "a")
		if ev.Result.State != check.StateWarn || ev.Result.Reason != "SLOW" || ev.Check.ID != "a" || ev.Change != check.ChangeOpen || ev.Incident.ID != done.IncidentID {
			t.Errorf("event = %+v, want what may not change unchanged", ev)
		}
		if ev.Result.Text != "all\uFFFD is well" || len(ev.Result.Metrics) != 1 || ev.Result.Metrics[0].Value != 2 || ev.Check.Labels["rack"] != "7" {
			t.Errorf("event = %+v, want the mutations, cleaned", ev)
		}
		if got := fmt.Sprint(ev.Check.Meta["a"]); got != "map[b:[1]]" || ev.Check.Labels["site"] != "fra" {
			t.Errorf("meta %s labels %v, want them as they were", got, ev.Check.Labels)
		}
		if last.Text != "as measured" || last.Metrics[0].Value != 1 {
			t.Errorf("last = %+v, want what was measured: the next run computes with it", last)
		}
		if m.failed["wild"] != 1 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "state or reason") {
			t.Errorf("errors %v, want one about state and reason", errs)
		}
	})
}

func TestHandlerFaults(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context, _ *check.Event) error { <-ctx.Done(); return ctx.Err() }
	deafFor := func(d time.Duration) func(context.Context, *check.Event) error {
		return func(context.Context, *check.Event) error { <-time.After(d); return nil }
	}
	for _, tt := range []struct {
		name    string
		handler check.Handler
		want    string
		stuck   bool
	}{
		{"error", handlerFunc(func(context.Context, *check.Event) error { return errors.New("full disk") }), "process: full disk", false},
		{"panic", handlerFunc(func(context.Context, *check.Event) error { panic("canary") }), "panic: canary", false},
		{"timeout", handlerFunc(wait), "deadline", false},
		{"deaf", handlerFunc(deafFor(20 * time.Second)), "did not end", true},
		{"mutate error", mutator{mutate: func(context.Context, *check.Event) error { return errors.New("no map") }}, "mutate: no map", false},
		{"mutate panic", mutator{mutate: func(context.Context, *check.Event) error { panic("canary") }}, "panic: canary", false},
		{"mutate timeout", mutator{mutate: wait}, "deadline", false},
		{"mutate deaf", mutator{mutate: deafFor(20 * time.Second)}, "did not end", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				seen := 0
				good := HandlerInstance{Name: "good", Default: true, Handler: handlerFunc(func(context.Context, *check.Event) error { seen++; return nil })}
				m, q, errs := runWith(t, specOf("a", "measures", ""), 4*time.Second, good,
					HandlerInstance{Name: "bad", Default: true, Timeout: 2 * time.Second, Handler: tt.handler})
				q.result(t, "a") // the check is never lost
				if seen != 1 || m.failed["bad"] != 1 || m.failed["good"] != 0 {
					t.Errorf("the good one saw %d events, failures %v", seen, m.failed)
				}
				if len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want) || !strings.HasPrefix(errs[0].Error(), "bad: ") {
					t.Errorf("errors %v, want one with %q", errs, tt.want)
				}
				pass(time.Minute)
			})
		})
	}
}

func TestDeafHandlerHoldsSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.put("a", specOf("a", "fine", ""))
		w := start(t, q, func(c *Config) {
			c.Slots = 1
			c.Handlers = []HandlerInstance{{Name: "deaf", Default: true, Timeout: time.Second, Handler: handlerFunc(func(context.Context, *check.Event) error {
				<-time.After(10 * time.Second)
				return nil
			})}}
		})
		pass(5 * time.Second)
		q.result(t, "a")
		if free, busy, stuck := w.Slots(); free != 0 || busy != 0 || stuck != 1 {
			t.Errorf("Slots() = %d, %d, %d, want one that is stuck", free, busy, stuck)
		}
		pass(10 * time.Second)
		if free, busy, stuck := w.Slots(); free != 1 || busy != 0 || stuck != 0 {
			t.Errorf("Slots() = %d, %d, %d, want one that is free", free, busy, stuck)
		}
		w.stop()
	})
}

func TestEventHasNoParams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, q, _ := runWith(t, specOf("a", "fine", `,"params":{"community":"canary"}`), time.Second)
		_, _, done := q.result(t, "a")
		if strings.Contains(done.Event, "canary") || strings.Contains(done.Last, "canary") {
			t.Errorf("records carry params: %s %s", done.Last, done.Event)
		}
		if !json.Valid([]byte(done.Event)) {
			t.Errorf("event is no JSON: %s", done.Event)
		}
	})
}
