//go:build linux

package icmp

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/commands/internal/icmptest"
)

// TestFaults: what routers and this host say about packets is told.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, a4, a6 string
		ttl          int
		text4, text6 string
	}{
		{"exceeded", icmptest.Addr4(icmptest.Good), icmptest.Addr6(icmptest.Good), 1,
			"TTL exceeded in transit (from 10.77.1.2)", "hop limit exceeded in transit (from fd77:1::2)"},
		{"unreachable", icmptest.Addr4(icmptest.Gone), icmptest.Addr6(icmptest.Gone), 0,
			"destination host unreachable (from 10.78.0.14)", "destination unreachable: address unreachable (from fd78::e)"},
		{"prohibited", icmptest.Addr4(icmptest.Prohibits), icmptest.Addr6(icmptest.Prohibits), 0,
			"destination administratively prohibited (from 10.78.0.15)", "destination unreachable: administratively prohibited (from fd78::f)"},
		{"dropped", icmptest.Blackhole4, icmptest.Blackhole6, 0, "", ""},
		{"refused here", icmptest.LocalUnreachable4, icmptest.Addr6(icmptest.Mute), 0,
			"not sent: no route to host", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *Engine, v6 bool) {
				q := request(pick46(v6, tt.a4, tt.a6))
				q.TTL = tt.ttl
				want := pick46(v6, tt.text4, tt.text6)
				if want == "" {
					q.Timeout = 100 * time.Millisecond
				}
				begin := time.Now()
				rep := ping(t, e, q)
				if got := rep.Fault.String(); got != want || len(rep.RTTs) != 0 || rep.Sent != 3 {
					t.Errorf("Ping = %+v (%s), want no replies and %q", rep, got, want)
				}
				if want != "" && (rep.Faults != 3 || time.Since(begin) >= q.Timeout) {
					t.Errorf("Ping = %+v after %v, want 3 faults and no wait for the timeout", rep, time.Since(begin))
				}
				if rep.Fault.Exceeded() != (tt.name == "exceeded") || rep.Fault.Path() != (want != "") {
					t.Errorf("Exceeded = %v, Path = %v of %+v", rep.Fault.Exceeded(), rep.Fault.Path(), rep.Fault)
				}
			})
		})
	}
}

func TestEnoughTTL(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *Engine, v6 bool) {
		q := request(pick46(v6, icmptest.Addr4(icmptest.Good), icmptest.Addr6(icmptest.Good)))
		q.TTL, q.TOS = 2, 0xb8
		if rep := ping(t, e, q); len(rep.RTTs) != 3 {
			t.Errorf("Ping = %+v, want 3 replies", rep)
		}
	})
}

// TestNotAllowed: what this host refuses for reasons of its own says nothing
// about the target.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	for name, mode := range modes {
		e := newEngine(t, Options{Mode: mode})
		rep, err := e.Ping(t.Context(), request(icmptest.LocalProhibited4))
		if !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), icmptest.LocalProhibited4) {
			t.Errorf("%s: Ping = %+v, %v, want EACCES and the address", name, rep, err)
		}
	}
}

// TestNeighbours: faults of some targets are not taken for faults of others,
// though a datagram socket reports them with whatever call comes next.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *Engine, v6 bool) {
		bad := []string{icmptest.Addr4(icmptest.Gone), icmptest.Addr4(icmptest.Prohibits), icmptest.LocalUnreachable4, icmptest.Addr4(icmptest.Refuses)}
		good := []string{"127.0.0.1", icmptest.Far4, icmptest.Router4}
		if v6 {
			bad = []string{icmptest.Addr6(icmptest.Gone), icmptest.Addr6(icmptest.Prohibits), icmptest.Addr6(icmptest.Refuses)}
			good = []string{"::1", icmptest.Far6, icmptest.Router6}
		}
		var group sync.WaitGroup
		run := func(addr string, check func(Report) bool) {
			q := request(addr)
			q.Count = 30
			group.Go(func() {
				if rep, err := e.Ping(t.Context(), q); err != nil || !check(rep) {
					t.Errorf("Ping(%s) = %+v, %v", addr, rep, err)
				}
			})
		}
		for range 3 {
			for _, a := range bad {
				run(a, func(r Report) bool { return r.Faults == 30 && len(r.RTTs) == 0 })
			}
			for _, a := range good {
				run(a, func(r Report) bool { return r.Faults == 0 && len(r.RTTs) == 30 })
			}
		}
		group.Wait()
	})
}

// TestNoSpace: packets to a neighbour that nobody is wait inside the kernel
// and fill the send buffer. The run ends, and another one gets through.
func TestNoSpace(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, Options{Mode: mode})
			e.opts.Buffer = 1 // the kernel's minimum
			q := request(icmptest.Neighbour4)
			q.Count, q.Size, q.Timeout = 50, 1000, 200*time.Millisecond
			rep, err := e.Ping(t.Context(), q)
			if err != nil && !errors.Is(err, ErrBlocked) || err == nil && len(rep.RTTs) != 0 {
				t.Errorf("Ping = %+v, %v, want ErrBlocked or no replies", rep, err)
			}
			if e.Stats().Blocked == 0 {
				t.Errorf("Stats = %+v, want a send buffer that was full", e.Stats())
			}
			q = request("127.0.0.1")
			q.Timeout = 10 * time.Second // until the kernel gives the neighbour up
			if rep := ping(t, e, q); len(rep.RTTs) != 3 {
				t.Errorf("Ping = %+v, want 3 replies", rep)
			}
		})
	}
}
