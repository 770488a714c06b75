package proctest

import (
	"bufio"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Target is what the checks connect to: it reads the id of the check, notes
// its arrival, and answers, at once or after a while.
type Target struct {
	Port int
	mu   sync.Mutex // guards the rest
	seen map[string][]Arrival
	hold time.Duration            // before the answer
	one  map[string]time.Duration // likewise, for single checks
}

// Arrival is one run of a check, seen from outside.
type Arrival struct {
	At time.Time
	// Cut: the run went away before it had its answer; Done: it has it.
	Cut, Done bool
	// Beside says that an earlier run of the check had no answer yet, and was not
	// cut: two of them went on at once.
	Beside bool
}

// ServeTarget serves until the test ends.
func ServeTarget(t testing.TB) *Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Target{Port: l.Addr().(*net.TCPAddr).Port, seen: map[string][]Arrival{}, one: map[string]time.Duration{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.answer(c) // it ends with its client, or by its deadline
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return g
}

func (g *Target) answer(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute)) // a TCP connection has them
	lines := bufio.NewReader(c)
	line, err := lines.ReadString('\n')
	if err != nil {
		return
	}
	id := strings.TrimSpace(line)
	nth, hold := g.arrived(id)
	if hold > 0 {
		_ = c.SetReadDeadline(time.Now().Add(hold))
		if _, err := lines.ReadByte(); !isTimeout(err) {
			g.note(id, nth, Arrival{Cut: true})
			return
		}
	}
	g.note(id, nth, Arrival{Done: true})
	_, _ = c.Write([]byte("ok\n")) // who is gone gets no answer
}

// note keeps how the nth run of a check ended.
func (g *Target) note(id string, nth int, how Arrival) {
	g.mu.Lock()
	defer g.mu.Unlock()
	how.At, how.Beside = g.seen[id][nth].At, g.seen[id][nth].Beside
	g.seen[id][nth] = how
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func (g *Target) arrived(id string) (nth int, hold time.Duration) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	beside := slices.ContainsFunc(g.seen[id], func(a Arrival) bool { return !a.Cut && !a.Done })
	g.seen[id] = append(g.seen[id], Arrival{At: now, Beside: beside})
	hold = g.hold
	if d, ok := g.one[id]; ok {
		hold = d
	}
	return len(g.seen[id]) - 1, hold
}

// HoldAll makes the answers to all checks take at least d from now on, but for
// those that HoldOne has named.
func (g *Target) HoldAll(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = d
}

// HoldOne makes the answers to one check take at least d from now on, whatever
// HoldAll says before or after.
func (g *Target) HoldOne(id string, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.one[id] = d
}

// Of gives the arrivals of a check in their order.
func (g *Target) Of(id string) []Arrival {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Arrival(nil), g.seen[id]...)
}

// Since counts the arrivals of a check from an instant on.
func (g *Target) Since(id string, from time.Time) (n int) {
	for _, a := range g.Of(id) {
		if !a.At.Before(from) {
			n++
		}
	}
	return n
}

// First gives the first arrival of a check from an instant on.
func (g *Target) First(id string, from time.Time) time.Time {
	for _, a := range g.Of(id) {
		if !a.At.Before(from) {
			return a.At
		}
	}
	return time.Time{}
}

// Waiting counts the checks with a prefix that wait for their answer.
func (g *Target) Waiting(prefix string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, seen := range g.seen {
		if last := seen[len(seen)-1]; strings.HasPrefix(id, prefix) && !last.Cut && !last.Done {
			n++
		}
	}
	return n
}

// Cuts counts the runs that went away before they had their answer.
func (g *Target) Cuts() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, seen := range g.seen {
		for _, a := range seen {
			if a.Cut {
				n++
			}
		}
	}
	return n
}
