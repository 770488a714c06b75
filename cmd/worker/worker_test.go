package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// proc is a worker that runs in this process.
type proc struct {
	t       *testing.T
	out     buffer
	signals chan os.Signal
	code    chan int
}

func startWorker(t *testing.T, args ...string) *proc {
	t.Helper()
	p := &proc{t: t, signals: make(chan os.Signal, 2), code: make(chan int, 1)}
	none := func(string) (string, bool) { return "", false }
	go func() {
		p.code <- daemon.Exec(context.WithoutCancel(t.Context()), &daemon.Process{Name: "worker", Args: args, LookupEnv: none, Stdout: &p.out, Stderr: &p.out}, run, p.signals)
	}()
	return p
}

// wait waits for the end and gives the exit code.
func (p *proc) wait() int {
	p.t.Helper()
	select {
	case code := <-p.code:
		return code
	case <-time.After(20 * time.Second):
		p.t.Fatalf("the worker does not end:\n%s", p.out.String())
		return -1
	}
}

// eventually waits until cond gives no error.
func (p *proc) eventually(cond func() error) {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(15 * time.Second)
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			p.t.Fatalf("waited in vain: %v\n%s", err, p.out.String())
		}
	}
}

// page finds the address of the metrics page in the log.
func (p *proc) page() (url string) {
	p.t.Helper()
	p.eventually(func() error {
		_, rest, ok := strings.Cut(p.out.String(), "for=listen address=")
		if !ok {
			return fmt.Errorf("no address in the log")
		}
		addr, _, _ := strings.Cut(rest, "\n")
		url = "http://" + addr
		return nil
	})
	return url
}

func get(url string) (int, string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// has gives an error unless the page answers with the code and the text.
func has(url string, code int, text string) error {
	got, body, err := get(url)
	if err == nil && (got != code || !strings.Contains(body, text)) {
		err = fmt.Errorf("GET %s = %d, want %d with %s", url, got, code, text)
	}
	return err
}

// put puts a check into the queue and makes it ready to run.
func put(t *testing.T, q *redisqueue.Queue, spec string) {
	t.Helper()
	c, err := check.Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	lane := check.Lane{Zone: c.ZoneName()}
	now, err := q.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rev := fmt.Sprintf("%d-0", now)
	if _, err = q.Adopt(t.Context(), lane, []check.Adoption{{ID: c.ID, Rev: rev, Spec: spec, SHA: check.SHA(spec), First: now}}); err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), lane); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Dispatch(t.Context(), lane, 10); err != nil {
		t.Fatal(err)
	}
}

// result waits for the last record of a check.
func (p *proc) result(q *redisqueue.Queue, id string) (last check.Last) {
	p.t.Helper()
	p.eventually(func() error {
		got, err := q.Specs(p.t.Context(), check.Lane{Zone: check.DefaultZone}, []string{id})
		if err == nil && got[0].Last == "" {
			err = fmt.Errorf("%s has no result", id)
		}
		if err == nil {
			err = json.Unmarshal([]byte(got[0].Last), &last)
		}
		return err
	})
	return last
}

