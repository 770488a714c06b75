package system

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// place is a network namespace of its own, that of a process which does
// nothing else.
type place struct {
	t   testing.TB
	pid string
}

// newPlace makes a namespace. Where that is not allowed the test is skipped,
// or fails when REDPOLL_TEST_NETNS is "required".
func newPlace(t testing.TB) *place {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		if os.Getenv("REDPOLL_TEST_NETNS") == "required" {
			t.Fatalf("network namespace: %v", err)
		}
		t.Skipf("SKIPPED: this needs network namespaces: %v", err)
	}
	t.Cleanup(func() {
		_ = in.(io.Closer).Close()
		_ = cmd.Wait() // it ends with its input
	})
	p := &place{t, fmt.Sprint(cmd.Process.Pid)}
	p.sh("ip link set lo up")
	return p
}

// enter gives the words that run a program in the namespace.
func (p *place) enter(words ...string) []string {
	return append([]string{"nsenter", "-t", p.pid, "-n"}, words...)
}

func (p *place) sh(script string) {
	p.t.Helper()
	words := p.enter("sh", "-ec", script)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// plug connects the place with a hub by a cable of its own, number n, over
// which the hub's targets 10.90.0.0/16 are reached.
func (p *place) plug(hub *place, n int) {
	p.t.Helper()
	p.sh(fmt.Sprintf("ip link add u0 type veth peer name c%d netns %s", n, hub.pid))
	hub.sh(fmt.Sprintf("ip addr add 10.91.%d.1/24 dev c%d; ip link set c%d up", n, n, n))
	p.sh(fmt.Sprintf("ip addr add 10.91.%d.2/24 dev u0; ip link set u0 up; ip route add 10.90.0.0/16 via 10.91.%d.1", n, n))
}

// guarded starts a worker in a place, with a self-test of its uplink.
func (f *fleet) guarded(p *place, name, socket string) *proc {
	f.Helper()
	args := p.enter(binary(f, "worker"), "-redis", "unix://"+socket, "-listen", "", "-name", name, "-lease", lease.String(),
		"-uplink", "10.90.255.1,tcp:10.90.255.2:9")
	return f.enlist(start(f, name, args...))
}

// One of two workers loses its uplink, silently, while it measures a thousand
// targets: nothing is said about them, one incident is about the worker, and
// the other worker goes on.
func TestLostUplink(t *testing.T) { // alone: it needs the machine
	const targets = 1000
	socket := filepath.Join(t.TempDir(), "redis")
	f := newFleet(t, "--unixsocket", socket)
	hub, a, b := newPlace(t), newPlace(t), newPlace(t)
	hub.sh("ip route add local 10.90.0.0/16 dev lo; echo 1000000 > /proc/sys/net/ipv4/icmp_msgs_per_sec; echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
	a.plug(hub, 1)
	b.plug(hub, 2)
	f.ready(f.scheduler("s1"))
	f.guarded(a, "w1", socket)
	f.guarded(b, "w2", socket)

	var add []string
	for i := range targets {
		add = append(add, fmt.Sprintf("XADD redpoll:intake * id t%03d command ping every 2s first spread params.host 10.90.%d.%d params.count 1 params.timeout 1s",
			i, 1+i/250, 1+i%250))
	}
	f.lines(add...)
	f.measured(targets, 0, "w1", "w2")

	hub.sh("ip route replace blackhole 10.91.1.2/32") // nothing comes back to w1
	f.eventually(10*time.Second, func() error { return f.incidentsAre("default/worker:w1/") })
	f.measured(targets, 1, "w2")
	hub.sh("ip route add blackhole 10.90.1.7/32 table local") // a target that is really gone
	f.eventually(10*time.Second, func() error { return f.incidentsAre("default/t006/", "default/worker:w1/") })

	hub.sh("ip route del blackhole 10.91.1.2/32; ip route del blackhole 10.90.1.7/32 table local")
	f.eventually(15*time.Second, func() error { return f.incidentsAre() })
	f.measured(targets, 1, "w1", "w2")
	hub.sh("ip link set c1 down") // the cable itself
	f.eventually(10*time.Second, func() error { return f.incidentsAre("default/worker:w1/") })
	f.measured(targets, 1, "w2")
	f.readResults()
	for id, list := range f.results {
		for _, ev := range list {
			if ev.State != check.StateOK && id != "t006" {
				t.Errorf("%s: %v %s %s by %s, want OK", id, ev.State, ev.Reason, ev.Text, ev.Worker)
			}
		}
	}
}

// measured waits until every target has been measured again, or n of them for
// the first time (again 0), and each of the workers took part.
func (f *fleet) measured(n, again int, workers ...string) {
	f.Helper()
	f.readResults()
	before := map[string]int{}
	if again > 0 {
		for id, list := range f.results {
			before[id] = len(list)
		}
	}
	f.eventually(20*time.Second, func() error {
		f.readResults()
		seen, by := 0, map[string]bool{}
		for id, list := range f.results {
			if len(list) > before[id] {
				seen++
			}
			for _, ev := range list[before[id]:] {
				by[ev.Worker] = true
			}
		}
		for _, w := range workers {
			if !by[w] {
				return fmt.Errorf("%s has measured nothing", w)
			}
		}
		if seen < n {
			return fmt.Errorf("%d of %d targets were measured", seen, n)
		}
		return nil
	})
}

// incidentsAre gives an error unless exactly the incidents are open whose ids
// begin so.
func (f *fleet) incidentsAre(want ...string) error {
	all, err := f.client.HGetAll(f.Context(), key("incidents")).Result()
	if err != nil {
		return err
	}
	var open []string
	for id, text := range all {
		var inc check.Incident
		if err := json.Unmarshal([]byte(text), &inc); err != nil {
			return err
		}
		if inc.Resolved == 0 {
			open = append(open, id)
		}
	}
	left := strings.Join(open, " ")
	for _, w := range want {
		if !strings.Contains(left, w) {
			return fmt.Errorf("open: %s, want %s", left, w)
		}
	}
	if len(open) != len(want) {
		return fmt.Errorf("open: %s, want %v", left, want)
	}
	return nil
}
