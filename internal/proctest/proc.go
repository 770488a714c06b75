// Package proctest runs the daemons of this project as processes of a test,
// gives them a target to check, and compares what that saw with the results.
package proctest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Logs are what a process writes, readable while it does.
type Logs struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Tail gives the last lines.
func (l *Logs) Tail(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// Proc is a daemon that runs as a process.
type Proc struct {
	t    testing.TB
	Name string
	Args []string // the program first
	Cmd  *exec.Cmd
	Logs *Logs
	// Ended is closed when the process is; Code is its exit code then, -1
	// after a signal.
	Ended chan struct{}
	Code  int
	// Replaced: there is a later one of the same name.
	Replaced bool
}

// Start starts a process, which ends with the test at the latest.
func Start(t testing.TB, name string, args ...string) *Proc {
	t.Helper()
	p := &Proc{t: t, Name: name, Args: args, Logs: &Logs{}, Ended: make(chan struct{})}
	p.Cmd = exec.Command(args[0], args[1:]...)
	p.Cmd.Stdout, p.Cmd.Stderr = p.Logs, p.Logs
	dieWithTest(p.Cmd)
	if err := p.Cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.Cmd.Wait() // the code says it
		p.Code = p.Cmd.ProcessState.ExitCode()
		close(p.Ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		if out := p.Logs.String(); strings.Contains(out, "DATA RACE") || strings.Contains(out, "msg=panic") || strings.Contains(out, "\ngoroutine ") {
			t.Errorf("%s panicked or raced:\n%.5000s", p.Name, out)
		}
		if t.Failed() && !p.Replaced {
			t.Logf("the last lines of %s (exit code %d):\n%s", p.Name, p.Code, p.Logs.Tail(12))
		}
	})
	return p
}

// Again starts another process with the same name and arguments.
func (p *Proc) Again() *Proc {
	p.t.Helper()
	return Start(p.t, p.Name, p.Args...)
}

// Kill ends the process with SIGKILL and waits for its end.
func (p *Proc) Kill() {
	_ = p.Cmd.Process.Kill() // it may have ended
	<-p.Ended
}

// Signal sends a signal and does not wait for what comes of it. The test fails
// when the process has ended.
func (p *Proc) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s to %s: %v", s, p.Name, err)
	}
}

// Stop sends SIGTERM and waits for the end, which must be one with code 0.
func (p *Proc) Stop() (took time.Duration) {
	p.t.Helper()
	begun := time.Now()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended:
	case <-time.After(40 * time.Second):
		p.t.Fatalf("%s does not end after SIGTERM", p.Name)
	}
	if p.Code != 0 {
		p.t.Errorf("%s: exit code %d after SIGTERM, want 0", p.Name, p.Code)
	}
	return time.Since(begun)
}

// Alive tells whether the process has not ended yet; a stopped one is alive.
func (p *Proc) Alive() bool {
	select {
	case <-p.Ended:
		return false
	default:
		return true
	}
}

// ErrNoPage says that the process has not told yet where its pages are.
var ErrNoPage = errors.New("no address in the log")

// Get reads a page of the process's own server.
func (p *Proc) Get(path string) (string, error) {
	_, rest, ok := strings.Cut(p.Logs.String(), "for=listen address=")
	if !ok {
		return "", ErrNoPage
	}
	addr, _, _ := strings.Cut(rest, "\n")
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + addr + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s of %s: %s", path, p.Name, resp.Status)
	}
	return string(body), err
}

// Ready gives an error unless the process says that it can work.
func (p *Proc) Ready() error {
	_, err := p.Get("/readyz")
	return err
}

// Metric gives the sum of a metric over all its labels.
func (p *Proc) Metric(name string) float64 {
	p.t.Helper()
	body, err := p.Get("/metrics")
	if err != nil {
		p.t.Fatalf("metrics of %s: %v", p.Name, err)
	}
	sum, found := 0.0, false
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		words := strings.Fields(rest)
		v, err := strconv.ParseFloat(words[len(words)-1], 64)
		if err != nil {
			p.t.Fatalf("metric %s of %s: %v", name, p.Name, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		p.t.Fatalf("%s has no metric %s", p.Name, name)
	}
	return sum
}

var repaired = regexp.MustCompile(`msg=repaired .*kind=([a-z_]+)`)

// Repairs counts what the process has repaired, by kind, also when it is gone
// and its metrics with it.
func (p *Proc) Repairs(into map[string]int) {
	for _, m := range repaired.FindAllStringSubmatch(p.Logs.String(), -1) {
		into[m[1]]++
	}
}
