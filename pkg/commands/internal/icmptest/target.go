//go:build linux

package icmptest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// How the target's addresses behave: 10.78.0.N and fd78::N.
const (
	Good      = 1  // answers
	Twice     = 2  // answers twice
	Slow      = 3  // answers after SlowBy
	Cut       = 4  // answers with 12 bytes of data
	Garbled   = 5  // answers with a wrong checksum
	Stranger  = 6  // answers with other data
	Size64    = 7  // answers packets with 64 bytes of data only
	Third     = 8  // does not answer each third packet
	Elsewhere = 9  // answers from the address of Good
	Stub      = 10 // answers with 4 bytes
	Refuses   = 11 // sends "port unreachable" with the shortest quote
	Accuses   = 12 // sends "port unreachable" about a packet to Good
	Mute      = 13 // says nothing
	Gone      = 14 // sends "host unreachable" ("address unreachable") with a long quote
	Prohibits = 15 // sends "administratively prohibited" with a long quote
)

// SlowBy is how long Slow takes: longer than a busy machine stands still.
const SlowBy = time.Second

// Addr4 and Addr6 give the target's address with a behaviour.
func Addr4(n int) string { return fmt.Sprintf("10.78.0.%d", n) }

// Addr6 is Addr4 for IPv6.
func Addr6(n int) string { return fmt.Sprintf("fd78::%x", n) }

