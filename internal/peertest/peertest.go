// Package peertest starts real servers for tests: each as a process of the
// test's own, on a free loopback port, with its data in a temporary directory.
package peertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// requiredEnv turns a missing server into a failure when it is "required".
const requiredEnv = "REDPOLL_TEST_SERVERS"

const (
	startTime = 60 * time.Second // a data base on a busy machine
	stopTime  = 10 * time.Second
	nobody    = 65534
)

// Program finds the program by one of its names or paths. When it is missing
// the test is skipped, or fails when REDPOLL_TEST_SERVERS=required.
func Program(t testing.TB, pkg string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if matches, err := filepath.Glob(name); err == nil && len(matches) > 0 && filepath.IsAbs(name) {
			return matches[len(matches)-1]
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, fmt.Sprintf("no %s on this machine: apt-get install %s", names[0], pkg))
	return ""
}

// missing ends a test that lacks its server.
func missing(t testing.TB, text string) {
	t.Helper()
	if os.Getenv(requiredEnv) == "required" {
		t.Fatalf("%s (%s=required)", text, requiredEnv)
	}
	t.Skipf("SKIPPED, NOTHING WAS TESTED: %s", text)
}

// Dir makes a temporary directory that servers may use: as root they run as
// nobody, who owns it.
func Dir(t testing.TB) string {
	t.Helper()
	// Not t.TempDir: its name can be longer than a unix socket's may be.
	dir, err := os.MkdirTemp("", "peer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	Give(t, dir)
	return dir
}

// Give makes path the property of the user that servers run as.
func Give(t testing.TB, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// Write makes a file in dir for the servers.
func Write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	// A child that is started right now would hold the file open for writing
	// for a moment; to run it then is ETXTBSY.
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, []byte(content), 0o600)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	Give(t, path)
	return path
}

// Run runs a program to its end, as the user that servers run as.
func Run(t testing.TB, dir, path string, args ...string) {
	t.Helper()
	cmd := command(t.Context(), dir, path, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", path, args, err, out)
	}
}

// Serve starts a server and waits until ready returns nil. It is killed with
// all its children when the test ends, or by end; its output is shown when the
// test fails.
func Serve(t testing.TB, ready func(context.Context) error, dir, path string, args ...string) (end func()) {
	t.Helper()
	// Not t.Context(), which ends before the clean-up that stops the server.
	return serve(t, ready, command(context.WithoutCancel(t.Context()), dir, path, args...))
}

func serve(t testing.TB, ready func(context.Context) error, cmd *exec.Cmd) (end func()) {
	t.Helper()
	path := cmd.Path
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = stopTime
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	end = sync.OnceFunc(func() { stop(cmd, ended) })
	t.Cleanup(func() {
		end()
		if t.Failed() {
			t.Logf("output of %s:\n%s", path, out.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return end
		}
		select {
		case why := <-ended:
			ended <- why
			t.Fatalf("%s ended: %v\n%s", path, why, out.String())
		case <-ctx.Done():
			t.Fatalf("%s is not ready: %v\n%s", path, err, out.String())
		case <-tick.C:
		}
	}
}

// stop asks the server to end, and kills what is left of its group.
func stop(cmd *exec.Cmd, ended chan error) {
	group := -cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopTime):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-ended
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
}

// command prepares a program with a group of its own and little environment.
func command(ctx context.Context, dir, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// Connects is a ready function: somebody listens on addr.
func Connects(network, addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return err
		}
		return nc.Close()
	}
}

// output keeps what a server says.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() > 1<<20 {
		return len(p), nil
	}
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
