package system

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

// logs are what a process writes, readable while it does.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// tail gives the last lines.
func (l *logs) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// proc is a daemon that runs as a process.
type proc struct {
	t    testing.TB
	name string
	args []string // the program first
	cmd  *exec.Cmd
	logs *logs
	// ended is closed when the process is; code is its exit code then, -1
	// after a signal.
	ended chan struct{}
	code  int
	// replaced: there is a later one of the same name.
	replaced bool
}

// start starts a process, which ends with the test at the latest.
func start(t testing.TB, name string, args ...string) *proc {
	t.Helper()
	p := &proc{t: t, name: name, args: args, logs: &logs{}, ended: make(chan struct{})}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.logs, p.logs
	dieWithTest(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // the code says it
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if out := p.logs.String(); strings.Contains(out, "DATA RACE") || strings.Contains(out, "msg=panic") || strings.Contains(out, "\ngoroutine ") {
			t.Errorf("%s panicked or raced:\n%.5000s", p.name, out)
		}
		if t.Failed() && !p.replaced {
			t.Logf("the last lines of %s (exit code %d):\n%s", p.name, p.code, p.logs.tail(25))
		}
	})
	return p
}

// again starts another process with the same name and arguments.
func (p *proc) again() *proc {
	p.t.Helper()
	return start(p.t, p.name, p.args...)
}

// kill ends the process with SIGKILL and waits for its end.
func (p *proc) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

func (p *proc) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s to %s: %v", s, p.name, err)
	}
}

// stop sends SIGTERM and waits for the end, which must be one with code 0.
func (p *proc) stop() (took time.Duration) {
	p.t.Helper()
	begun := time.Now()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(40 * time.Second):
		p.t.Fatalf("%s does not end after SIGTERM", p.name)
	}
	if p.code != 0 {
		p.t.Errorf("%s: exit code %d after SIGTERM, want 0", p.name, p.code)
	}
	return time.Since(begun)
}

func (p *proc) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

var errNoPage = errors.New("no address in the log")

// get reads a page of the process's own server.
func (p *proc) get(path string) (string, error) {
	_, rest, ok := strings.Cut(p.logs.String(), "for=listen address=")
	if !ok {
		return "", errNoPage
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
		err = fmt.Errorf("GET %s of %s: %s", path, p.name, resp.Status)
	}
	return string(body), err
}

// ready gives an error unless the process says that it can work.
func (p *proc) ready() error {
	_, err := p.get("/readyz")
	return err
}

// metric gives the sum of a metric over all its labels.
func (p *proc) metric(name string) float64 {
	p.t.Helper()
	body, err := p.get("/metrics")
	if err != nil {
		p.t.Fatalf("metrics of %s: %v", p.name, err)
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
			p.t.Fatalf("metric %s of %s: %v", name, p.name, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		p.t.Fatalf("%s has no metric %s", p.name, name)
	}
	return sum
}

var repaired = regexp.MustCompile(`msg=repaired .*kind=([a-z_]+)`)

// repairs counts what the process has repaired, by kind, also when it is gone
// and its metrics with it.
func (p *proc) repairs(into map[string]int) {
	for _, m := range repaired.FindAllStringSubmatch(p.logs.String(), -1) {
		into[m[1]]++
	}
}
