package worker

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// TestOnce: a run without a queue gives what a worker's run gives.
func TestOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, command, more string
		state               check.State
		reason, text        string
		took                time.Duration
	}{
		{"ok", "second", "", check.StateOK, "", "", time.Second},
		{"crit", "crit", "", check.StateCrit, "DOWN", "it is down", 0},
		{"error", "fails", "", check.StateUnknown, check.ReasonCmdFailure, "no tool", 0},
		{"panic", "panics", "", check.StateUnknown, check.ReasonCmdFailure, "panic: canary", 0},
		{"timeout", "s60", `,"timeout":"2s"`, check.StateUnknown, check.ReasonCmdTimeout, "timeout of 2s", 2 * time.Second},
		{"deaf", "deaf40", `,"timeout":"2s"`, check.StateUnknown, check.ReasonCmdTimeout, "timeout of 2s", 2*time.Second + giveUpAfter},
		{"no command", "absent", "", check.StateUnknown, check.ReasonNoCommand, "absent", 0},
		{"bad params", "picky", "", check.StateUnknown, check.ReasonBadParams, "host: want one", 0},
		{"handlers", "fine", `,"handlers":["pager"]`, check.StateOK, "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, err := check.Parse([]byte(specOf("a", tt.command, tt.more)))
				if err != nil {
					t.Fatal(err)
				}
				var log bytes.Buffer
				got := Once(t.Context(), commands(), slog.New(slog.NewTextHandler(&log, nil)), c, nil)
				if got.State != tt.state || got.Reason != tt.reason || !strings.Contains(got.Text, tt.text) || got.At.IsZero() {
					t.Errorf("Once = %s %s %q at %s, want %s %s %q", got.State, got.Reason, got.Text, got.At, tt.state, tt.reason, tt.text)
				}
				if took := got.Finished - got.Started; took != tt.took.Milliseconds() {
					t.Errorf("Once took %d ms, want %s", took, tt.took)
				}
				if got.Incident != nil {
					t.Errorf("Once opened %+v", got.Incident)
				}
				if panicked := tt.name == "panic"; (log.Len() > 0) != panicked || panicked && !strings.Contains(log.String(), "stack=") {
					t.Errorf("log = %q, want the stack of a panic and nothing else", log.String())
				}
				pass(time.Minute) // the deaf one ends too
			})
		})
	}
}

// TestOnceSeesTheLastRun: the record of one run is what the next one gets.
func TestOnceSeesTheLastRun(t *testing.T) {
	t.Parallel()
	var seen *check.Last
	list := check.Commands{"look": command(func(_ context.Context, run check.Run) (check.Result, error) {
		seen = run.Last
		return check.Result{State: check.StateWarn, Reason: "ODD", Metrics: []check.Metric{{Name: "a b"}, check.Gauge("n", 1, "")}}, nil
	})}
	c := &check.Check{ID: "a", Command: "look", Every: check.Duration(time.Minute)}
	first := Once(t.Context(), list, nil, c, nil)
	if seen != nil || len(first.Metrics) != 1 {
		t.Fatalf("first run saw %+v and gave the metrics %v, want nil and only n", seen, first.Metrics)
	}
	second := Once(t.Context(), list, nil, c, &first)
	if seen != &first || second.Fails != 2 || second.Since != first.Since {
		t.Errorf("second run saw %+v and gave %+v", seen, second)
	}
}

func TestOnceStopped(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"s60", "deaf40"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				c := &check.Check{ID: "a", Command: name, Every: check.Duration(time.Minute), Timeout: check.Duration(time.Minute)}
				began := time.Now()
				got := Once(ctx, commands(), nil, c, nil)
				if took := time.Since(began); took > time.Second+giveUpAfter || got.State != check.StateUnknown {
					t.Errorf("Once = %s %s after %s, want UNKNOWN soon after the stop", got.State, got.Reason, took)
				}
				pass(time.Minute)
			})
		})
	}
}
