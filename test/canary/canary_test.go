package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/bintest"
	"github.com/redpoll/redpoll/internal/redistest"
)

func TestMain(m *testing.M) { os.Exit(bintest.Main(m)) }

// TestSecretsStaySecret runs the whole with logs at their most talkative, once
// in each format.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, format)
			w := newWorld(t)
			for _, s := range w.checks {
				f.request("spec", s.text(t))
			}
			// Somebody types a secret where a reference belongs.
			f.request("id", "typed1", "command", "mysql", "every", "1m", "params.host", "127.0.0.1", "params.user", "x", "params.password", canary("typed"))
			f.request("id", "typed2", "command", "snmp", "every", "1m", "params.host", "127.0.0.1", "params.community", canary("typed"), "params.interfaces", "1")
			f.request("id", "typed3", "command", "http", "every", "1m", "params.url", "http://127.0.0.1/", "params.bearer.secret", canary("typed")+"!")
			f.waitFor(w)
			f.waitForHandlers()
			f.look("the log of the scheduler", f.logs["scheduler"].String())
			f.look("the log of the worker", f.logs["worker"].String())
			f.pages()
			f.keys()
			if format == "text" { // nothing in them depends on it
				f.cli()
				f.local(w)
			}
			for _, name := range []string{"web", "community", "sql"} {
				if !slices.Contains(found(w.heard.String()), name) {
					t.Errorf("no target was told the secret %s: this test shows nothing about it", name)
				}
			}
			for _, name := range []string{"hook", "tree", "alert"} {
				if !slices.Contains(found(f.heard.String()), name) {
					t.Errorf("no handler sent the secret %s: this test shows nothing about it", name)
				}
			}
			if strange := w.strange.String() + f.strange.String(); found(strange) != nil {
				t.Errorf("a target that is in no list was told the secrets %v:\n%.2000q", found(strange), strange)
			}
		})
	}
}

// fleet is a Redis with a password, a scheduler and a worker.
type fleet struct {
	*testing.T
	server *redistest.Server
	client *redis.Client
	env    []string
	logs   map[string]*listener
	// heard is what handlers told who may hear it, strange what they told others.
	heard, strange *listener
}

func newFleet(t *testing.T, format string) *fleet {
	t.Helper()
	f := &fleet{T: t, server: redistest.Start(t), logs: map[string]*listener{}, heard: &listener{}, strange: &listener{}}
	if err := f.server.Client(t).ConfigSet(t.Context(), "requirepass", canary("redis")).Err(); err != nil {
		t.Fatal(err)
	}
	f.client = redis.NewClient(&redis.Options{Addr: f.server.Addr(), Password: canary("redis"), DisableIdentity: true})
	t.Cleanup(func() { _ = f.client.Close() })
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(canary("redis")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env = append(os.Environ(),
		"REDPOLL_REDIS="+f.server.URL(), "REDPOLL_REDIS_PASSWORD_FILE="+password, "REDPOLL_LISTEN=127.0.0.1:0",
		"REDPOLL_LOG_LEVEL=debug", "REDPOLL_LOG_FORMAT="+format, "REDPOLL_SECRETS="+secretsDir(t))
	f.start("scheduler")
	f.start("worker", "-handlers", writeFile(t, "handlers.yaml", handlers(t, f.heard, f.strange)))
	return f
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start starts a daemon, which ends with the test.
func (f *fleet) start(name string, args ...string) {
	f.Helper()
	log := &listener{}
	f.logs[name] = log
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = f.env, log, log
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if f.Failed() {
			f.Logf("log of %s:\n%.4000s", name, log.String())
		}
	})
}

func (f *fleet) request(fields ...string) {
	f.Helper()
	if err := f.client.XAdd(f.Context(), &redis.XAddArgs{Stream: "redpoll:intake", Values: fields}).Err(); err != nil {
		f.Fatal(err)
	}
}

// eventually waits until cond gives no error.
func (f *fleet) eventually(cond func() error) {
	f.Helper()
	limit := time.After(40 * time.Second)
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			f.Fatalf("waited in vain: %v", err)
		}
	}
}

// waitFor waits until every check has its result and every request its verdict.
func (f *fleet) waitFor(w *world) {
	f.Helper()
	f.eventually(func() error {
		last, err := f.client.HKeys(f.Context(), "redpoll:{default:0}:last").Result()
		if err != nil {
			return err
		}
		var missing []string
		for _, s := range w.checks {
			if !slices.Contains(last, s.id) {
				missing = append(missing, s.id)
			}
		}
		verdicts, err := f.client.XLen(f.Context(), "redpoll:intake:log").Result()
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("no result of %v", missing)
		}
		if err == nil && int(verdicts) < len(w.checks)+3 {
			err = fmt.Errorf("%d verdicts, want %d", verdicts, len(w.checks)+3)
		}
		return err
	})
}

