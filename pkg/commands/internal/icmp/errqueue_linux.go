//go:build !portable

package icmp

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notices reads the error queue.
func (s *socket) notices() []notice {
	n := s.errs.read(s.fd, unix.MSG_ERRQUEUE)
	list := s.noticed[:0]
	for i := range n {
		if x, ok := s.notice(i); ok {
			list = append(list, x)
		}
	}
	// Entries that mean nothing to us still say that there may be more.
	for len(list) < n && n == batchRead {
		list = append(list, notice{stamp: true, at: -1})
	}
	return list
}

func (s *socket) notice(i int) (x notice, ok bool) {
	h := &s.errs.hdrs[i]
	for rest := s.errs.controls[i][:h.hdr.Controllen]; len(rest) >= unix.CmsgLen(0); {
		c, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		switch {
		case c.Level == unix.SOL_SOCKET:
			x.at = stampOf(c.Type, data)
		case len(data) < extendedErr:
		case c.Level == unix.SOL_IP && c.Type == unix.IP_RECVERR, c.Level == unix.SOL_IPV6 && c.Type == unix.IPV6_RECVERR:
			quote := s.errs.data[i*s.errs.size:][:min(int(h.len), s.errs.size)]
			dst := addrOf(unsafe.Slice((*byte)(unsafe.Pointer(&s.errs.names[i])), h.hdr.Namelen))
			ok = s.extended(&x, data, quote, dst)
		}
		rest = next
	}
	return x, ok
}

const extendedErr = 16 // sizeof(struct sock_extended_err); an address follows

// extended reads a struct sock_extended_err.
func (s *socket) extended(x *notice, data, quote []byte, dst netip.Addr) bool {
	info, number := binary.NativeEndian.Uint32(data[8:]), binary.NativeEndian.Uint32(data[12:])
	switch data[4] {
	case unix.SO_EE_ORIGIN_TIMESTAMPING:
		x.stamp, x.key = true, number
		return true
	case unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6:
		x.packet = packet{typ: data[5], code: data[6], dst: dst, mtu: info}.readQuote(s.form.v6, quote)
		x.fault = Fault{V6: s.form.v6, Type: data[5], Code: data[6], MTU: info, From: addrOf(data[extendedErr:])}
		return x.packet.kind != kindMalformed
	case unix.SO_EE_ORIGIN_LOCAL:
		x.packet = packet{dst: dst}.readQuote(s.form.v6, quote)
		x.fault = Fault{V6: s.form.v6, Errno: syscall.Errno(binary.NativeEndian.Uint32(data))}
		return x.packet.kind != kindMalformed
	}
	return false
}

// stampOf reads a kernel time: unix ns, 0 when there is none.
func stampOf(typ int32, data []byte) int64 {
	if typ != unix.SO_TIMESTAMPING && typ != unix.SO_TIMESTAMPNS {
		return 0
	}
	// A struct timespec, or three of them of which the first is it.
	switch len(data) {
	case 16, 48:
		return int64(binary.NativeEndian.Uint64(data))*1e9 + int64(binary.NativeEndian.Uint64(data[8:]))
	case 8, 24:
		return int64(binary.NativeEndian.Uint32(data))*1e9 + int64(binary.NativeEndian.Uint32(data[4:]))
	}
	return 0
}
