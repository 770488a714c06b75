package system

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// target is what the checks connect to: it reads the id of the check, notes
// its arrival, and answers, at once or after a while.
type target struct {
	port int
	mu   sync.Mutex // guards the rest
	seen map[string][]arrival
	hold time.Duration            // before the answer
	one  map[string]time.Duration // likewise, for single checks
}

// arrival is one run of a check, seen from outside.
type arrival struct {
	at time.Time
	// cut: the run went away before it had its answer; done: it has it.
	cut, done bool
}

// serveTarget serves until the test ends.
func serveTarget(t testing.TB) *target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &target{port: l.Addr().(*net.TCPAddr).Port, seen: map[string][]arrival{}, one: map[string]time.Duration{}}
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

func (g *target) answer(c net.Conn) {
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
			g.note(id, nth, arrival{cut: true})
			return
		}
	}
	g.note(id, nth, arrival{done: true})
	_, _ = c.Write([]byte("ok\n")) // who is gone gets no answer
}

// note keeps how the nth run of a check ended.
func (g *target) note(id string, nth int, how arrival) {
	g.mu.Lock()
	defer g.mu.Unlock()
	how.at = g.seen[id][nth].at
	g.seen[id][nth] = how
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

func (g *target) arrived(id string) (nth int, hold time.Duration) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen[id] = append(g.seen[id], arrival{at: now})
	hold = g.hold
	if d, ok := g.one[id]; ok {
		hold = d
	}
	return len(g.seen[id]) - 1, hold
}

// holdAll makes every answer take so long from now on; holdOne that of one
// check.
func (g *target) holdAll(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = d
}

func (g *target) holdOne(id string, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.one[id] = d
}

// of gives the arrivals of a check in their order.
func (g *target) of(id string) []arrival {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]arrival(nil), g.seen[id]...)
}

// since counts the arrivals of a check from an instant on.
func (g *target) since(id string, from time.Time) (n int) {
	for _, a := range g.of(id) {
		if !a.at.Before(from) {
			n++
		}
	}
	return n
}

// first gives the first arrival of a check from an instant on.
func (g *target) first(id string, from time.Time) time.Time {
	for _, a := range g.of(id) {
		if !a.at.Before(from) {
			return a.at
		}
	}
	return time.Time{}
}

// waiting counts the checks that wait for their answer.
func (g *target) waiting() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, seen := range g.seen {
		if last := seen[len(seen)-1]; !last.cut && !last.done {
			n++
		}
	}
	return n
}

// cuts counts the runs that went away before they had their answer.
func (g *target) cuts() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, seen := range g.seen {
		for _, a := range seen {
			if a.cut {
				n++
			}
		}
	}
	return n
}
