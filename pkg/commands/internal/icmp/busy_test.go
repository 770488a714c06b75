//go:build linux && !portable

package icmp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	probing "github.com/prometheus-community/pro-bing"
	"golang.org/x/sys/unix"

	"github.com/redpoll/redpoll/pkg/commands/internal/icmptest"
)

// TestBusy: a process without a free processor neither loses replies nor
// measures itself. Without the kernel's times this gives milliseconds.
func TestBusy(t *testing.T) {
	icmptest.Need(t)
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, Options{Mode: mode})
			ping(t, e, request("127.0.0.1")) // the kernel takes times from here on
			var stop atomic.Bool
			var hogs sync.WaitGroup
			for range 8 * runtime.GOMAXPROCS(0) {
				hogs.Go(func() {
					for !stop.Load() {
					}
				})
			}
			defer hogs.Wait()
			defer stop.Store(true)
			const targets = 200
			var over atomic.Int32
			var group sync.WaitGroup
			for i := range targets {
				group.Go(func() {
					q := request(netip.AddrFrom4([4]byte{127, 2, 0, byte(i)}).String())
					q.Timeout = 5 * time.Millisecond
					rep, err := e.Ping(t.Context(), q)
					if err != nil || len(rep.RTTs) != 3 {
						t.Errorf("Ping(%s) = %+v, %v, want 3 replies", q.Addr, rep, err)
					}
					for _, rtt := range rep.RTTs {
						if rtt > time.Millisecond {
							over.Add(1)
						}
					}
				})
			}
			group.Wait()
			if n := over.Load(); n > targets*3/100 {
				t.Errorf("%d of %d round trips on loopback took more than 1 ms", n, 3*targets)
			}
		})
	}
}

// step gives a lane with an open socket and no goroutine, so that a test makes
// its turns.
func step(t *testing.T, mode Mode, runs ...*run) *lane {
	t.Helper()
	icmptest.Need(t)
	e := newEngine(t, Options{Mode: mode})
	l := &e.v4
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	l.incoming = runs
	return l
}

// TestDeadline: what is in the socket at the deadline was in time.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for name, mode := range modes {
		q := request("127.0.0.1")
		q.Count, q.Timeout = 1, time.Minute
		r, err := newRun(q)
		if err != nil {
			t.Fatal(err)
		}
		l := step(t, mode, r)
		l.admit()
		l.limit = batchSize // or else the reply is read at once
		l.due(l.now())
		l.flush()
		if r.open != 1 || r.over {
			t.Fatalf("%s: %d packets are open, want 1", name, r.open)
		}
		r.at = 0 // long ago
		l.queue.fix(r)
		l.turn()
		if !r.over || len(r.report.RTTs) != 1 {
			t.Errorf("%s: after the deadline %+v, want the reply that lay in the socket", name, r.report)
		}
	}
}

// TestOverrun: replies that this host drops are no loss.
func TestOverrun(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var runs []*run
			for i := range 64 {
				q := request(netip.AddrFrom4([4]byte{127, 3, 0, byte(i)}).String())
				q.Count, q.Timeout = 1, 50*time.Millisecond
				r, err := newRun(q)
				if err != nil {
					t.Fatal(err)
				}
				runs = append(runs, r)
			}
			l := step(t, mode, runs...)
			if err := unix.SetsockoptInt(l.sock.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
				t.Fatal(err)
			}
			l.limit = batchSize
			for l.admit() {
				l.sleep(l.turn())
			}
			lost, unknown := 0, 0
			for _, r := range runs {
				switch {
				case errors.Is(r.err, ErrOverrun):
					unknown++
				case r.err != nil || len(r.report.RTTs) != 1:
					lost++
				}
			}
			if lost != 0 || l.count.resent.Load() == 0 {
				t.Errorf("%d runs lost packets, %d unknown, %d packets sent again, want 0 lost and some sent again", lost, unknown, l.count.resent.Load())
			}
		})
	}
}

const (
	twinEnv     = "REDPOLL_ICMP_TWIN"
	twinListens = "twin listens" // what the other process says then
)

