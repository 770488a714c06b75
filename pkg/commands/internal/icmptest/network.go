//go:build linux

package icmptest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Addresses of the network. Those of the target stand in target.go.
const (
	Router4 = "10.77.1.2" // answers as Linux does
	Router6 = "fd77:1::2"
	Far4    = "10.77.2.1" // the router's other side
	Far6    = "fd77:2::1"
	// The router drops these.
	Blackhole4 = "10.79.3.1"
	Blackhole6 = "fd79:3::1"
	// LocalUnreachable4 and LocalProhibited4 are refused by this host.
	LocalUnreachable4 = "10.80.1.1"
	LocalProhibited4  = "10.80.2.1"
	// Neighbour4 is on this host's own network, where nobody has it.
	Neighbour4 = "10.77.1.200"
)

// Neighbours are permanent, or else the first packets would wait for ARP.
const testsSetup = `
ip link set lo up
echo 0 65535 > /proc/sys/net/ipv4/ping_group_range || echo 0 0 > /proc/sys/net/ipv4/ping_group_range
ip link add a0 address 02:00:00:00:00:01 type veth peer name r0 address 02:00:00:00:00:02 netns $ROUTER
ip addr add 10.77.1.1/24 dev a0
ip addr add fd77:1::1/64 dev a0 nodad
ip link set a0 up
ip neigh add 10.77.1.2 lladdr 02:00:00:00:00:02 dev a0 nud permanent
ip neigh add fd77:1::2 lladdr 02:00:00:00:00:02 dev a0 nud permanent
ip route add 10.77.2.0/24 via 10.77.1.2
ip route add 10.78.0.0/24 via 10.77.1.2
ip route add 10.79.0.0/16 via 10.77.1.2
ip -6 route add fd77:2::/64 via fd77:1::2
ip -6 route add fd78::/64 via fd77:1::2
ip -6 route add fd79:3::/64 via fd77:1::2
ip route add unreachable 10.80.1.0/24
ip route add prohibit 10.80.2.0/24
`

const routerSetup = `
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
echo 1000000 > /proc/sys/net/ipv4/icmp_msgs_per_sec
echo 1000000 > /proc/sys/net/ipv4/icmp_msgs_burst
echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
ip link add r1 address 02:00:00:00:00:03 type veth peer name p0 address 02:00:00:00:00:04 netns $TARGET
ip addr add 10.77.1.2/24 dev r0
ip addr add fd77:1::2/64 dev r0 nodad
ip addr add 10.77.2.1/24 dev r1
ip addr add fd77:2::1/64 dev r1 nodad
ip link set r0 up
ip link set r1 up
ip neigh add 10.77.1.1 lladdr 02:00:00:00:00:01 dev r0 nud permanent
ip neigh add fd77:1::1 lladdr 02:00:00:00:00:01 dev r0 nud permanent
ip neigh add 10.77.2.2 lladdr 02:00:00:00:00:04 dev r1 nud permanent
ip neigh add fd77:2::2 lladdr 02:00:00:00:00:04 dev r1 nud permanent
ip route add 10.78.0.0/24 via 10.77.2.2
ip -6 route add fd78::/64 via fd77:2::2
ip route add blackhole 10.79.3.0/24
ip -6 route add blackhole fd79:3::/64
`

const targetSetup = `
ip link set lo up
echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all
echo 1 > /proc/sys/net/ipv6/icmp/echo_ignore_all
ip addr add 10.77.2.2/24 dev p0
ip addr add fd77:2::2/64 dev p0 nodad
ip link set p0 up
ip neigh add 10.77.2.1 lladdr 02:00:00:00:00:03 dev p0 nud permanent
ip neigh add fd77:2::1 lladdr 02:00:00:00:00:03 dev p0 nud permanent
ip route add default via 10.77.2.1
ip -6 route add default via fd77:2::1
ip route add local 10.78.0.0/24 dev lo
ip -6 route add local fd78::/64 dev lo
echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
`

// host is a process in a network namespace of its own. It runs a script when
// told to, says ready and stays until its input ends.
type host struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func newHost(after string, env ...string) (*host, error) {
	h := &host{cmd: exec.Command("sh", "-ec", "read script; eval \"$(cat \"$script\")\"; echo ready; "+after)}
	h.cmd.Env = append(os.Environ(), env...)
	h.cmd.Stderr = os.Stderr
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	in, err1 := h.cmd.StdinPipe()
	out, err2 := h.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	h.in, h.out = in, bufio.NewReader(out)
	return h, h.cmd.Start()
}

// setup runs the script in the host and waits until it has said want.
func (h *host) setup(script, want string) error {
	f, err := os.CreateTemp("", "icmptest")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(script); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(h.in, f.Name()); err != nil {
		return err
	}
	for {
		line, err := h.out.ReadString('\n')
		if strings.TrimSpace(line) == want {
			return f.Close()
		}
		if err != nil {
			return fmt.Errorf("setup: %w", err)
		}
	}
}

func (h *host) stop() {
	h.in.Close()
	_ = h.cmd.Wait()
}

// build makes the network around the calling process.
func build() (stop func(), err error) {
	router, err := newHost("exec cat")
	if err != nil {
		return nil, err
	}
	tgt, err := newHost("exec /proc/"+fmt.Sprint(os.Getpid())+"/exe", roleEnv+"=target")
	if err != nil {
		router.stop()
		return nil, err
	}
	stop = func() {
		tgt.stop()
		router.stop()
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	pid := func(h *host) string { return fmt.Sprint(h.cmd.Process.Pid) }
	here := exec.Command("sh", "-ec", strings.ReplaceAll(testsSetup, "$ROUTER", pid(router)))
	here.Stderr = os.Stderr
	if err := here.Run(); err != nil {
		return nil, fmt.Errorf("setup here (is ip of iproute2 installed?): %w", err)
	}
	if err := router.setup(strings.ReplaceAll(routerSetup, "$TARGET", pid(tgt)), "ready"); err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	if err := tgt.setup(targetSetup, "answering"); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	return stop, nil
}
