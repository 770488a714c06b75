//go:build linux

package icmp

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/commands/internal/icmptest"
)

func TestPingSizes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *Engine, v6 bool) {
		for _, size := range []int{MinSize, 15, 64, 1472, 1473, 9000, MaxSize} {
			for _, addr := range []string{pick46(v6, "127.0.0.1", "::1"), pick46(v6, icmptest.Far4, icmptest.Far6)} {
				q := request(addr)
				q.Size = size
				if rep := ping(t, e, q); len(rep.RTTs) != 3 || rep.Sent != 3 || rep.Truncated+rep.Duplicates+rep.Late+rep.Faults != 0 {
					t.Errorf("Ping(%s, size %d) = %+v, want 3 replies", addr, size, rep)
				}
			}
		}
		s := e.Stats()
		if s.Malformed+s.Truncated != 0 {
			t.Errorf("Stats = %+v, want nothing malformed", s)
		}
		// The first replies come before the kernel takes times.
		if stamped, odd := e.count.stamped.Load(), e.count.odd.Load(); stamped < s.Sent-2 || odd > s.Sent/2 {
			t.Errorf("%d send times by the kernel and %d times of our own for %d packets", stamped, odd, s.Sent)
		}
	})
}

func TestPingMany(t *testing.T) {
	icmptest.Need(t)
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, Options{Mode: mode})
			var group sync.WaitGroup
			const targets = 10_000
			for i := range targets {
				group.Go(func() {
					q := request(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}).String())
					q.Interval = 50 * time.Millisecond
					if rep, err := e.Ping(t.Context(), q); err != nil || len(rep.RTTs) != 3 {
						t.Errorf("Ping(%s) = %+v, %v, want 3 replies", q.Addr, rep, err)
					}
				})
			}
			group.Wait()
			if s := e.Stats(); s.Sent != 3*targets || s.Received != s.Sent || s.Late+s.Duplicates+s.Refused+s.Resent != 0 {
				t.Errorf("Stats = %+v, want %d packets and as many replies", s, 3*targets)
			}
			if n := e.count.stamped.Load(); n < targets {
				t.Errorf("the kernel gave %d send times for %d packets", n, 3*targets)
			}
		})
	}
}

// TestBehaviours meets a target that does what targets do.
func TestBehaviours(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		n        int
		size     int
		replies  int
		check    func(Report) bool
		expected string
	}{
		{"good", icmptest.Good, 64, 3, func(r Report) bool { return r.Duplicates+r.Late+r.Truncated+r.Faults == 0 }, "nothing odd"},
		{"twice", icmptest.Twice, 64, 3, func(r Report) bool { return r.Duplicates >= 2 }, "2 duplicates or more"},
		{"slow", icmptest.Slow, 64, 0, nil, ""},
		{"cut", icmptest.Cut, 64, 3, func(r Report) bool { return r.Truncated == 3 }, "3 truncated"},
		{"garbled", icmptest.Garbled, 64, 0, nil, ""},
		{"stranger", icmptest.Stranger, 64, 0, nil, ""},
		{"size 64", icmptest.Size64, 64, 3, nil, ""},
		{"size 65", icmptest.Size64, 65, 0, nil, ""},
		{"elsewhere", icmptest.Elsewhere, 64, 0, nil, ""},
		{"stub", icmptest.Stub, 64, 0, nil, ""},
		{"mute", icmptest.Mute, 64, 0, func(r Report) bool { return r.Faults == 0 }, "no faults"},
		{"refuses", icmptest.Refuses, 64, 0, func(r Report) bool {
			return r.Faults == 3 && r.Fault.From.IsValid() && r.Fault.Errno == 0
		}, "3 faults"},
		{"accuses", icmptest.Accuses, 64, 0, func(r Report) bool { return r.Faults == 0 }, "no faults"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *Engine, v6 bool) {
				q := request(pick46(v6, icmptest.Addr4(tt.n), icmptest.Addr6(tt.n)))
				q.Size, q.Interval = tt.size, 20*time.Millisecond
				if tt.replies == 0 && tt.n != icmptest.Refuses { // which ends it
					q.Timeout = icmptest.SlowBy / 2
				}
				rep := ping(t, e, q)
				if len(rep.RTTs) != tt.replies || rep.Sent != 3 {
					t.Errorf("Ping = %+v, want %d replies to 3 packets; %+v", rep, tt.replies, e.Stats())
				}
				if tt.check != nil && !tt.check(rep) {
					t.Errorf("Ping = %+v, want %s; %+v", rep, tt.expected, e.Stats())
				}
			})
		})
	}
}

func TestPartialLoss(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *Engine, v6 bool) {
		q := request(pick46(v6, icmptest.Addr4(icmptest.Third), icmptest.Addr6(icmptest.Third)))
		q.Count = 9
		if rep := ping(t, e, q); len(rep.RTTs) != 6 || rep.Sent != 9 {
			t.Errorf("Ping = %+v, want 6 replies to 9 packets", rep)
		}
	})
}

