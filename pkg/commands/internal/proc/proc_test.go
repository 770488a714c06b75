//go:build linux

package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redpoll/redpoll/internal/peertest"
)

// sh is a program that runs script.
func sh(script string) Program {
	return Program{Path: "/bin/sh", Args: []string{"-c", script}}
}

// mustRun runs a script that is expected to end by itself.
func mustRun(t *testing.T, p Program) Output {
	t.Helper()
	var r Runner
	out, err := r.Run(t.Context(), p)
	if err != nil {
		t.Fatalf("Run(%q) = %v", p.Args, err)
	}
	return out
}

// eventually waits for ok with a deadline of ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within 10 s: %s", what)
		case <-tick.C:
		}
	}
}

// gone says that no process has the number, zombies aside.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func TestRunOutput(t *testing.T) {
	t.Parallel()
	out := mustRun(t, sh("echo out; echo err >&2; exit 3"))
	if string(out.Stdout) != "out\n" || string(out.Stderr) != "err\n" || out.Code != 3 || out.Cut || out.Took <= 0 {
		t.Errorf("Run = %+v, want out, err and code 3", out)
	}
	out = mustRun(t, sh("kill -SEGV $$"))
	if out.Code != -1 || out.Signal != syscall.SIGSEGV {
		t.Errorf("Run of a crash = code %d signal %v, want -1 and SIGSEGV", out.Code, out.Signal)
	}
}

func TestRunConfines(t *testing.T) {
	t.Setenv("REDPOLL_CANARY", "must not be seen") // and so not parallel
	out := mustRun(t, Program{Path: "/bin/sh", Args: []string{"-c", `
		env | grep -v ^PWD= | sort
		echo "dir=$(ls -A . | wc -l)"
		echo "stdin=$(wc -c)"
		grep -E '^(NoNewPrivs|Uid):' /proc/self/status
		grep -E '^Max (cpu|address|open|processes|file|core)' /proc/self/limits
	`}, Limits: Limits{CPU: 1500 * time.Millisecond, Memory: 1 << 30, Files: 17, Processes: 5000}})
	got := strings.Join(strings.Fields(string(out.Stdout)), " ")
	for _, want := range []string{
		"LANG=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin dir=0", "stdin=0", "NoNewPrivs: 1",
		"cpu time 2 2 seconds", "open files 17 17", "processes 5000 5000", "address space 1073741824 1073741824", "core file size 0 0",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("a program sees %q, want %q in it", got, want)
		}
	}
	if strings.Contains(got, "Uid: 0") || strings.Contains(got, "CANARY") {
		t.Errorf("a program sees %q, want neither root nor the worker's environment", got)
	}
	if status, err := os.ReadFile("/proc/self/status"); err != nil || bytes.Contains(status, []byte("NoNewPrivs:\t1")) {
		t.Errorf("the worker itself lost its privileges: %s %v", status, err)
	}
}

func TestRunHome(t *testing.T) {
	t.Parallel()
	p := sh(`test "$HOME" = "$(pwd)" && echo here`)
	p.Home = true
	if out := mustRun(t, p); string(out.Stdout) != "here\n" {
		t.Errorf("Run = %q, want HOME to be the directory", out.Stdout)
	}
}

func TestRunLeavesNoDirectory(t *testing.T) {
	t.Parallel()
	out := mustRun(t, sh("pwd; touch a; mkdir b"))
	dir := strings.TrimSpace(string(out.Stdout))
	if _, err := os.Stat(dir); !strings.Contains(dir, "redpoll-run-") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory %q: %v, want it gone", dir, err)
	}
}

func TestRunCapsOutput(t *testing.T) {
	t.Parallel()
	out := mustRun(t, sh("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 0"))
	if n := len(out.Stdout) + len(out.Stderr); n != DefaultOutput || !out.Cut || out.Code != 0 {
		t.Errorf("kept %d bytes, cut %t, code %d, want %d, cut and 0: the program must not block", n, out.Cut, out.Code, DefaultOutput)
	}
}

func TestRunLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		script string
		limits Limits
		ended  func(Output) bool
	}{
		{"cpu", "while :; do :; done", Limits{CPU: time.Second}, func(o Output) bool { return o.Signal != 0 }},
		{"memory", "head -c 200000000 /dev/zero | tail", Limits{Memory: 64 << 20}, func(o Output) bool { return o.Code != 0 }},
		{"files", "for i in 3 4 5 6 7 8 9; do eval \"exec $i</dev/null\" || exit 9; done", Limits{Files: 6}, func(o Output) bool { return o.Code != 0 }},
		{"processes", "for i in $(seq 300); do sleep 100 & done", Limits{Processes: 40}, func(o Output) bool {
			return o.Code != 0 && strings.Contains(string(o.Stderr), "fork")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := sh(tt.script)
			p.Limits = tt.limits
			if out := mustRun(t, p); !tt.ended(out) {
				t.Errorf("Run(%s) = %+v, want the limit to end it", tt.script, out)
			}
		})
	}
}