// target answers until its input ends.
func target() int {
	for _, v6 := range []bool{false, true} {
		r := &responder{v6: v6}
		if err := r.open(); err != nil {
			fmt.Fprintln(os.Stderr, "icmptest: target:", err)
			return 1
		}
		go r.run()
	}
	fmt.Println("answering")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// responder reads echo requests from a raw socket and answers them.
type responder struct {
	v6  bool
	p4  *ipv4.PacketConn
	p6  *ipv6.PacketConn
	out *ipv4.RawConn
}

func (r *responder) open() (err error) {
	network := "ip4:icmp"
	if r.v6 {
		network = "ip6:ipv6-icmp"
	}
	in, err := net.ListenIP(network, nil)
	if err != nil {
		return err
	}
	_ = in.SetReadBuffer(4 << 20) // as much of it as the system allows
	if r.v6 {
		r.p6 = ipv6.NewPacketConn(in)
		return r.p6.SetControlMessage(ipv6.FlagDst, true)
	}
	out, err := net.ListenIP(network, nil)
	if err != nil {
		return err
	}
	if r.out, err = ipv4.NewRawConn(out); err != nil {
		return err
	}
	r.p4 = ipv4.NewPacketConn(in)
	return r.p4.SetControlMessage(ipv4.FlagDst, true)
}

// read gives a packet with its destination and its source.
func (r *responder) read(buf []byte) (n int, dst net.IP, src net.Addr, err error) {
	if r.v6 {
		n, cm, src, err := r.p6.ReadFrom(buf)
		if err != nil {
			return 0, nil, nil, err
		}
		return n, cm.Dst, src, nil
	}
	n, cm, src, err := r.p4.ReadFrom(buf)
	if err != nil {
		return 0, nil, nil, err
	}
	return n, cm.Dst.To4(), src, nil
}

func (r *responder) run() {
	buf := make([]byte, 1<<16)
	for {
		n, dst, src, err := r.read(buf)
		if err != nil {
			fmt.Fprintln(os.Stderr, "icmptest: target:", err)
			return
		}
		if request := buf[:n]; n >= 16 && (!r.v6 && request[0] == 8 || r.v6 && request[0] == 128) {
			r.answer(append([]byte(nil), request...), append(net.IP(nil), dst...), src)
		}
	}
}

// answer behaves as the address dst does.
func (r *responder) answer(request []byte, dst net.IP, src net.Addr) {
	reply := append([]byte(nil), request...)
	reply[0] = 0
	if r.v6 {
		reply[0] = 129
	}
	from, last := dst, len(dst)-1
	switch dst[last] {
	case Good:
		r.send(reply, from, src)
	case Twice:
		r.send(reply, from, src)
		r.send(reply, from, src)
	case Slow:
		time.AfterFunc(SlowBy, func() { r.send(reply, from, src) })
	case Cut:
		r.send(reply[:8+12], from, src)
	case Garbled:
		r.sum(reply, from, src)
		reply[2] ^= 0x55
		r.write(reply, from, src)
	case Stranger:
		reply[9] ^= 0x55
		r.send(reply, from, src)
	case Size64:
		if len(reply) == 8+64 {
			r.send(reply, from, src)
		}
	case Third:
		if binary.BigEndian.Uint16(request[6:])%3 != 0 {
			r.send(reply, from, src)
		}
	case Elsewhere:
		from[last] = Good
		r.send(reply, from, src)
	case Stub:
		r.write(reply[:4], from, src)
	case Refuses:
		r.refuse(errorOf[r.v6].port, request[:8], from, from, src)
	case Accuses:
		good := append(net.IP(nil), from...)
		good[last] = Good
		r.refuse(errorOf[r.v6].port, request[:8], good, from, src)
	case Gone:
		r.refuse(errorOf[r.v6].host, request, from, from, src)
	case Prohibits:
		r.refuse(errorOf[r.v6].prohibited, request, from, from, src)
	}
}

// errorOf are types and codes, by whether it is IPv6.
var errorOf = map[bool]struct{ port, host, prohibited [2]byte }{
	false: {[2]byte{3, 3}, [2]byte{3, 1}, [2]byte{3, 13}},
	true:  {[2]byte{1, 4}, [2]byte{1, 3}, [2]byte{1, 1}},
}

// refuse sends an ICMP error that quotes a packet to dst.
func (r *responder) refuse(typ [2]byte, quote []byte, dst, from net.IP, src net.Addr) {
	to := src.(*net.IPAddr).IP
	b := append(typ[:], 0, 0, 0, 0, 0, 0)
	b = append(b, r.header(to, dst, len(quote))...)
	r.send(append(b, quote...), from, src)
}

// header makes an IP header.
func (r *responder) header(src, dst net.IP, length int) []byte {
	if r.v6 {
		h := make([]byte, 40)
		h[0], h[6], h[7] = 6<<4, 58, 64
		binary.BigEndian.PutUint16(h[4:], uint16(length))
		copy(h[8:], src.To16())
		copy(h[24:], dst.To16())
		return h
	}
	h := make([]byte, 20)
	h[0], h[8], h[9] = 4<<4|5, 64, 1
	binary.BigEndian.PutUint16(h[2:], uint16(20+length))
	copy(h[12:], src.To4())
	copy(h[16:], dst.To4())
	return h
}

func (r *responder) send(b []byte, from net.IP, to net.Addr) {
	r.sum(b, from, to)
	r.write(b, from, to)
}

// sum puts the checksum in.
func (r *responder) sum(b []byte, from net.IP, to net.Addr) {
	b[2], b[3] = 0, 0
	var s uint32
	add := func(b []byte) {
		for i := 0; i+1 < len(b); i += 2 {
			s += uint32(b[i])<<8 | uint32(b[i+1])
		}
		if len(b)%2 == 1 {
			s += uint32(b[len(b)-1]) << 8
		}
	}
	if r.v6 {
		add(icmp.IPv6PseudoHeader(from, to.(*net.IPAddr).IP)[:32])
		s += uint32(len(b)) + 58
	}
	add(b)
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(s))
}

// write sends b as it is. The kernel would put the right checksum into a
// packet of ICMPv6, so that one leaves with its IP header.
func (r *responder) write(b []byte, from net.IP, to net.Addr) {
	dst := to.(*net.IPAddr).IP
	if r.v6 {
		sendRaw6(append(r.header(from, dst, len(b)), b...), dst)
		return
	}
	h := &ipv4.Header{Version: 4, Len: 20, TotalLen: 20 + len(b), TTL: 64, Protocol: 1, Src: from.To4(), Dst: dst.To4()}
	if err := r.out.WriteTo(h, b, nil); err != nil {
		fmt.Fprintln(os.Stderr, "icmptest: target:", err)
	}
}
