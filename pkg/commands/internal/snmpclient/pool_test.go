package snmpclient

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// TestReuse shows that runs one after the other use one socket.
func TestReuse(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		a := snmptest.NewAgent(t)
		a.Set(sysUpTime, snmptest.Ticks(1))
		p := pool(t, tools.Tools{})
		for range 10 {
			if _, err := get(t, t.Context(), p, at(a.Port, func(s *Settings) { s.Transport = transport }), sysUpTime); err != nil {
				t.Fatal(err)
			}
		}
		if a.Sources() != 1 || p.Idle() != 1 {
			t.Errorf("over %s: %d sockets, %d idle, want 1 and 1", transport, a.Sources(), p.Idle())
		}
	}
}

// TestNeverShared shows that runs at once have sessions of their own, and that
// few of these stay.
func TestNeverShared(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set(sysUpTime, snmptest.Ticks(1))
	p := pool(t, tools.Tools{})
	var mu sync.Mutex
	held := map[*session]bool{}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 10 {
				c, err := p.Client(at(a.Port))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Get(t.Context(), []string{sysUpTime}); err != nil {
					t.Error(err)
					return
				}
				mine := c.session
				mu.Lock()
				if held[mine] {
					t.Error("two runs hold one session")
				}
				held[mine] = true
				mu.Unlock()
				mu.Lock()
				delete(held, mine)
				mu.Unlock()
				c.Close()
			}
		})
	}
	group.Wait()
	if n := p.Idle(); n < 1 || n > maxIdleEach {
		t.Errorf("%d sessions are idle, want 1 to %d", n, maxIdleEach)
	}
}

// TestOtherCredentials shows that a session is not lent to who has other
// credentials.
func TestOtherCredentials(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set(sysUpTime, snmptest.Ticks(1))
	p := pool(t, withSecrets(t, map[string]string{"one": "first", "two": "second"}))
	for _, name := range []string{"one", "two", ""} {
		s := at(a.Port, func(s *Settings) { s.Community.Secret.Name = name })
		if _, err := get(t, t.Context(), p, s, sysUpTime); err != nil {
			t.Fatal(err)
		}
	}
	if a.Sources() != 3 {
		t.Errorf("%d sockets, want 3", a.Sources())
	}
	got := a.Requests()
	for i, want := range []string{"first", "second", "public"} {
		if got[i].Community != want {
			t.Errorf("community %d = %q, want %q", i, got[i].Community, want)
		}
	}
}

// TestStaleTCP shows that a connection which the device closed in the meantime
// costs no run.
func TestStaleTCP(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set(sysUpTime, snmptest.Ticks(1))
	p := pool(t, tools.Tools{})
	for range 3 {
		if _, err := get(t, t.Context(), p, at(a.Port, func(s *Settings) { s.Transport = "tcp" }), sysUpTime); err != nil {
			t.Fatal(err)
		}
		a.HangUp()
	}
	if a.Sources() != 3 {
		t.Errorf("%d connections, want 3", a.Sources())
	}
}

// TestCancel shows that a run ends with its context, in the middle of a try
// that has a minute left, and that its session is gone.
func TestCancel(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	for _, transport := range []string{"udp", "tcp"} {
		asked := make(chan struct{}, 10)
		a.Script(func(snmptest.Request) [][]byte { asked <- struct{}{}; return nil })
		p := pool(t, tools.Tools{})
		s := at(a.Port, func(s *Settings) { s.Transport, s.Timeout = transport, check.Duration(time.Minute) })

		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		go func() { <-asked; cancel() }()
		_, err := get(t, ctx, p, s, sysUpTime)
		if took := time.Since(begin); !errors.Is(err, context.Canceled) || took > soon {
			t.Errorf("Get over %s that was cancelled = %v after %v", transport, err, took)
		}
		if _, err := get(t, ctx, p, s, sysUpTime); !errors.Is(err, context.Canceled) {
			t.Errorf("Get with a dead context = %v", err)
		}

		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		begin = time.Now()
		_, err = get(t, ctx, p, s, sysUpTime)
		cancel()
		if took := time.Since(begin); !errors.Is(err, ErrNoAnswer) || took > soon {
			t.Errorf("Get over %s past its deadline = %v after %v, want ErrNoAnswer", transport, err, took)
		}
		if p.Idle() != 0 {
			t.Errorf("over %s: %d sessions are idle, want 0", transport, p.Idle())
		}
	}
}