// Not parallel: the fork bomb uses up what all tests of the user may start.
func TestRunKillsOnCancel(t *testing.T) {
	for name, script := range map[string]string{
		"sleeps":          "exec sleep 1000",
		"ignores signals": "trap '' TERM INT HUP; while :; do sleep 1000; done",
		"grandchildren":   "(sleep 1000; sleep 1000) & (sleep 1000 & wait) & wait",
		"endless output":  "yes",
		"stopped":         "kill -STOP $$",
		"fork bomb":       "bomb() { bomb | bomb & }; bomb & exec sleep 1000",
	} {
		t.Run(name, func(t *testing.T) {
			p := sh(script)
			if name == "fork bomb" {
				p.Limits.Processes = uint64(peertest.Tasks(t) + 400)
			}
			c := &child{program: p, out: newCapture(0), done: make(chan struct{}, 1)}
			go c.live()
			group := 0
			eventually(t, "the program is started", func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				group = c.pid
				return group != 0
			})
			select {
			case <-c.done:
				t.Fatalf("%q ended by itself: %v %s", script, c.err, c.out.stderr)
			case <-time.After(300 * time.Millisecond): // for the worst that it can do
			}
			killed := time.Now()
			c.kill()
			if <-c.done; c.err != nil || time.Since(killed) > 5*time.Second {
				t.Errorf("ended %v after the kill with %v", time.Since(killed), c.err)
			}
			eventually(t, "nobody is left in the group", func() bool { return len(members(t, group)) == 0 })
		})
	}
}

func deadline(t *testing.T, ctx context.Context) time.Time {
	t.Helper()
	d, ok := ctx.Deadline()
	if !ok {
		t.Fatal("no deadline")
	}
	return d
}

// members lists the living processes of a group.
func members(t *testing.T, group int) []int {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || gone(pid) {
			continue
		}
		if g, err := syscall.Getpgid(pid); err == nil && g == group {
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestRunCancelIsFast(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var r Runner
	_, err := r.Run(ctx, sh("trap '' TERM; sleep 1000"))
	if late := time.Since(deadline(t, ctx)); !errors.Is(err, context.DeadlineExceeded) || late > 5*time.Second {
		t.Errorf("Run = %v, %v after the end, want the context's error at once", err, late)
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := r.Run(cancelled, sh("exit 0")); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a cancelled context = %v, want context.Canceled", err)
	}
}

func TestRunKillsWhatIsLeftBehind(t *testing.T) {
	t.Parallel()
	// As a worker that is pid 1 of its container: orphans come to us.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, sh("sleep 1000 & echo $!"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(out.Stdout)))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the background process is gone, and no zombie", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return errors.Is(err, os.ErrNotExist)
	})
}

// A process that leaves the group escapes the kill, but it cannot hold up the
// result, and its limits stay.
func TestRunDoesNotWaitForEscapees(t *testing.T) {
	t.Parallel()
	out := mustRun(t, sh("mkfifo away; setsid sh -c 'echo $$; echo >away; exec sleep 20' & read x <away; echo done"))
	fields := strings.Fields(string(out.Stdout))
	if len(fields) != 2 || fields[1] != "done" {
		t.Fatalf("Run = %q, want a number and done", out.Stdout)
	}
	if pid, err := strconv.Atoi(fields[0]); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if out.Took > 5*time.Second {
		t.Errorf("Run took %v, want it to wait no longer than %v for the output", out.Took, pipeWait)
	}
}

func TestRunRefusesWhenStuck(t *testing.T) {
	t.Parallel()
	var r Runner
	r.stuck.Store(maxStuck)
	if _, err := r.Run(t.Context(), sh("exit 0")); !errors.Is(err, ErrStuck) {
		t.Errorf("Run = %v, want ErrStuck", err)
	}
}

func TestRunMissingProgram(t *testing.T) {
	t.Parallel()
	var r Runner
	if _, err := r.Run(t.Context(), Program{Path: "/nonexistent/program"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run = %v, want os.ErrNotExist", err)
	}
}

func TestRunConcurrently(t *testing.T) {
	t.Parallel()
	var r Runner
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			out, err := r.Run(t.Context(), sh(fmt.Sprintf("echo %d; exit %d", i, i)))
			if err != nil || out.Code != i || string(out.Stdout) != fmt.Sprintln(i) {
				t.Errorf("run %d = %q %d %v", i, out.Stdout, out.Code, err)
			}
		})
	}
	wg.Wait()
}
