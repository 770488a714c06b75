package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
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
			testscript.Run(t, testscript.Params{
				Files:         []string{file},
				UpdateScripts: os.Getenv("REDPOLL_UPDATE") != "",
				Setup: func(env *testscript.Env) error {
					env.Setenv("REDPOLL_REDIS", server.URL())
					env.Setenv("PORT", strconv.Itoa(server.Port))
					env.Setenv("FREEPORT", strconv.Itoa(redistest.FreePort(t)))
					env.Setenv("USER", "tester")
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"fleet":      func(ts *testscript.TestScript, _ bool, _ []string) { startFleet(ts, server.URL()) },
					"eventually": eventually, "code": exitCode, "shell": runShell, "sub": substitute, "expand": expand,
				},
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
	}
	stop, err := f.start(context.Background())
	ts.Check(err)
	ts.Defer(func() {
		ts.Check(stop())
		ts.Check(client.Close())
	})
}

// eventually PATTERN PROGRAM ARG...: runs the program until its output matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] eventually PATTERN PROGRAM ARG...")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	var out string
	for end := time.After(20 * time.Second); ; {
		_ = ts.Exec(args[1], args[2:]...) // its output decides
		out = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if want.MatchString(out) != neg {
			return
		}
		select {
		case <-end:
			ts.Fatalf("%q never came (or went) in\n%s", args[0], out)
		case <-tick.C:
		}
	}
}

// code N PROGRAM ARG...: the program ends with the exit code N.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	if got != want || neg {
		ts.Fatalf("%v ended with %d, want %d", args[1:], got, want)
	}
}

// shell FILE: gives each line of the file to sh -c.
func runShell(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if err := ts.Exec("sh", "-c", strings.TrimSuffix(line, "\n")); err != nil {
			ts.Fatalf("sh -c %s: %v\n%s%s", line, err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}

// sub NAME PATTERN FILE: sets a variable to the first group of the pattern.
func substitute(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if found == nil {
		ts.Fatalf("%q is not in\n%s", args[1], ts.ReadFile(args[2]))
	}
	ts.Setenv(args[0], found[1])
}

// expand FILE...: puts the script's variables into the files.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}