// TestOddReplies counts what is nobody's reply.
func TestOddReplies(t *testing.T) { // alone: raw sockets see the errors that others get
	icmptest.Need(t)
	e := newEngine(t, Options{Mode: ModeRaw})
	for _, tt := range []struct {
		n     int
		count func(Stats) uint64
	}{
		{icmptest.Garbled, func(s Stats) uint64 { return s.Malformed }},
		{icmptest.Stranger, func(s Stats) uint64 { return s.Foreign }},
		{icmptest.Elsewhere, func(s Stats) uint64 { return s.Foreign }},
		{icmptest.Accuses, func(s Stats) uint64 { return s.Foreign }},
		{icmptest.Cut, func(s Stats) uint64 { return s.Truncated }},
		{icmptest.Refuses, func(s Stats) uint64 { return s.Faults }},
	} {
		before := tt.count(e.Stats())
		q := request(icmptest.Addr4(tt.n))
		q.Timeout = time.Second
		ping(t, e, q)
		if n := tt.count(e.Stats()) - before; n != 3 {
			t.Errorf("behaviour %d counted %d, want 3: %+v", tt.n, n, e.Stats())
		}
	}
}

// TestLateReplies are known for what they are after the run.
func TestLateReplies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *Engine, v6 bool) {
		q := request(pick46(v6, icmptest.Addr4(icmptest.Slow), icmptest.Addr6(icmptest.Slow)))
		q.Timeout = icmptest.SlowBy / 3
		if rep := ping(t, e, q); len(rep.RTTs) != 0 {
			t.Errorf("Ping = %+v, want no reply in time", rep)
		}
		// Another run keeps the engine listening until the late ones are in.
		q = request(pick46(v6, "127.0.0.1", "::1"))
		q.Count, q.Interval = 5, icmptest.SlowBy/3
		ping(t, e, q)
		if s := e.Stats(); s.Late != 3 {
			t.Errorf("Stats = %+v, want 3 late replies", s)
		}
		q = request(pick46(v6, icmptest.Addr4(icmptest.Slow), icmptest.Addr6(icmptest.Slow)))
		rep := ping(t, e, q)
		for _, rtt := range rep.RTTs {
			if rtt < icmptest.SlowBy || rtt > icmptest.SlowBy+time.Second {
				t.Errorf("round trip %v, want %v and not much more", rtt, icmptest.SlowBy)
			}
		}
		if len(rep.RTTs) != 3 {
			t.Errorf("Ping = %+v, want 3 replies", rep)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	e := newEngine(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	q := request(icmptest.Addr4(icmptest.Mute))
	q.Timeout = time.Minute
	begin := time.Now()
	if _, err := e.Ping(ctx, q); !errors.Is(err, context.Canceled) || time.Since(begin) > 5*time.Second {
		t.Errorf("Ping = %v after %v, want context.Canceled at once", err, time.Since(begin))
	}
	if _, err := e.Ping(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping with a dead context = %v, want context.Canceled", err)
	}
	if rep := ping(t, e, request("127.0.0.1")); len(rep.RTTs) != 3 {
		t.Errorf("Ping after a cancelled one = %+v, want 3 replies", rep)
	}
}

// TestIdle: no goroutine without a run, sockets stay, and Close may come at
// any time.
func TestIdle(t *testing.T) {
	icmptest.Need(t)
	before := goleak.IgnoreCurrent()
	e := NewEngine(Options{})
	ping(t, e, request("127.0.0.1"))
	ping(t, e, request("::1"))
	lost := request(icmptest.Addr4(icmptest.Mute))
	lost.Count, lost.Timeout = 1, 10*time.Millisecond
	ping(t, e, lost)
	if err := goleak.Find(before); err != nil {
		t.Errorf("an idle engine has goroutines: %v", err)
	}
	errs := make(chan error)
	q := request(icmptest.Addr4(icmptest.Mute))
	q.Timeout = time.Minute
	go func() {
		_, err := e.Ping(t.Context(), q)
		errs <- err
	}()
	for e.Stats().Sent < 3+3+1+3 {
		runtime.Gosched()
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := <-errs; !errors.Is(err, ErrClosed) {
		t.Errorf("Ping during Close = %v, want ErrClosed", err)
	}
	if _, err := e.Ping(t.Context(), q); !errors.Is(err, ErrClosed) {
		t.Errorf("Ping after Close = %v, want ErrClosed", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	if err := goleak.Find(before); err != nil {
		t.Errorf("a closed engine has goroutines: %v", err)
	}
}

func TestUntil(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	e := newEngine(t, Options{})
	q := request(icmptest.Addr4(icmptest.Mute))
	q.Count, q.Interval, q.Timeout = 100, 20*time.Millisecond, time.Second
	begin := time.Now()
	q.Until = begin.Add(1500 * time.Millisecond)
	rep := ping(t, e, q)
	if took := time.Since(begin); rep.Sent < 1 || rep.Sent > 26 || took > 5*time.Second {
		t.Errorf("Ping = %+v after %v, want up to 26 packets and an end at 1.5 s", rep, took)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{})
	for name, change := range map[string]func(*Request){
		"no address": func(q *Request) { q.Addr = netip.Addr{} },
		"no count":   func(q *Request) { q.Count = 0 },
		"small":      func(q *Request) { q.Size = MinSize - 1 },
		"big":        func(q *Request) { q.Size = MaxSize + 1 },
		"interval":   func(q *Request) { q.Interval = -1 },
		"timeout":    func(q *Request) { q.Timeout = 0 },
		"ttl":        func(q *Request) { q.TTL = 256 },
		"tos":        func(q *Request) { q.TOS = -1 },
		"zone":       func(q *Request) { q.Addr = netip.MustParseAddr("fe80::1%nowhere") },
	} {
		q := request("127.0.0.1")
		change(&q)
		if rep, err := e.Ping(t.Context(), q); err == nil {
			t.Errorf("Ping(%s) = %+v, want an error", name, rep)
		}
	}
	if s := e.Stats(); s != (Stats{}) {
		t.Errorf("Stats = %+v, want nothing sent", s)
	}
}