func TestWorker(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q := redisqueue.New(server.Client(t), "")
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	handlers := filepath.Join(t.TempDir(), "handlers.yaml")
	if err := os.WriteFile(handlers, []byte("- {name: out, type: log, default: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startWorker(t, "-redis", server.URL(), "-listen", "127.0.0.1:0", "-handlers", handlers, "-name", "w1", "-slots", "10", "-log-level", "debug")
	page := p.page()
	p.eventually(func() error { return has(page+"/readyz", 200, "ok") })
	put(t, q, fmt.Sprintf(`{"id":"port","command":"tcp","every":"1m","params":{"host":"127.0.0.1","port":%d}}`, target.Addr().(*net.TCPAddr).Port))
	put(t, q, fmt.Sprintf(`{"id":"redis","command":"tcp","every":"1m","params":{"host":"127.0.0.1","port":%d}}`, server.Port))
	put(t, q, `{"id":"none","command":"absent","every":"1m"}`)
	if got := p.result(q, "port"); got.State != check.StateOK || got.Worker != "w1" {
		t.Errorf("port: %+v, want OK by w1", got)
	}
	if got := p.result(q, "redis"); got.State == check.StateOK || !strings.Contains(got.Text, "denied") {
		t.Errorf("redis: %+v, want it denied: checks must not reach redpoll's own Redis", got)
	}
	if got := p.result(q, "none"); got.Reason != check.ReasonNoCommand {
		t.Errorf("none: %+v, want NO_COMMAND", got)
	}
	for _, want := range []string{`redpoll_results_total{command="tcp",state="OK"} 1`, `redpoll_results_total{command="unknown",state="UNKNOWN"} 1`,
		`redpoll_check_duration_seconds_count{command="tcp"} 2`, `redpoll_check_lateness_seconds_count 3`, `redpoll_slots{state="free"} 10`,
		`redpoll_stale_completions_total 0`, `redpoll_missed_slots_total 0`, `redpoll_build_info{`} {
		p.eventually(func() error { return has(page+"/metrics", 200, want) })
	}
	workers, err := q.Workers(t.Context())
	if err != nil || len(workers) != 1 || workers[0].Name != "w1" || len(workers[0].Handlers) != 1 || workers[0].Slots != 10 {
		t.Errorf("Workers() = %+v, %v", workers, err)
	}
	p.signals <- syscall.SIGTERM
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.out.String())
	}
	if !strings.Contains(p.out.String(), "check=port") {
		t.Errorf("the log handler saw nothing:\n%s", p.out.String())
	}
	if workers, err := q.Workers(t.Context()); err != nil || len(workers) != 0 {
		t.Errorf("Workers() after the end = %+v, %v, want none", workers, err)
	}
}

func TestWorkerWaitsForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q := redisqueue.New(server.Client(t), "")
	server.Kill()
	p := startWorker(t, "-redis", server.URL(), "-listen", "127.0.0.1:0")
	page := p.page()
	p.eventually(func() error { return has(page+"/readyz", 503, "") })
	if err := has(page+"/healthz", 200, "ok"); err != nil {
		t.Error(err)
	}
	if err := server.Run(t); err != nil {
		t.Fatal(err)
	}
	p.eventually(func() error { return has(page+"/readyz", 200, "ok") })
	put(t, q, `{"id":"none","command":"absent","every":"1m"}`)
	p.result(q, "none")
	p.signals <- syscall.SIGINT
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestWorkerRefusesRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	p := startWorker(t, "-redis", server.URL(), "-listen", "")
	if code := p.wait(); code != 1 || !strings.Contains(p.out.String(), "noeviction") {
		t.Errorf("exit code %d with %s, want 1 and the policy", code, p.out.String())
	}
	p = startWorker(t, "-redis", server.URL(), "-listen", "", "-allow-eviction")
	p.eventually(func() error {
		if !strings.Contains(p.out.String(), "msg=lanes") {
			return fmt.Errorf("the worker does not work")
		}
		return nil
	})
	p.signals <- syscall.SIGTERM
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestWorkerSettings(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "handlers.yaml")
	if err := os.WriteFile(bad, []byte("- {name: out, type: logg}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startWorker(t, "-redis", "http://me:canary@h", "-slots", "0", "-lease", "1ms", "-zones", "A", "-name", "a b", "-grace", "-1s",
		"-deny-targets", "10.0.0.0/8,nonsense", "-secrets", bad+"/none", "-plugins", bad+"/none", "-handlers", bad)
	if code := p.wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	out := p.out.String()
	for _, want := range []string{"scheme", "-slots", "-lease", "-zones", "-name", "-grace", "nonsense", "-secrets", "-plugins", bad + ":1:", "did you mean log?"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "canary") {
		t.Errorf("output shows a password:\n%s", out)
	}
	p = startWorker(t, "-h")
	if code := p.wait(); code != 0 || !strings.Contains(p.out.String(), "REDPOLL_DENY_TARGETS") {
		t.Errorf("-h gave %d and\n%s", code, p.out.String())
	}
}
