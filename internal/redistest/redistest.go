// Package redistest gives tests a Redis of their own: the embedded miniredis
// and a real redis-server, started for the test on a free loopback port.
package redistest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/porttest"
)

// Each runs f as two subtests: on miniredis and on a real redis-server.
func Each(t *testing.T, f func(t *testing.T, client *redis.Client)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		f(t, Mini(t))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		s := Start(t)
		f(t, s.Client(t))
	})
}

// Mini starts a miniredis whose clock is the real one.
func Mini(t testing.TB) *redis.Client {
	t.Helper()
	m := miniredis.RunT(t)
	m.ClockTTL(true)
	c := redis.NewClient(&redis.Options{Addr: m.Addr(), DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Server is a redis-server process of one test.
type Server struct {
	Port int
	Dir  string
	// TLS is how clients connect; nil: without TLS.
	TLS  *tls.Config
	user string // of clients; empty: the default one
	file string // of settings, for a sentinel; empty: an ordinary server
	args []string
	cmd  *exec.Cmd
	// ended is closed when the process is.
	ended chan struct{}
}

// Start starts a redis-server on a free loopback port, without persistence
// unless args say otherwise, and ends it with the test. Where the program is
// missing the test is skipped with a loud line, or fails when
// REDPOLL_TEST_REDIS is "required".
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	need(t)
	s := &Server{Dir: t.TempDir(), args: args}
	s.start(t)
	return s
}

// need skips the test, or fails it, where the program is missing.
func need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("REDPOLL_TEST_REDIS") == "required" {
			t.Fatal("redis-server is not installed, and REDPOLL_TEST_REDIS says that it is required")
		}
		t.Skip("SKIPPED: redis-server is not installed; apt-get install redis-server")
	}
}

// start tries free ports until the server runs.
func (s *Server) start(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { s.Kill() })
	for range 5 { // another process may take the free port first
		s.Port = porttest.Free(t)
		if s.Run(t) == nil {
			return
		}
	}
	out, _ := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
	t.Fatalf("redis-server did not start: %s", out)
}

// Run starts the process, again after Kill, with the same port and directory,
// and waits until it answers: it, not another server that has the port.
func (s *Server) Run(t testing.TB) error {
	t.Helper()
	port := []string{"--port", strconv.Itoa(s.Port)}
	if s.TLS != nil {
		port = []string{"--port", "0", "--tls-port", strconv.Itoa(s.Port)}
	}
	args := append(append(port,
		"--bind", "127.0.0.1", "--dir", s.Dir, "--save", "",
		"--logfile", filepath.Join(s.Dir, "redis.log"), "--daemonize", "no",
	), s.args...)
	if s.file != "" {
		args = append([]string{s.file, "--sentinel", "--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.Dir,
			"--logfile", filepath.Join(s.Dir, "redis.log")}, s.args...)
	}
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	ended := make(chan struct{})
	s.ended = ended
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(ended)
	}(s.cmd)
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1, DialTimeout: time.Second, DisableIdentity: true, TLSConfig: s.TLS, Username: s.user, Password: s.user})
	defer c.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		if info, err := c.Info(context.Background(), "server").Result(); err == nil && strings.Contains(info, fmt.Sprintf("\nprocess_id:%d\r", s.Pid())) {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("redis-server on port %d ended at once", s.Port)
		case <-deadline:
			return fmt.Errorf("redis-server on port %d does not answer", s.Port)
		case <-tick.C:
		}
	}
}

// Kill ends the process with SIGKILL and waits for its end.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Pid is the process id of the server.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// URL is the address as -redis takes it.
func (s *Server) URL() string {
	if s.TLS != nil {
		return "rediss://" + s.Addr() + "/0"
	}
	return "redis://" + s.Addr() + "/0"
}

// Client connects to the server; it is closed with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: s.Addr(), DisableIdentity: true, TLSConfig: s.TLS, Username: s.user, Password: s.user,
		ReadTimeout: 30 * time.Second, // a busy machine may stand still for a while, and what is asked once more is done twice
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}
