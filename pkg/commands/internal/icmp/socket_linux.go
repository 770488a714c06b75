//go:build !portable

package icmp

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stampFlags ask the kernel for receive times in the packets and for send
// times, without the packet and numbered, in the error queue.
const stampFlags = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_RX_SOFTWARE |
	unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_TSONLY

// socket is an open ICMP socket with the buffers of its batches. It belongs to
// one goroutine; only wake and close are for others.
//
// The runtime's poller would wake a thread for every packet, those that come
// while a batch is being sent as well. So it watches an epoll instance of our
// own, which watches the socket only while wait needs it.
type socket struct {
	fd   int
	epfd int
	file *os.File // of epfd
	raw  syscall.RawConn
	form form
	id   uint16
	end  runtime.Cleanup // closes fd when nobody called close

	stamps   bool // the kernel takes stampFlags
	cuts     bool // see cut
	out      outBatch
	in       inBatch
	errs     inBatch
	inbound  []inbound
	noticed  []notice
	pollOnce func(fd uintptr) bool
	poll     func() bool
}

// openKind opens a datagram or a raw socket.
func openKind(v6, raw bool, o *Options) (*socket, error) {
	domain, kind, proto := unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP
	if v6 {
		domain, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if raw {
		kind = unix.SOCK_RAW
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &socket{fd: fd, id: o.RawID, form: form{v6: v6, raw: raw, header: raw && !v6, verify: raw && !v6}}
	if s.id == 0 {
		s.id = uint16(rand.Uint32())
	}
	if err := s.setup(raw, o.Buffer); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if err := s.watch(); err != nil {
		unix.Close(fd)
		return nil, err
	}
	s.end = runtime.AddCleanup(s, func(fd int) { _ = unix.Close(fd) }, fd)
	s.out.init()
	s.in.init(batchRead, smallPacket)
	s.errs.init(batchRead, smallPacket)
	s.inbound = make([]inbound, batchRead)
	s.noticed = make([]notice, batchRead)
	return s, nil
}

// watch makes the epoll instance.
func (s *socket) watch() (err error) {
	if s.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err = unix.SetNonblock(s.epfd, true); err != nil { // or else os would not poll it
		unix.Close(s.epfd)
		return os.NewSyscallError("fcntl", err)
	}
	s.file = os.NewFile(uintptr(s.epfd), "icmp")
	if s.raw, err = s.file.SyscallConn(); err == nil {
		err = os.NewSyscallError("epoll_ctl", s.arm(unix.EPOLL_CTL_ADD, 0))
	}
	if err == nil {
		err = s.file.SetReadDeadline(time.Time{}) // an error: os does not poll it
	}
	if err != nil {
		s.file.Close()
	}
	s.pollOnce = func(uintptr) bool {
		// What comes between the poll and arm is seen by arm.
		return s.poll() || s.arm(unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLERR) != nil
	}
	return err
}

// arm says what the epoll instance looks for.
func (s *socket) arm(op int, events uint32) error {
	return unix.EpollCtl(s.epfd, op, s.fd, &unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(s.fd)})
}

// setup sets the socket's options. What makes it only faster or more precise
// may be missing.
func (s *socket) setup(raw bool, buffer int) error {
	for _, o := range [...][2]int{
		{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF},
		{unix.SO_SNDBUFFORCE, unix.SO_SNDBUF},
	} {
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o[0], buffer) != nil {
			if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o[1], buffer); err != nil {
				return os.NewSyscallError("setsockopt buffer", err)
			}
		}
	}
	s.stamps = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stampFlags|unix.SOF_TIMESTAMPING_OPT_ID) == nil
	if !s.stamps {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	if !s.form.v6 {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO) // see cut
	}
	if raw {
		return s.filter()
	}
	level, name := unix.SOL_IP, unix.IP_RECVERR
	if s.form.v6 {
		level, name = unix.SOL_IPV6, unix.IPV6_RECVERR
	}
	return os.NewSyscallError("setsockopt recverr", unix.SetsockoptInt(s.fd, level, name, 1))
}

