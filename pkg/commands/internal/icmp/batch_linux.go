//go:build !portable

package icmp

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchRead is more than batchSize, so that one call usually empties a
	// queue and shows that it did.
	batchRead   = 64
	smallPacket = 256 // bytes of a buffer until longer packets are asked for
	controlSize = 128 // times and an extended error fit
)

// mmsghdr is the kernel's struct of that name; Go pads it the same way.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// outBatch are the packets of one sendmmsg: a head of their own and a part of
// the pattern that all share.
type outBatch struct {
	hdrs  [batchSize]mmsghdr
	iovs  [batchSize][2]unix.Iovec
	heads [batchSize][headLen]byte
}

func (b *outBatch) init() {
	for i := range b.hdrs {
		h := &b.hdrs[i].hdr
		b.iovs[i][0].Base = &b.heads[i][0]
		b.iovs[i][0].SetLen(headLen)
		b.iovs[i][1].Base = &pattern()[0]
		h.Iov = &b.iovs[i][0]
		h.SetIovlen(2)
	}
}

// put makes packet i of the batch.
func (s *socket) put(i int, r *run, seq uint16, token uint64) {
	head := &s.out.heads[i]
	putHead(head, s.form.v6, s.id, seq, token)
	if s.form.verify {
		putChecksum(head, r.tail)
	}
	s.out.iovs[i][1].SetLen(r.req.Size - tokenLen)
	h := &s.out.hdrs[i].hdr
	h.Name = &r.dest.name[0]
	h.Namelen = r.dest.length
	h.Control = unsafe.SliceData(r.dest.control)
	h.SetControllen(len(r.dest.control))
}

// send hands the packets from..to of the batch to the kernel and returns how
// many it took. The error is about the first that it did not take.
func (s *socket) send(from, to int) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.out.hdrs[from])),
		uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(s)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// inBatch are the buffers of one recvmmsg.
type inBatch struct {
	hdrs     []mmsghdr
	iovs     []unix.Iovec
	names    []unix.RawSockaddrInet6
	controls [][controlSize]byte
	data     []byte
	size     int // bytes per packet
	used     int // headers that the kernel has written to
}

func (b *inBatch) init(n, size int) {
	b.hdrs = make([]mmsghdr, n)
	b.iovs = make([]unix.Iovec, n)
	b.names = make([]unix.RawSockaddrInet6, n)
	b.controls = make([][controlSize]byte, n)
	b.grow(size)
	b.used = n
}

func (b *inBatch) grow(size int) {
	b.size = size
	b.data = make([]byte, len(b.hdrs)*size)
	for i := range b.hdrs {
		h := &b.hdrs[i].hdr
		b.iovs[i].Base = &b.data[i*size]
		b.iovs[i].SetLen(size)
		h.Iov = &b.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Control = &b.controls[i][0]
	}
}

// read fills the batch and returns how many packets it holds: 0 when there
// are none.
func (b *inBatch) read(fd int, flags int) int {
	for i := range b.hdrs[:b.used] {
		h := &b.hdrs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlSize)
		h.Flags = 0
	}
	b.used = 0
	// Errors of earlier packets come out of any call, once each.
	for range 64 {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.hdrs[0])),
			uintptr(len(b.hdrs)), uintptr(flags|unix.MSG_DONTWAIT), 0, 0)
		switch errno {
		case 0:
			b.used = int(n)
			return int(n)
		case unix.EAGAIN, unix.EBADF, unix.ENOTSOCK, unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP:
			return 0
		}
	}
	return 0
}

// most is how many packets receive and notices return at most; fewer mean
// that the queue is empty.
func (s *socket) most() int { return batchRead }

// fit makes room for replies with size bytes of data, so that their checksum
// and their length can be seen.
func (s *socket) fit(size int) {
	need := 60 + headerLen + size // the longest IP header
	if need <= s.in.size {
		return
	}
	grown := s.in.size
	for grown < need {
		grown *= 2
	}
	s.in.grow(grown)
}

// receive reads packets.
func (s *socket) receive() []inbound {
	n := s.in.read(s.fd, unix.MSG_TRUNC)
	for i := range n {
		h := &s.in.hdrs[i]
		in := &s.inbound[i]
		in.size = int(h.len)
		in.data = s.in.data[i*s.in.size:][:min(in.size, s.in.size)]
		in.from = addrOf(unsafe.Slice((*byte)(unsafe.Pointer(&s.in.names[i])), h.hdr.Namelen))
		in.at = 0
		for rest := s.in.controls[i][:h.hdr.Controllen]; len(rest) >= unix.CmsgLen(0); {
			c, data, next, err := unix.ParseOneSocketControlMessage(rest)
			if err != nil {
				break
			}
			if c.Level == unix.SOL_SOCKET {
				in.at = stampOf(c.Type, data)
			}
			rest = next
		}
	}
	return s.inbound[:n]
}

func getsockopt(fd, level, name int, b []byte) error {
	n := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
