package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// output is a writer that a test reads while the daemon writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// eventually waits until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// start runs the daemon and gives its log, its address and what ends it.
func start(t *testing.T, args ...string) (log *output, base string, stop func() error) {
	t.Helper()
	log = &output{}
	ctx, cancel := context.WithCancel(t.Context())
	p := &daemon.Process{
		Name: "scheduler", Args: append([]string{"-listen", "127.0.0.1:0"}, args...),
		LookupEnv: func(string) (string, bool) { return "", false }, Stdout: io.Discard, Stderr: log,
	}
	done := make(chan error, 1)
	go func() { done <- run(ctx, p) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	t.Cleanup(func() { _ = stop() })
	listening := regexp.MustCompile(`address=(127\.0\.0\.1:\d+)`)
	eventually(t, "the address", func() bool { return listening.MatchString(log.String()) })
	return log, "http://" + listening.FindStringSubmatch(log.String())[1], stop
}

// get asks the daemon's page.
func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestSchedulerTakesARequestToTheWorkers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	_, base, stop := start(t, "-redis", server.URL(), "-log-level", "debug")
	eventually(t, "readiness", func() bool { code, _ := get(t, base+"/readyz"); return code == http.StatusOK })

	q := redisqueue.New(server.Client(t), "")
	lane := check.Lane{Zone: "default"}
	entry, err := q.Request(t.Context(), []string{"id", "web1", "command", "tcp", "every", "30s", "params.host", "127.0.0.1", "params.port", "1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Request(t.Context(), []string{"id", "web1", "command", "tpc", "every", "30s"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the check in the stream", func() bool {
		st, err := q.Stats(t.Context(), lane)
		return err == nil && st.Ready == 1
	})
	eventually(t, "the verdicts", func() bool {
		found, err := q.Client().XRange(t.Context(), q.KeyIntakeLog(), "-", "+").Result()
		if err != nil || len(found) < 2 {
			return false
		}
		if v := found[0].Values; v["entry"] != entry || v["verdict"] != "accepted" || v["id"] != "web1" {
			t.Errorf("first verdict = %v", v)
		}
		if v := found[1].Values; v["verdict"] != "rejected" || !strings.Contains(fmt.Sprint(v["reason"]), "did you mean tcp?") {
			t.Errorf("second verdict = %v", v)
		}
		return true
	})
	var page string
	eventually(t, "the zone's figures", func() bool {
		_, page = get(t, base+"/metrics")
		return strings.Contains(page, `redpoll_ready_entries{zone="default"} 1`)
	})
	for _, want := range []string{
		`redpoll_overdue_seconds{zone="default"} 0`, `redpoll_requests_total{verdict="accepted"} 1`, "redpoll_dispatched_total 1",
		`redpoll_repairs_total{kind="lost"} 0`, "redpoll_strays_total 0", "redpoll_build_info",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("metrics have no %s", want)
		}
	}
	if code, _ := get(t, base+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz = %d", code)
	}
	if err := stop(); err != nil {
		t.Errorf("run() = %v after the stop, want nil", err)
	}
}

// A scheduler that starts before its Redis waits, alive and not ready; it
// outlives a Redis that goes and comes back.
func TestSchedulerOutlivesRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill()
	log, base, stop := start(t, "-redis", server.URL())
	eventually(t, "a line about it", func() bool { return strings.Contains(log.String(), "waiting for redis") })
	ready := func() bool { code, _ := get(t, base+"/readyz"); return code == http.StatusOK }
	if ready() {
		t.Error("ready without Redis")
	}
	if err := server.Run(t); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness", ready)
	server.Kill()
	eventually(t, "unreadiness", func() bool { return !ready() })
	if code, _ := get(t, base+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz = %d while Redis is away: a restart would not help", code)
	}
	if err := server.Run(t); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness again", ready)
	if err := stop(); err != nil {
		t.Errorf("run() = %v, want nil", err)
	}
}

func TestSchedulerRefusesARedisThatEvicts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	_, _, stop := start(t, "-redis", server.URL(), "-allow-eviction")
	if err := stop(); err != nil {
		t.Errorf("with -allow-eviction: %v", err)
	}
	p := &daemon.Process{
		Name: "scheduler", Args: []string{"-listen", "", "-redis", server.URL()},
		LookupEnv: func(string) (string, bool) { return "", false }, Stdout: io.Discard, Stderr: io.Discard,
	}
	err := run(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "maxmemory-policy allkeys-lru") || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("run() = %v, want what is wrong and what to do", err)
	}
}

func TestSchedulerTellsAllWrongSettings(t *testing.T) {
	t.Parallel()
	errs := &output{}
	p := &daemon.Process{
		Name: "scheduler", Args: []string{"-log-level", "loud", "-nonsense", "1"}, Stdout: io.Discard, Stderr: errs,
		LookupEnv: func(key string) (string, bool) { return "nowhere", key == "REDPOLL_REDIS" },
	}
	if code := daemon.Exec(t.Context(), p, run, nil); code != 2 {
		t.Errorf("exit code = %d, want 2", code)
	}
	for _, want := range []string{"-log-level", "-nonsense", "REDPOLL_REDIS"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("no word of %s in %s", want, errs)
		}
	}
}