// TestRetries shows how often a silent device is asked.
func TestRetries(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Script(func(r snmptest.Request) [][]byte {
		if r.OIDs[0] == sysUpTime {
			return nil
		}
		return [][]byte{a.Answer(r)}
	})
	s := at(a.Port, func(s *Settings) { s.Timeout, s.Retries = check.Duration(20*time.Millisecond), 3 })
	if _, err := get(t, t.Context(), pool(t, tools.Tools{}), s, sysUpTime); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("Get = %v, want ErrNoAnswer", err)
	}
	// When this one is answered the agent has read all that came before it.
	if _, err := get(t, t.Context(), pool(t, tools.Tools{}), at(a.Port), "1.3.1"); err != nil {
		t.Fatal(err)
	}
	if n := len(a.Requests()) - 1; n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
	n := 0
	a.Set(sysUpTime, snmptest.Ticks(1))
	a.Script(func(r snmptest.Request) [][]byte {
		if n++; n < 4 {
			return nil
		}
		return [][]byte{a.Answer(r)}
	})
	s.Timeout = check.Duration(time.Second) // for the fourth, which is answered
	if _, err := get(t, t.Context(), pool(t, tools.Tools{}), s, sysUpTime); err != nil {
		t.Errorf("Get with three lost packets = %v", err)
	}
}

// idleSession makes a session without a network.
func idleSession(k key) (*session, *closeCounter) {
	c := &closeCounter{}
	now := time.Now()
	return &session{key: k, snmp: &gosnmp.GoSNMP{}, conn: &conn{Conn: c}, born: now, used: now}, c
}

type closeCounter struct {
	net.Conn
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

// TestIdle shows that idle sessions are closed after idleFor and that no timer
// goes on when none is left.
func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(tools.Tools{})
		early, earlyConn := idleSession(key{1})
		late, lateConn := idleSession(key{2})
		p.put(early)
		<-time.After(idleFor / 2)
		p.put(late)
		<-time.After(idleFor/2 + time.Second)
		synctest.Wait()
		if earlyConn.closed != 1 || lateConn.closed != 0 || p.Idle() != 1 {
			t.Fatalf("closed %d and %d, %d idle, want 1, 0 and 1", earlyConn.closed, lateConn.closed, p.Idle())
		}
		<-time.After(idleFor)
		synctest.Wait()
		if lateConn.closed != 1 || p.Idle() != 0 || p.sweeper != nil {
			t.Fatalf("the later one: closed %d, %d idle, timer %v", lateConn.closed, p.Idle(), p.sweeper)
		}
	})
}

// TestAge shows that a session in steady use is replaced in the end.
func TestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(tools.Tools{})
		s, c := idleSession(key{1})
		uses := 0
		for p.put(s); p.take(key{1}) != nil; p.put(s) {
			uses++
			<-time.After(time.Minute)
		}
		if uses != int(sessionForUp/time.Minute) || c.closed != 1 {
			t.Errorf("used %d times, closed %d", uses, c.closed)
		}
	})
}

// TestBounds shows that neither sessions nor what is known of devices grow
// without end.
func TestBounds(t *testing.T) {
	t.Parallel()
	p := pool(t, tools.Tools{})
	var first *closeCounter
	for i := range maxIdle + 10 {
		s, c := idleSession(key{byte(i), byte(i >> 8)})
		p.put(s)
		if first == nil {
			first = c
		}
	}
	if p.Idle() != maxIdle || first.closed != 1 {
		t.Errorf("%d idle, the oldest closed %d times, want %d and 1", p.Idle(), first.closed, maxIdle)
	}
	same := 0
	for range maxIdleEach + 3 {
		s, c := idleSession(key{255, 255})
		p.put(s)
		same += 1 - c.closed
	}
	if same != maxIdleEach {
		t.Errorf("%d idle of one device, want %d", same, maxIdleEach)
	}
	for i := range maxDevices + 5 {
		p.device(key{byte(i), byte(i >> 8), 1})
	}
	if len(p.devices) != maxDevices || p.recent.Len() != maxDevices {
		t.Errorf("%d devices are known, want %d", len(p.devices), maxDevices)
	}
	p.Close()
	if p.Idle() != 0 || len(p.idle) != 0 || len(p.places) != 0 {
		t.Errorf("after Close %d are idle", p.Idle())
	}
	s, c := idleSession(key{1})
	if p.put(s); c.closed != 1 {
		t.Error("a session that comes back after Close stays open")
	}
}
