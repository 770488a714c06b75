package system

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// switchboard is a target whose checks are up or down as a test says.
type switchboard struct {
	port int
	mu   sync.Mutex // guards down
	down map[string]bool
}

func serveSwitchboard(t testing.TB) *switchboard {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &switchboard{port: l.Addr().(*net.TCPAddr).Port, down: map[string]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.answer(c) // it ends with its client, or by its deadline
		}
	}()
	t.Cleanup(func() { l.Close() })
	return s
}

func (s *switchboard) answer(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // a TCP connection has them
	id, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	s.mu.Lock()
	down := s.down[strings.TrimSpace(id)]
	s.mu.Unlock()
	if down {
		_, _ = c.Write([]byte("no\n")) // who is gone gets no answer
		return
	}
	_, _ = c.Write([]byte("ok\n"))
}

func (s *switchboard) set(id string, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down[id] = down
}

// inbox is what changes are posted to.
type inbox struct {
	*httptest.Server
	code atomic.Int32 // of the answers
	hang atomic.Int64 // before them

	mu  sync.Mutex // guards got
	got map[string][]check.Event
}

func serveInbox(t testing.TB) *inbox {
	t.Helper()
	in := &inbox{got: map[string][]check.Event{}}
	in.code.Store(http.StatusNoContent)
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := int(in.code.Load())
		body, err := io.ReadAll(r.Body)
		var ev check.Event
		if err != nil || json.Unmarshal(body, &ev) != nil || ev.Incident == nil {
			t.Errorf("posted %q, %v, want a change of an incident", body, err)
		}
		select {
		case <-time.After(time.Duration(in.hang.Load())):
		case <-r.Context().Done(): // the worker is gone, or took its time for over
			return
		}
		if code < 300 {
			in.mu.Lock()
			in.got[ev.Check.ID] = append(in.got[ev.Check.ID], ev)
			in.mu.Unlock()
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(in.Close)
	return in
}

// name is what a change is known by.
func name(ev check.Event) string {
	return fmt.Sprintf("%s %s %d", ev.Incident.ID, ev.Change, ev.Planned)
}

// changes reads all changes of the lane, by check.
func (f *fleet) changes() map[string][]check.Event {
	f.Helper()
	all, err := f.client.XRange(f.Context(), key("changes"), "-", "+").Result()
	if err != nil {
		f.Fatal(err)
	}
	out := map[string][]check.Event{}
	for _, m := range all {
		var ev check.Event
		if err := json.Unmarshal([]byte(m.Values["event"].(string)), &ev); err != nil {
			f.Fatalf("change %s: %v", m.ID, err)
		}
		out[ev.Check.ID] = append(out[ev.Check.ID], ev)
	}
	return out
}

// missing gives an error unless all changes of the lane have arrived.
func (f *fleet) missing(in *inbox) error {
	f.Helper()
	in.mu.Lock()
	defer in.mu.Unlock()
	for id, list := range f.changes() {
		seen := map[string]bool{}
		for _, ev := range in.got[id] {
			seen[name(ev)] = true
		}
		for _, ev := range list {
			if !seen[name(ev)] {
				return fmt.Errorf("%s has not arrived", name(ev))
			}
		}
	}
	return nil
}

// inOrder demands that each change arrived for the first time in its order, and
// that nothing came that is none, and counts.
func (f *fleet) inOrder(in *inbox) (changes, repeated int) {
	f.Helper()
	in.mu.Lock()
	defer in.mu.Unlock()
	for id, list := range f.changes() {
		place := map[string]int{}
		for i, ev := range list {
			place[name(ev)] = i
		}
		next := 0
		for _, ev := range in.got[id] {
			switch i, ok := place[name(ev)]; {
			case !ok:
				f.Errorf("%s arrived, and is no change", name(ev))
			case i < next:
				repeated++
			case i > next:
				f.Errorf("%s arrived before %s", name(ev), name(list[next]))
				next = i + 1
			default:
				next++
			}
		}
		changes += len(list)
	}
	return changes, repeated
}

// unread gives an error unless all that was read for a handler is settled.
func (f *fleet) unsettled(handler string) error {
	p, err := f.client.XPending(f.Context(), key("changes"), handler).Result()
	if err == nil && p.Count != 0 {
		err = fmt.Errorf("%d changes are read and not settled", p.Count)
	}
	return err
}

// Checks go up and down, workers are killed and frozen, Redis is killed, the
// receiver is away, hangs and refuses: every change arrives, of each check in
// order, and what comes twice is the same.
func TestDeliveriesUnderFire(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	board, in := serveSwitchboard(t), serveInbox(t)
	handlers := handlersFile(t, fmt.Sprintf("- {name: hook, type: webhook, default: true, url: %q, timeout: 1s, concurrency: 4}\n", in.URL))
	f.ready(f.scheduler("s1"))
	for n := range 3 {
		f.ready(f.worker(fmt.Sprintf("w%d", n+1), "-handlers", handlers))
	}
	f.eventually(10*time.Second, func() error {
		_, err := f.client.XPending(t.Context(), key("changes"), "hook").Result()
		return err // its group is there
	})
	const checks = 20
	var add []string
	for n := range checks {
		add = append(add, fmt.Sprintf(`XADD redpoll:intake * id c%02d command tcp every 1s timeout 5s params.host 127.0.0.1 params.port %d params.send "c%02d\n" params.expect ok`, n, board.port, n))
	}
	f.lines(add...)
	begun := time.Now()
	for end := begun.Add(phase(30 * time.Second)); time.Now().Before(end); {
		for range 4 {
			board.set(fmt.Sprintf("c%02d", rand.N(checks)), rand.N(2) == 0)
		}
		f.strike(in)
		pass(t, 200*time.Millisecond+rand.N(300*time.Millisecond))
	}
	in.code.Store(http.StatusNoContent)
	in.hang.Store(0)
	for n := range checks {
		board.set(fmt.Sprintf("c%02d", n), false)
	}
	f.ready(f.running("")...)
	f.eventually(60*time.Second, func() error {
		if out, _ := f.redpoll("incidents", "-o", "name"); out != "" {
			return fmt.Errorf("open: %.200s", out)
		}
		return nil
	})
	f.eventually(120*time.Second, func() error { return f.missing(in) })
	f.eventually(10*time.Second, func() error { return f.unsettled("hook") })
	changes, repeated := f.inOrder(in)
	if changes < 2*checks {
		t.Errorf("%d changes in all: this tests less than it should", changes)
	}
	if n := f.client.XLen(t.Context(), key("dead")).Val(); n != 0 {
		t.Errorf("%d dead letters, want none", n)
	}
	t.Logf("%d changes arrived, %d repetitions", changes, repeated)
}

// strike lets something happen, mostly nothing.
func (f *fleet) strike(in *inbox) {
	f.Helper()
	ws := f.running("w")
	p := ws[rand.N(len(ws))]
	switch rand.N(12) {
	case 0, 1:
		p.kill()
		f.again(p)
	case 2: // frozen for longer than it may deliver
		p.signal(syscall.SIGSTOP)
		time.AfterFunc(lease+time.Second+rand.N(time.Second), func() { _ = p.Cmd.Process.Signal(syscall.SIGCONT) }) // it may be killed by then
	case 3:
		p.signal(syscall.SIGTERM)
		<-p.Ended
		f.again(p)
	case 4:
		if rand.N(3) == 0 {
			f.redis.Kill()
			pass(f, rand.N(2*time.Second))
			if err := f.redis.Run(f); err != nil {
				f.Fatal(err)
			}
		}
	case 5:
		in.code.Store(http.StatusServiceUnavailable)
	case 6:
		in.hang.Store(int64(2 * time.Second))
	case 7, 8, 9:
		in.code.Store(http.StatusNoContent)
		in.hang.Store(0)
	}
}

// Each program delivers, lists and repeats with the rights of its own user, and
// tries nothing else.
func TestDeliveryRoles(t *testing.T) {
	t.Parallel()
	f := newRoles(t)
	board, in := serveSwitchboard(t), serveInbox(t)
	handlers := handlersFile(t, fmt.Sprintf("- {name: hook, type: webhook, default: true, url: %q}\n", in.URL))
	f.ready(f.scheduler("s1"))
	f.ready(f.worker("w1", "-handlers", handlers), f.worker("w2", "-handlers", handlers))
	f.eventually(10*time.Second, func() error {
		_, err := f.client.XPending(t.Context(), key("changes"), "hook").Result()
		return err
	})
	in.code.Store(http.StatusBadRequest)
	board.set("bad", true)
	f.accepted(fmt.Sprintf(`XADD redpoll:intake * id bad command tcp every 1s params.host 127.0.0.1 params.port %d params.send "bad\n" params.expect ok`, board.port))
	f.eventually(15*time.Second, func() error {
		if out, code := f.as("viewer", "deadletters"); code != 0 || !strings.Contains(out, "hook") {
			return fmt.Errorf("dead letters: %s", out)
		}
		return nil
	})
	in.code.Store(http.StatusNoContent)
	if out, code := f.redpoll("deadletters", "--retry"); code != 0 || !strings.Contains(out, "1 change sent again") {
		t.Errorf("deadletters --retry: %s", out)
	}
	if out, code := f.redpoll("results", "--replay", "hook", "--from", "1h"); code != 0 || !strings.Contains(out, "sent again to hook") {
		t.Errorf("results --replay: %s", out)
	}
	board.set("bad", false)
	f.eventually(15*time.Second, func() error {
		in.mu.Lock()
		defer in.mu.Unlock()
		var got []string
		for _, ev := range in.got["bad"] {
			got = append(got, string(ev.Change))
		}
		if text := strings.Join(got, " "); text != "open open resolve" {
			return fmt.Errorf("arrived: %s, want the open twice and its end", text)
		}
		return nil
	})
	f.noRefusals()
	// A lost group and a lost memory of it are made good within the rights.
	f.client.XGroupDestroy(t.Context(), key("changes"), "hook")
	f.eventually(15*time.Second, func() error {
		_, err := f.client.XPending(t.Context(), key("changes"), "hook").Result()
		return err
	})
	f.running("w")[0].stop()
	f.noRefusals()
}
