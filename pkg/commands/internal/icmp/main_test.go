//go:build linux

package icmp

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/commands/internal/icmptest"
)

func TestMain(m *testing.M) { icmptest.Main(m) }

// modes are run by every test of sockets.
var modes = map[string]Mode{"datagram": ModeDatagram, "raw": ModeRaw}

// newEngine closes the engine at the end of the test.
func newEngine(t testing.TB, o Options) *Engine {
	t.Helper()
	e := NewEngine(o)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return e
}

// request is a short one.
func request(addr string) Request {
	return Request{
		Addr: netip.MustParseAddr(addr), Count: 3, Interval: 10 * time.Millisecond,
		Timeout: 2 * time.Second, Size: 64,
	}
}

func ping(t testing.TB, e *Engine, q Request) Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rep, err := e.Ping(ctx, q)
	if err != nil {
		t.Fatalf("Ping(%+v) = %v", q, err)
	}
	return rep
}

// each runs a test for both kinds of sockets and both families. addr gives
// the address for a family.
func each(t *testing.T, test func(t *testing.T, e *Engine, v6 bool)) {
	t.Helper()
	icmptest.Need(t)
	for name, mode := range modes {
		for _, v6 := range []bool{false, true} {
			t.Run(name+familyName(v6), func(t *testing.T) {
				t.Parallel()
				test(t, newEngine(t, Options{Mode: mode}), v6)
			})
		}
	}
}

func pick46(v6 bool, a4, a6 string) string {
	if v6 {
		return a6
	}
	return a4
}