// look fails the test when text has a secret in it.
func (f *fleet) look(where, text string) {
	f.Helper()
	if text == "" {
		f.Errorf("%s: nothing to look at", where)
	}
	if names := found(text); names != nil {
		at := 0
		for _, form := range forms(canary(names[0])) {
			if i := strings.Index(text, form); i >= 0 {
				at = i
				break
			}
		}
		f.Errorf("%s has the secrets %v: ...%q...", where, names, text[max(0, at-300):min(len(text), at+100)])
	}
}

// pages looks at what the daemons tell about themselves.
func (f *fleet) pages() {
	f.Helper()
	for name, log := range f.logs {
		var addr string
		for _, mark := range []string{"for=listen address=", `"for":"listen","address":"`} {
			if _, rest, ok := strings.Cut(log.String(), mark); ok {
				addr = rest[:strings.IndexAny(rest, "\"\n ")]
			}
		}
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			resp, err := http.Get("http://" + addr + path)
			if err != nil {
				f.Fatalf("%s of %s: %v", path, name, err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				f.Fatal(err)
			}
			f.look(path+" of "+name, string(body))
		}
	}
}

// keys looks at everything that is in Redis.
func (f *fleet) keys() {
	f.Helper()
	ctx := f.Context()
	keys, err := f.client.Keys(ctx, "*").Result()
	if err != nil || len(keys) < 8 {
		f.Fatalf("keys = %v, %v", keys, err)
	}
	for _, key := range keys {
		kind, err := f.client.Type(ctx, key).Result()
		var value any
		switch {
		case err != nil:
		case kind == "none": // it has run out since
			continue
		case kind == "hash":
			value, err = f.client.HGetAll(ctx, key).Result()
		case kind == "stream":
			value, err = f.client.XRange(ctx, key, "-", "+").Result()
		case kind == "zset":
			value, err = f.client.ZRangeWithScores(ctx, key, 0, -1).Result()
		case kind == "string":
			value, err = f.client.Get(ctx, key).Result()
		default:
			err = errors.New("a kind that this test does not know: " + kind)
		}
		if err != nil && !errors.Is(err, redis.Nil) {
			f.Fatalf("key %s: %v", key, err)
		}
		f.look("key "+key, fmt.Sprintf("%s %v", key, value))
	}
}

// redpoll runs the operator's command and gives all that it prints.
func (f *fleet) redpoll(stdin string, args ...string) (text string, code int) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "redpoll", args...)
	cmd.Env, cmd.Stdin = f.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		f.Errorf("redpoll %q: %v", args, err)
		return "", -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// cli looks at what redpoll prints about checks.
func (f *fleet) cli() {
	f.Helper()
	ids, err := f.client.HKeys(f.Context(), "redpoll:{default:0}:specs").Result()
	if err != nil {
		f.Fatal(err)
	}
	for _, args := range [][]string{
		{"get"}, {"get", "-o", "json"}, append([]string{"describe"}, ids...), append([]string{"describe", "-o", "yaml"}, ids...), {"export"}, {"export", "-o", "json"},
		{"results", "-n", "1000"}, {"results", "-n", "1000", "-o", "jsonl"}, {"incidents"}, {"incidents", "-o", "json"}, {"workers", "-o", "json"}, {"due"}, {"doctor"},
	} {
		text, _ := f.redpoll("", args...)
		f.look("redpoll "+strings.Join(args[:min(len(args), 3)], " "), text)
	}
	text, code := f.redpoll("", "add", "typed4", "mysql", "--every", "1m", "host=127.0.0.1", "user=x", "password="+canary("typed"))
	if code != 1 {
		f.Errorf("redpoll add with a password in plain text ends with %d: %s", code, text)
	}
	f.look("redpoll add", text)
}

// local looks at what redpoll run --local prints.
func (f *fleet) local(w *world) {
	f.Helper()
	var all sync.WaitGroup
	const together = 8 // they mostly wait
	for worker := range together {
		all.Go(func() {
			for i := worker; i < len(w.checks); i += together {
				s := w.checks[i]
				text, _ := f.redpoll(s.text(f.T), "run", "--local", "-o", []string{"table", "json", "yaml"}[i%3])
				f.look("redpoll run --local of "+s.id, text)
			}
		})
	}
	all.Wait()
	text, code := f.redpoll("", "run", "--local", "snmp", "host=127.0.0.1", "community="+canary("typed"), "interfaces=1")
	if code != 3 {
		f.Errorf("redpoll run --local with a community in plain text ends with %d: %s", code, text)
	}
	f.look("redpoll run --local", text)
}
