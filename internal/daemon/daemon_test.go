package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestExecCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want int
		text string
	}{
		{"done", nil, 0, ""},
		{"help", ErrHelp, 0, ""},
		{"settings", fmt.Errorf("x: %w", &SettingsError{Name: "worker", Faults: []string{"-a: bad"}}), 2, "-a: bad"},
		{"failure", errors.New("broken"), 1, "worker: broken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, out := process(nil)
			got := Exec(t.Context(), p, func(context.Context, *Process) error { return tt.err }, nil)
			if got != tt.want || !strings.Contains(out.String(), tt.text) {
				t.Errorf("Exec() = %d with %q, want %d with %q", got, out, tt.want, tt.text)
			}
		})
	}
}

func TestExecSignals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		p, _ := process(nil)
		drain := func(ctx context.Context, _ *Process) error {
			<-ctx.Done()
			<-time.After(10 * time.Second)
			return nil
		}
		time.AfterFunc(time.Second, func() { signals <- syscall.SIGTERM })
		begin := time.Now()
		if code := Exec(t.Context(), p, drain, signals); code != 0 || time.Since(begin) != 11*time.Second {
			t.Errorf("Exec() with one signal = %d after %s, want 0 after 11s", code, time.Since(begin))
		}
		begin = time.Now()
		time.AfterFunc(time.Second, func() { signals <- syscall.SIGTERM })
		time.AfterFunc(2*time.Second, func() { signals <- syscall.SIGINT })
		if code := Exec(t.Context(), p, drain, signals); code != 1 || time.Since(begin) != 2*time.Second {
			t.Errorf("Exec() with two signals = %d after %s, want 1 after 2s", code, time.Since(begin))
		}
		<-time.After(time.Minute) // lets the abandoned daemon end
	})
}

// common makes a Common that listens on a free port.
func common(t *testing.T, args ...string) (*Common, *Process) {
	t.Helper()
	p, _ := process(args)
	s := NewSettings(p, "tests")
	c := NewCommon(s, "127.0.0.1:0")
	if err := s.Parse(); err != nil {
		t.Fatal(err)
	}
	return c, p
}

// addressLog is a log handler that hands over the address of each listener.
type addressLog struct {
	slog.Handler
	found chan string
}

func (h addressLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "address" {
			h.found <- a.Value.String()
		}
		return true
	})
	return nil
}

func TestServe(t *testing.T) {
	t.Parallel()
	c, _ := common(t, "-pprof=127.0.0.1:0")
	found := make(chan string, 2)
	log := slog.New(addressLog{slog.NewTextHandler(io.Discard, nil), found})
	var ready error
	h := NewHealth(time.Minute, func(context.Context) error { return ready })
	ctx, stop := context.WithCancel(t.Context())
	err := c.Serve(ctx, log, NewRegistry(), h, func(context.Context) error {
		page, prof := "http://"+<-found, "http://"+<-found
		expect(t, page+"/healthz", 200, "ok")
		expect(t, page+"/readyz", 200, "ok")
		expect(t, page+"/metrics", 200, "redpoll_build_info{")
		expect(t, page+"/metrics", 200, "go_goroutines")
		expect(t, page+"/debug/pprof/", 404, "")
		expect(t, prof+"/debug/pprof/", 200, "goroutine")
		ready = errors.New("redis: connection refused")
		expect(t, page+"/readyz", 503, "connection refused")
		expect(t, page+"/healthz", 200, "ok")
		ready = nil
		stop()
		waitFor(t, func() bool { return h.stopped.Load() })
		expect(t, page+"/readyz", 503, "stopping")
		return errors.New("work's own")
	})
	if err == nil || err.Error() != "work's own" {
		t.Errorf("Serve() = %v, want the error of work", err)
	}
}

// waitFor gives other goroutines the processor until cond holds.
func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-time.After(5 * time.Second):
			t.Fatal("waited for 5 s in vain")
		}
	}
}

