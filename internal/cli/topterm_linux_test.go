package cli

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// pty is a terminal: what a program writes to tty is read by the test.
type pty struct {
	t    *testing.T
	ptmx *os.File
	tty  *os.File
	mu   sync.Mutex // guards out
	out  strings.Builder
}

// newPTY opens a terminal of 80x24.
func newPTY(t *testing.T) *pty {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: there are no terminals here: %v", err)
	}
	t.Cleanup(func() { ptmx.Close() })
	if err := unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	p := &pty{t: t, ptmx: ptmx, tty: tty}
	p.resize(80, 24)
	go func() { // ends when the test closes the terminal
		b := make([]byte, 4096)
		for {
			n, err := ptmx.Read(b)
			p.mu.Lock()
			p.out.Write(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pty) resize(width, height uint16) {
	p.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.ptmx.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}); err != nil {
		p.t.Fatal(err)
	}
}

// screen is the picture that was drawn last, without escapes.
func (p *pty) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts := strings.Split(p.out.String(), "\x1b[H")
	last := parts[len(parts)-1]
	if !strings.Contains(last, "\x1b[J") && len(parts) > 1 { // it is being drawn
		last = parts[len(parts)-2]
	}
	return escapes.ReplaceAllString(last, "")
}

// until waits for a picture.
func (p *pty) until(what string, good func(screen string) bool) {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !good(p.screen()) {
		select {
		case <-tick.C:
		case <-limit:
			p.t.Fatalf("%s: never came\n%s", what, p.screen())
		}
	}
}

func (p *pty) has(parts ...string) func(string) bool {
	return func(screen string) bool {
		for _, part := range parts {
			if !strings.Contains(screen, part) {
				return false
			}
		}
		return true
	}
}

func (p *pty) press(keys string) {
	p.t.Helper()
	if _, err := p.ptmx.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// TestTopOnTerminal: keys, sizes, a Redis that goes away, and the terminal as it
// was in the end.
func TestTopOnTerminal(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newTopRig(t, server.Client(t))
	r.result("default:0", "bad", check.StateCrit, time.Second, nil)
	r.result("edge:1", "worse", check.StateCrit, time.Second, nil)
	p := newPTY(t)
	before, err := term.GetState(int(p.tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"REDPOLL_REDIS": server.URL()}
	var errs strings.Builder
	ended := make(chan int, 1)
	go func() {
		ended <- Main(t.Context(), []string{"top", "--every", "200ms"}, Streams{
			Version: "test", Getenv: func(k string) string { return env[k] }, Stdin: p.tty, Stdout: p.tty, Stderr: &errs,
		})
	}()
	p.until("the first picture", p.has("zone all", "NOT OK", "default/bad", "edge/worse", "text of bad", "s sort: not ok"))
	p.press("s")
	p.until("another order", p.has("SLOW", "s sort: slow"))
	p.press("z")
	p.until("a zone", func(s string) bool {
		return p.has("zone default", "z zone: default")(s) && !strings.Contains(s, "worse")
	})
	p.press("p")
	p.until("a pause", p.has("paused", "p go on"))
	p.press("p")
	p.until("no pause", func(s string) bool { return !strings.Contains(s, "paused") })
	r.result("default:0", "newer", check.StateCrit, 0, nil)
	p.until("what is new", p.has("newer"))
	p.resize(40, 10)
	p.until("a smaller window", func(s string) bool {
		lines := strings.Split(strings.TrimSuffix(s, "\r\n"), "\r\n")
		return len(lines) == 10 && len(lines[9]) <= 40
	})
	p.resize(160, 40)
	p.until("a larger window", func(s string) bool { return len(strings.Split(s, "\r\n")) == 40 })
	server.Kill()
	p.until("trouble", p.has("redis does not answer"))
	if err := server.Run(t); err != nil {
		t.Fatal(err)
	}
	p.until("no trouble", func(s string) bool { return !strings.Contains(s, "does not answer") })
	p.press("q")
	if code := <-ended; code != ExitOK || errs.String() != "" {
		t.Errorf("top ended with %d: %s", code, errs.String())
	}
	after, err := term.GetState(int(p.tty.Fd()))
	if err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	p.until("the ordinary screen", func(string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return strings.HasSuffix(p.out.String(), screenEnd) && strings.HasPrefix(p.out.String(), screenBegin)
	})
}

// TestTopColors: NO_COLOR and --once.
func TestTopColors(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newTopRig(t, server.Client(t))
	r.result("default:0", "bad", check.StateCrit, time.Second, nil)
	for _, tt := range []struct {
		noColor string
		colored bool
	}{{"", true}, {"1", false}} {
		p := newPTY(t)
		env := map[string]string{"REDPOLL_REDIS": server.URL(), "NO_COLOR": tt.noColor}
		code := Main(t.Context(), []string{"top", "--once"}, Streams{
			Version: "test", Getenv: func(k string) string { return env[k] }, Stdin: p.tty, Stdout: p.tty, Stderr: p.tty,
		})
		p.until("the picture", p.has("text of bad"))
		p.mu.Lock()
		out := p.out.String()
		p.mu.Unlock()
		if code != ExitOK || strings.Contains(out, "\x1b[31mCRIT") != tt.colored || strings.Contains(out, screenBegin) {
			t.Errorf("NO_COLOR=%q: code %d, colours wanted: %v\n%q", tt.noColor, code, tt.colored, out)
		}
	}
}