// TestTwin: two processes with the same id and the same targets.
func TestTwin(t *testing.T) {
	icmptest.Need(t)
	if os.Getenv(twinEnv) != "" {
		twin(t, 65, 0, func() { fmt.Println(twinListens) })
		fmt.Println("twin done")
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestTwin$", "-test.v")
	cmd.Env = append(os.Environ(), twinEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if lines.Text() == twinListens { // for two seconds
			twin(t, 64, 50, func() {})
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(text.String(), "twin done") {
		t.Errorf("the other process: %v\n%s", err, text.String())
	}
}

// twin pings a target that answers packets of 64 bytes only: one process gets
// all of its replies, the other one sees them and must get none. It calls begun
// when the first packet is out.
func twin(t *testing.T, size, replies int, begun func()) {
	e := newEngine(t, Options{Mode: ModeRaw, RawID: 4242})
	q := request(icmptest.Addr4(icmptest.Size64))
	q.Size, q.Count, q.Interval, q.Timeout = size, 50, 20*time.Millisecond, time.Second
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		for e.Stats().Sent == 0 {
			runtime.Gosched()
		}
		begun()
	})
	if rep := ping(t, e, q); len(rep.RTTs) != replies || rep.Duplicates != 0 {
		t.Errorf("process with %d bytes got %d replies, want %d: %+v", size, len(rep.RTTs), replies, e.Stats())
	}
	if s := e.Stats(); replies == 0 && s.Foreign == 0 {
		t.Errorf("Stats = %+v, want foreign replies seen and refused", s)
	}
}

// TestSecondOpinion asks pro-bing as well.
func TestSecondOpinion(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	e := newEngine(t, Options{})
	for _, addr := range []string{"127.0.0.1", "::1", icmptest.Far4, icmptest.Far6, icmptest.Addr4(icmptest.Good), icmptest.Addr6(icmptest.Good), icmptest.Blackhole4} {
		p, err := probing.NewPinger(addr)
		if err != nil {
			t.Fatal(err)
		}
		p.SetPrivileged(true)
		q := request(addr)
		q.Count, q.Timeout = 5, 10*time.Second // which only those wait for who get no answer
		if addr == icmptest.Blackhole4 {
			q.Timeout = 500 * time.Millisecond
		}
		p.Count, p.Interval, p.Timeout, p.Size = q.Count, q.Interval, q.Timeout, q.Size
		if err := p.RunWithContext(t.Context()); err != nil {
			t.Fatalf("pro-bing %s: %v", addr, err)
		}
		theirs := p.Statistics()
		rep := ping(t, e, q)
		if rep.Sent != theirs.PacketsSent || len(rep.RTTs) != theirs.PacketsRecv {
			t.Errorf("%s: %d of %d answered, pro-bing says %d of %d", addr, len(rep.RTTs), rep.Sent, theirs.PacketsRecv, theirs.PacketsSent)
		}
		var least time.Duration
		for i, rtt := range rep.RTTs {
			if i == 0 || rtt < least {
				least = rtt
			}
		}
		if theirs.PacketsRecv > 0 && (least <= 0 || least > theirs.MaxRtt+time.Millisecond) {
			t.Errorf("%s: shortest round trip %v, pro-bing has %v to %v", addr, least, theirs.MinRtt, theirs.MaxRtt)
		}
	}
}

const nobodyEnv = "REDPOLL_ICMP_NOBODY"

// TestPermissions opens sockets as root, and as nobody.
func TestPermissions(t *testing.T) {
	icmptest.Need(t)
	if os.Getenv(nobodyEnv) != "" {
		if _, err := NewEngine(Options{}).Ping(context.Background(), request("127.0.0.1")); err == nil {
			fmt.Println("nobody may ping")
		} else {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		return
	}
	list := Permissions()
	if len(list) != 4 {
		t.Fatalf("Permissions = %+v, want 4", list)
	}
	for _, p := range list {
		if p.Err != nil || p.Fix != "" {
			t.Errorf("Permissions: %s %s does not work for root: %v", p.Family, p.Kind, p.Err)
		}
	}
	if os.Getuid() != 0 {
		t.Fatal("not root in a namespace of its own")
	}
	const nobody = 65534
	as := func(gid uint32) string {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestPermissions$", "-test.v")
		cmd.Env = append(os.Environ(), nobodyEnv+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: gid}}
		out, err := cmd.Output()
		if err != nil {
			t.Logf("as nobody: %v", err)
		}
		return string(out)
	}
	if out := as(nobody); !strings.Contains(out, "nobody may ping") {
		if strings.TrimSpace(out) == "" {
			t.Skip("SKIPPED in part: cannot run as nobody here")
		}
		t.Errorf("a group within ping_group_range: %s", out)
	}
	if out := as(70000); !strings.Contains(out, "ping_group_range") || !strings.Contains(out, "CAP_NET_RAW") {
		t.Errorf("a group outside of ping_group_range: %s, want both ways named", out)
	}
}