// cut lets the kernel cut packets that are longer than the path takes, from
// now on; it returns false when it already does. Until the first such packet
// it is not allowed to, because it would number every packet, which costs as
// much as finding its route. (IPv6 numbers only what is cut.)
func (s *socket) cut() bool {
	if s.cuts || s.form.v6 {
		return false
	}
	s.cuts = true
	return unix.SetsockoptInt(s.fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_WANT) == nil
}

// filter spares a raw socket the packets of others: only replies with our id
// and errors come through.
func (s *socket) filter() error {
	const ret, load, jeq = unix.BPF_RET | unix.BPF_K, unix.BPF_LD | unix.BPF_IND, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	reply := uint32(typeReply4)
	start := unix.SockFilter{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0} // x = length of the IP header
	if s.form.v6 {
		reply = typeReply6
		start = unix.SockFilter{Code: unix.BPF_LDX | unix.BPF_IMM, K: 0}
		if err := s.filter6(); err != nil {
			return err
		}
	} else if err := s.filter4(); err != nil {
		return err
	}
	program := []unix.SockFilter{
		start,
		{Code: load | unix.BPF_B, K: 0},
		{Code: jeq, Jt: 0, Jf: 2, K: reply},
		{Code: load | unix.BPF_H, K: 4},
		{Code: jeq, Jt: 2, Jf: 3, K: uint32(s.id)},
		{Code: jeq, Jt: 2, Jf: 0, K: typeEcho4},
		{Code: jeq, Jt: 1, Jf: 0, K: typeEcho6},
		{Code: ret, K: 1 << 18}, // all of it
		{Code: ret, K: 0},
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return os.NewSyscallError("setsockopt filter", unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog))
}

// filter4 is cheaper than a program: what it refuses is not even copied.
func (s *socket) filter4() error {
	const icmpFilter = 1 // linux/icmp.h; a set bit blocks its type
	pass := 1<<typeReply4 | 1<<typeUnreach4 | 1<<typeExceeded4 | 1<<typeProblem4
	return os.NewSyscallError("setsockopt filter", unix.SetsockoptInt(s.fd, unix.SOL_RAW, icmpFilter, ^pass))
}

func (s *socket) filter6() error {
	var f unix.ICMPv6Filter // a set bit blocks its type
	for i := range f.Data {
		f.Data[i] = ^uint32(0)
	}
	for _, typ := range []uint8{typeUnreach6, typeTooBig6, typeExceeded6, typeProblem6, typeReply6} {
		f.Data[typ/32] &^= 1 << (typ % 32)
	}
	return os.NewSyscallError("setsockopt filter", unix.SetsockoptICMPv6Filter(s.fd, unix.SOL_ICMPV6, unix.ICMPV6_FILTER, &f))
}

// renumber makes the kernel number the packets from 0 again.
func (s *socket) renumber() {
	if s.stamps {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stampFlags)
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stampFlags|unix.SOF_TIMESTAMPING_OPT_ID)
	}
	// Also forget an error of an earlier packet.
	_, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
}

// drops counts the packets that found the receive buffer full.
func (s *socket) drops() uint32 {
	var b [9 * 4]byte // SK_MEMINFO_VARS; the last is SK_MEMINFO_DROPS
	if err := getsockopt(s.fd, unix.SOL_SOCKET, unix.SO_MEMINFO, b[:]); err != nil {
		return 0
	}
	return binary.NativeEndian.Uint32(b[8*4:])
}

// wait blocks until poll has found something, the deadline or wake.
func (s *socket) wait(poll func() bool) {
	s.poll = poll
	_ = s.raw.Read(s.pollOnce) // the deadline is the only error there is
	_ = s.arm(unix.EPOLL_CTL_MOD, 0)
}

// deadline bounds the next wait.
func (s *socket) deadline(t time.Time) { _ = s.file.SetReadDeadline(t) }

// wake ends a wait.
func (s *socket) wake() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) }

func (s *socket) close() error {
	s.end.Stop()
	return errors.Join(s.file.Close(), unix.Close(s.fd))
}
