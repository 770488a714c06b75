package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// asWorker makes the test binary a worker.
const asWorker = "REDPOLL_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		main()
	}
	os.Exit(m.Run())
}

// child is a worker in a process of its own.
type child struct {
	*proc
	cmd *exec.Cmd
}

func startChild(t *testing.T, server *redistest.Server, name string) *child {
	t.Helper()
	c := &child{proc: &proc{t: t}, cmd: exec.Command(os.Args[0], "-redis", server.URL(), "-name", name, "-lease", "1s", "-listen", "127.0.0.1:0")}
	c.cmd.Env = append(os.Environ(), asWorker+"=1")
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	page := c.page()
	c.eventually(func() error { return has(page+"/readyz", 200, "ok") })
	return c
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// silent listens and never says a word; it hands over each connection.
func silent(t *testing.T) (port int, calls chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls = make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			calls <- conn
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port, calls
}

// arrives waits for a connection, at most for limit.
func (c *child) arrives(calls chan net.Conn, limit time.Duration) net.Conn {
	c.t.Helper()
	select {
	case conn := <-calls:
		return conn
	case <-time.After(limit):
		c.t.Fatalf("nobody runs the check within %s:\n%s", limit, c.out.String())
		return nil
	}
}

const waits = `{"id":"waits","command":"tcp","every":"1m","timeout":"20s","params":{"host":"127.0.0.1","port":%d,"expect":"ok","timeout":"19s"}}`

// recovery is the bar of design section 8 for a lease of 1 s, with three seconds
// for a machine that is busy with other tests, as fleets of proctest have.
const recovery = time.Second + time.Second/3 + time.Second + 3*time.Second

// TestKilledWorker: another worker takes a dead one's check over in time.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q := redisqueue.New(server.Client(t), "")
	port, calls := silent(t)
	first := startChild(t, server, "first")
	put(t, q, fmt.Sprintf(waits, port))
	defer first.arrives(calls, 10*time.Second).Close() // one that is forgotten is closed by the collector
	second := startChild(t, server, "second")
	first.signal(syscall.SIGKILL)
	conn := second.arrives(calls, recovery)
	if _, err := conn.Write([]byte("ok")); err != nil {
		t.Fatal(err)
	}
	if got := second.result(q, "waits"); got.Worker != "second" || got.Reason != "" {
		t.Errorf("result %+v, want OK by the second worker", got)
	}
}

// TestFrozenWorker: what a worker found out before it was stopped for longer
// than its lease is of no use to anybody.
func TestFrozenWorker(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q := redisqueue.New(server.Client(t), "")
	port, calls := silent(t)
	first := startChild(t, server, "first")
	put(t, q, fmt.Sprintf(waits, port))
	early := first.arrives(calls, 10*time.Second)
	first.signal(syscall.SIGSTOP)
	second := startChild(t, server, "second")
	late := second.arrives(calls, recovery)
	if _, err := early.Write([]byte("ok")); err != nil { // the first one would say OK now
		t.Fatal(err)
	}
	first.signal(syscall.SIGCONT)
	page := first.page()
	first.eventually(func() error { return has(page+"/metrics", 200, "redpoll_stale_completions_total 1") })
	late.Close()
	if got := second.result(q, "waits"); got.Worker != "second" || got.Reason == "" {
		t.Errorf("result %+v, want the second worker's, that the target hung up", got)
	}
}

// TestSecondSignal: the grace of 25 s is over when a second signal says so.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q := redisqueue.New(server.Client(t), "")
	port, calls := silent(t)
	first := startChild(t, server, "first")
	put(t, q, fmt.Sprintf(waits, port))
	defer first.arrives(calls, 10*time.Second).Close() // one that is forgotten is closed by the collector
	first.signal(syscall.SIGTERM)
	first.eventually(func() error {
		if !strings.Contains(first.out.String(), "worker stops") {
			return errors.New("the worker does not stop")
		}
		return nil
	})
	first.signal(syscall.SIGTERM)
	err := first.cmd.Wait()
	if code := first.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d (%v), want 1", code, err)
	}
}
