// Package checktest is the door that every Command goes through: one suite
// that demands of it what workers rely on.
package checktest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	obey     = 100 * time.Millisecond // within it a Command must obey its context
	together = 50                     // runs of one value at once
	patience = 10 * time.Second       // for one run that should be quick
)

// Case is what the suite needs to know of a Command.
type Case struct {
	// OK are params whose Run gives StateOK, against a fake target of the
	// test's own. The target must bear 50 runs at once.
	OK string
	// Hang are params whose Run would go on for longer than a second, because
	// the target never answers. Their own timeout must be longer than that.
	Hang string
	// More are params that are run once each, for the sake of their results.
	More []string
	// Bad are params that the factory must refuse.
	Bad []string
	// Doc is the path of the command's page, such as
	// ../../../docs/commands/tcp.md: each reason, each metric and each field
	// of Defaults must stand there between backticks.
	Doc string
	// Defaults is the command's Defaults(), a struct; nil leaves the check of
	// its fields out.
	Defaults any
	// UserMetrics says that names of metrics come from params, so that the
	// page cannot have them.
	UserMetrics bool
	// Last is handed to each run.
	Last *check.Last
}

// Command tests the Command that factory makes. It must be called from a test
// that is not parallel: goroutines are counted.
func Command(t *testing.T, factory check.CommandFactory, c Case) {
	t.Helper()
	t.Setenv("REDPOLL_CHECKTEST", "1") // panics in a parallel test
	page := readPage(t, c.Doc)
	t.Run("params", func(t *testing.T) { testParams(t, factory, c) })
	t.Run("documented", func(t *testing.T) { page.fields(t, c.Defaults) })
	t.Run("results", func(t *testing.T) {
		if res := runOnce(t, factory, c, c.OK); res.State != check.StateOK {
			t.Errorf("Run(%s) = %v, want OK", c.OK, res)
		} else {
			page.result(t, res, c.UserMetrics)
		}
		for _, params := range c.More {
			page.result(t, runOnce(t, factory, c, params), c.UserMetrics)
		}
	})
	t.Run("cancel", func(t *testing.T) { testCancel(t, factory, c) })
	t.Run("together", func(t *testing.T) { testTogether(t, factory, c) })
}

// Result demands of res what workers and readers rely on, and that doc, the
// command's page, knows its reason and its metrics.
func Result(t *testing.T, doc string, res check.Result) {
	t.Helper()
	readPage(t, doc).result(t, res, false)
}

func testParams(t *testing.T, factory check.CommandFactory, c Case) {
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(c.OK), &fields); err != nil {
		t.Fatalf("Case.OK is no JSON object: %v", err)
	}
	fields["no_such_field"] = 1
	odd, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := factory(odd); err == nil || !strings.Contains(err.Error(), "no_such_field") {
		t.Errorf("factory(unknown field no_such_field) = %v, want an error that names it", err)
	}
	for _, params := range append([]string{`[]`, `"x"`, `{`, c.OK + "x"}, c.Bad...) {
		if _, err := factory(json.RawMessage(params)); err == nil {
			t.Errorf("factory(%s) = nil, want an error", params)
		}
	}
	if cmd, err := factory(nil); (cmd == nil) == (err == nil) {
		t.Errorf("factory(nil) = %v, %v, want one of them", cmd, err)
	}
}

// testCancel demands that a run ends soon after its context, and with an error
// when the context was cancelled.
func testCancel(t *testing.T, factory check.CommandFactory, c Case) {
	cmd := build(t, factory, c.Hang)
	// On a busy machine one measurement may be late through no fault of the
	// command: the best of three counts.
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	best := time.Hour
	for range 3 {
		_, took, err := timed(t, dead, cmd, c)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run with a dead context = %v after %v, want context.Canceled", err, took)
		}
		best = min(best, took)
	}
	if best > obey {
		t.Errorf("Run with a dead context took %v, want %v at most", best, obey)
	}
	best = time.Hour
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*obey, cancel)
		res, took, err := timed(t, ctx, cmd, c)
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("Run(%s) = %v, %v after %v, want context.Canceled", c.Hang, res, err, took)
		}
		best = min(best, took-2*obey)
	}
	if best > obey {
		t.Errorf("Run obeyed its cancelled context after %v, want %v", best, obey)
	}
	best = time.Hour
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*obey)
		_, took, _ := timed(t, ctx, cmd, c)
		cancel()
		best = min(best, took-2*obey)
	}
	if best > obey {
		t.Errorf("Run obeyed its context's deadline after %v, want %v", best, obey)
	}
}

// testTogether runs one value many times at once, some of the runs cut short,
// and counts the goroutines that are left. What the runs before have started
// for good, shared sockets for instance, does not count.
func testTogether(t *testing.T, factory check.CommandFactory, c Case) {
	cmd, hang := build(t, factory, c.OK), build(t, factory, c.Hang)
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	short, cut := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for i := range together {
		group.Go(func() {
			if res, err := cmd.Run(ctx, c.run()); err != nil || res.State != check.StateOK {
				t.Errorf("Run %d of %d at once = %v, %v, want OK", i, together, res, err)
			}
		})
		group.Go(func() {
			if res, err := hang.Run(short, c.run()); err == nil {
				t.Errorf("Run of a hanging target = %v, want an error", res)
			}
		})
	}
	time.AfterFunc(obey, cut)
	group.Wait()
	cut()
	if err := goleak.Find(before); err != nil {
		t.Errorf("goroutines are left after %d runs: %v", 2*together, err)
	}
}

func runOnce(t *testing.T, factory check.CommandFactory, c Case, params string) check.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, took, err := timed(t, ctx, build(t, factory, params), c)
	if err != nil {
		t.Fatalf("Run(%s) = %v after %v", params, err, took)
	}
	return res
}

// timed makes one run and looks at what holds for each: a Result or an error,
// and a time within the run.
func timed(t *testing.T, ctx context.Context, cmd check.Command, c Case) (check.Result, time.Duration, error) {
	t.Helper()
	begin := time.Now()
	res, err := cmd.Run(ctx, c.run())
	took := time.Since(begin)
	if err == nil && (res.At.Before(begin.Add(-time.Second)) || res.At.After(begin.Add(took+time.Second))) {
		t.Errorf("Result.At = %v, want a time between %v and %v", res.At, begin, begin.Add(took))
	}
	if err != nil && (!res.At.IsZero() || res.Metrics != nil || res.State != check.StateOK || res.Reason != "") {
		t.Errorf("Run = %v and %v, want a Result or an error, never both", res, err)
	}
	return res, took, err
}

func build(t *testing.T, factory check.CommandFactory, params string) check.Command {
	t.Helper()
	cmd, err := factory(json.RawMessage(params))
	if err != nil {
		t.Fatalf("factory(%s) = %v", params, err)
	}
	return cmd
}

func (c Case) run() check.Run {
	return check.Run{
		Check:   &check.Check{ID: "conformance", Command: "it", Every: check.Duration(time.Minute)},
		Planned: time.Now(),
		Last:    c.Last,
	}
}