func expect(t *testing.T, url string, code int, text string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Errorf("GET %s: %v", url, err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != code || !strings.Contains(string(body), text) {
		t.Errorf("GET %s = %d %.200q, %v, want %d with %q", url, resp.StatusCode, body, err, code, text)
	}
}

func TestServeAddressInUse(t *testing.T) {
	t.Parallel()
	c, _ := common(t)
	found := make(chan string, 1)
	log := slog.New(addressLog{slog.NewTextHandler(io.Discard, nil), found})
	h := NewHealth(time.Minute, nil)
	err := c.Serve(t.Context(), log, NewRegistry(), h, func(ctx context.Context) error {
		again, _ := common(t, "-listen="+<-found)
		return again.Serve(ctx, log, NewRegistry(), h, func(context.Context) error {
			t.Error("work ran without its address")
			return nil
		})
	})
	if err == nil || !strings.Contains(err.Error(), "-listen") {
		t.Errorf("Serve() on a used address = %v, want an error that names -listen", err)
	}
}

func TestHealthLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(10*time.Second, nil)
		<-time.After(9 * time.Second)
		h.Beat()
		<-time.After(9 * time.Second)
		if err := h.Alive(); err != nil {
			t.Errorf("Alive() 9 s after a beat = %v, want nil", err)
		}
		<-time.After(2 * time.Second)
		if err := h.Alive(); err == nil {
			t.Error("Alive() 11 s after a beat = nil, want an error")
		}
	})
}

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, h, away := slog.New(slog.DiscardHandler), NewHealth(time.Minute, nil), errors.New("away")
		tries := 0
		err := Await(t.Context(), log, h, func(context.Context) (bool, error) {
			if tries++; tries < 20 {
				return false, away
			}
			return false, nil
		})
		if err != nil || tries != 20 {
			t.Errorf("Await() = %v after %d tries, want nil after 20", err, tries)
		}
		if err := Await(t.Context(), log, h, func(context.Context) (bool, error) { return true, away }); !errors.Is(err, away) {
			t.Errorf("Await() of a final error = %v, want it", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := Await(ctx, log, h, func(context.Context) (bool, error) { return false, away }); err != nil || h.Alive() != nil {
			t.Errorf("Await() with an ended context = %v, alive %v, want nil and nil", err, h.Alive())
		}
	})
}

func TestLogger(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "level=WARN msg=odd check=a took=1.5s"},
		{[]string{"-log-format=json"}, `"level":"WARN","msg":"odd","check":"a","took":"1.5s"`},
		{[]string{"-log-level=error"}, ""},
	} {
		c, p := common(t, tt.args...)
		c.Logger(p.Stderr).Warn("odd", "check", "a", "took", 1500*time.Millisecond)
		if got := fmt.Sprint(p.Stderr); !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("Logger(%v) wrote %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestPaceCollector(t *testing.T) { // not parallel: the pace holds for the process
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for _, tt := range []struct {
		set  bool
		want int
	}{{true, 100}, {false, collectAt}} {
		paceCollector(func(string) (string, bool) { return "100", tt.set })
		if got := debug.SetGCPercent(100); got != tt.want {
			t.Errorf("with GOGC set %v the pace is %d, want %d", tt.set, got, tt.want)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const own, none1 = "/proc/self/cgroup", "9223372036854771712\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no cgroups", nil, 0},
		{"a container, version 2", map[string]string{own: "0::/\n", "/sys/fs/cgroup/memory.max": "10000000000\n"}, 10000000000},
		{"the same without /proc", map[string]string{"/sys/fs/cgroup/memory.max": "10000000000\n"}, 10000000000},
		{"no limit, version 2", map[string]string{own: "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"}, 0},
		{"no limit, version 1", map[string]string{own: "4:memory:/\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": none1}, 0},
		{"a container, version 1", map[string]string{
			own: "9:name=systemd:/\n5:cpu,memory:/kubepods/pod1/c1\n0::/\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "512000000\n",
		}, 512000000},
		{"a service", map[string]string{
			own: "0::/system.slice/worker.service\n", "/sys/fs/cgroup/system.slice/worker.service/memory.max": "300\n",
			"/sys/fs/cgroup/system.slice/memory.max": "max\n",
		}, 300},
		{"high below max", map[string]string{
			own: "0::/a\n", "/sys/fs/cgroup/a/memory.max": "300\n", "/sys/fs/cgroup/a/memory.high": "200\n",
		}, 200},
		{"the group above has less", map[string]string{
			own: "4:memory:/pod/c\n", "/sys/fs/cgroup/memory/pod/c/memory.limit_in_bytes": none1,
			"/sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "700\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "900\n",
		}, 700},
		{"junk", map[string]string{own: "x\n4:memory:../..\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "much\n"}, 0},
	} {
		read := func(path string) ([]byte, error) {
			if text, ok := tt.files[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		}
		if got := memoryLimit(read); got != tt.want {
			t.Errorf("%s: memoryLimit() = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestLimitMemory(t *testing.T) { // not parallel: a limit holds for the process
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	read := func(path string) ([]byte, error) {
		if path == "/sys/fs/cgroup/memory.max" {
			return []byte("10000000000\n"), nil
		}
		return nil, fs.ErrNotExist
	}
	unset := func(string) (string, bool) { return "", false }
	if got := limitMemory(unset, read); got != 9000000000 || debug.SetMemoryLimit(-1) != got {
		t.Errorf("limitMemory() = %d and the runtime has %d, want nine tenths of the container's memory", got, debug.SetMemoryLimit(-1))
	}
	set := func(string) (string, bool) { return "1GiB", true }
	if got := limitMemory(set, read); got != 0 {
		t.Errorf("limitMemory() with GOMEMLIMIT = %d, want 0", got)
	}
}
