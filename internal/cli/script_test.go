package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/redpoll/redpoll/internal/porttest"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/internal/scripttest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/worker"
)

// TestMain makes the test binary be redpoll as well, for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"redpoll": func() {
		logging.Disable()
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(Main(ctx, os.Args[1:], OS("v0.0.0-test")))
	}})
}

// TestScripts runs testdata/*.txtar, each with a redis-server of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			cmds := scripttest.Commands()
			cmds["fleet"] = func(ts *testscript.TestScript, _ bool, _ []string) { startFleet(ts, server.URL()) }
			testscript.Run(t, testscript.Params{
				Files:         []string{file},
				UpdateScripts: os.Getenv("REDPOLL_UPDATE") != "",
				Setup: func(env *testscript.Env) error {
					env.Setenv("REDPOLL_REDIS", server.URL())
					env.Setenv("PORT", strconv.Itoa(server.Port))
					env.Setenv("FREEPORT", strconv.Itoa(porttest.Free(t)))
					env.Setenv("USER", "tester")
					return nil
				},
				Cmds: cmds,
			})
		})
	}
}

// startFleet starts a scheduler and a worker inside the test. Besides the
// built-in commands it has flip, whose state is the param state.
func startFleet(ts *testscript.TestScript, url string) {
	client, err := redisqueue.Open(url, redisqueue.Security{})
	ts.Check(err)
	known := commands.Builtin()
	known["flip"] = check.Typed(struct {
		State check.State `json:"state"`
		Text  string      `json:"text"`
	}{}, func(p struct {
		State check.State `json:"state"`
		Text  string      `json:"text"`
	}) (check.Command, error) {
		return check.CommandFunc(func(context.Context, check.Run) (check.Result, error) {
			return check.Result{At: time.Now(), State: p.State, Reason: map[bool]string{true: "", false: "FLIPPED"}[p.State == check.StateOK], Text: p.Text,
				Metrics: []check.Metric{check.Gauge("size_bytes", 1234.5, "bytes")}}, nil
		}), nil
	})
	f := &fleet{
		conn: &connection{redisqueue.New(client, ""), client}, commands: known, zone: check.DefaultZone, workers: 1, slots: 10,
		lease: 5 * time.Second, version: "v0.0.0-test",
		handlers: []worker.HandlerInstance{{Name: "pager", Stream: true, Default: true, Handler: pager{out: ts.MkAbs("pager.txt"), refuse: ts.MkAbs("refuse")}}},
	}
	stop, err := f.start(context.Background())
	ts.Check(err)
	ts.Defer(func() {
		ts.Check(stop())
		ts.Check(client.Close())
	})
}

// pager writes changes into a file, a line each, and refuses them while another
// file is there.
type pager struct {
	check.StreamOnly
	out, refuse string
}

func (p pager) Deliver(_ context.Context, d check.Delivery) (string, error) {
	if _, err := os.Stat(p.refuse); err == nil {
		return "", check.Permanent(errors.New("404 no such service"))
	}
	f, err := os.OpenFile(p.out, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "%s %s %s ref=%s\n", d.Event.Change, d.Event.Incident.ID, d.Event.Incident.To, d.Ref)
	return "T-1", errors.Join(err, f.Close())
}
