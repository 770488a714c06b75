package icmp

import (
	"encoding/binary"
	"net/netip"
)

// form says how packets of a socket look.
type form struct {
	v6, raw bool
	// header: the packet starts with its IPv4 header, as on raw sockets.
	header bool
	// verify: the kernel has not verified the checksum.
	verify bool
}

// kind is what a received packet is to us.
type kind uint8

const (
	kindOther     kind = iota // nothing that we wait for
	kindReply                 // an echo reply
	kindFault                 // an error about an echo request of someone here
	kindMalformed             // cut short, contradicts itself, wrong checksum
)

// packet is what a received packet says.
type packet struct {
	kind      kind
	typ, code uint8
	id, seq   uint16
	token     uint64
	// hasToken is false when an error quotes too little of our packet.
	hasToken bool
	// size is the length of a reply's data.
	size int
	// dst is where the packet that a fault quotes was sent to.
	dst netip.Addr
	// mtu of the next hop, where an error tells it.
	mtu uint32
}

// parse reads a packet. size is its true length, which may be more than b
// holds. It never panics, whatever comes in.
func parse(f form, b []byte, size int) packet {
	malformed := packet{kind: kindMalformed}
	if size < len(b) {
		return malformed
	}
	if f.header {
		n, total, ok := ipv4Header(b)
		if !ok || total > size {
			return malformed
		}
		if b[9] != protocolICMP {
			return packet{}
		}
		b, size = b[n:min(total, len(b))], total-n
	}
	if len(b) < headerLen {
		return malformed
	}
	if f.verify && (size > len(b) || fold(sum(b)) != 0xffff) {
		return malformed
	}
	p := packet{kind: classify(f.v6, b[0]), typ: b[0], code: b[1]}
	switch p.kind {
	case kindReply:
		if len(b) < headLen {
			return malformed
		}
		p.size = size - headerLen
		p.readEcho(b)
		return p
	case kindFault:
		return p.readFault(f.v6, b)
	}
	return packet{}
}

// ipv4Header gives the length of the header at the start of b and of the whole
// packet.
func ipv4Header(b []byte) (header, total int, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return 0, 0, false
	}
	header = int(b[0]&0xf) * 4
	total = int(binary.BigEndian.Uint16(b[2:]))
	return header, total, header >= 20 && header <= len(b) && header <= total
}

func classify(v6 bool, typ uint8) kind {
	switch {
	case !v6 && typ == typeReply4, v6 && typ == typeReply6:
		return kindReply
	case !v6 && (typ == typeUnreach4 || typ == typeExceeded4 || typ == typeProblem4),
		v6 && typ >= typeUnreach6 && typ <= typeProblem6:
		return kindFault
	}
	return kindOther
}

// readEcho reads id, sequence and, when b has it, the token.
func (p *packet) readEcho(b []byte) {
	p.id = binary.BigEndian.Uint16(b[4:])
	p.seq = binary.BigEndian.Uint16(b[6:])
	if len(b) >= headLen {
		p.token = binary.BigEndian.Uint64(b[headerLen:])
		p.hasToken = true
	}
}

// readFault reads an ICMP error and the start of the packet that it quotes,
// which RFC 792 wants to be the IP header and 8 bytes at least.
func (p packet) readFault(v6 bool, b []byte) packet {
	if v6 && p.typ == typeTooBig6 {
		p.mtu = binary.BigEndian.Uint32(b[4:])
	}
	if !v6 && p.typ == typeUnreach4 && p.code == 4 {
		p.mtu = uint32(binary.BigEndian.Uint16(b[6:]))
	}
	quoted := b[headerLen:]
	var echo []byte
	if v6 {
		if len(quoted) < 40 || quoted[0]>>4 != 6 {
			return packet{kind: kindMalformed}
		}
		p.dst = netip.AddrFrom16([16]byte(quoted[24:40]))
		next := quoted[6]
		echo = quoted[40:]
		if next == protocolFrag6 && len(echo) >= 8 {
			next, echo = echo[0], echo[8:]
		}
		if next != protocolICMPv6 {
			return packet{}
		}
	} else {
		n, _, ok := ipv4Header(quoted)
		if !ok {
			return packet{kind: kindMalformed}
		}
		if quoted[9] != protocolICMP {
			return packet{}
		}
		p.dst = netip.AddrFrom4([4]byte(quoted[16:20]))
		echo = quoted[n:]
	}
	return p.readQuote(v6, echo)
}

// readQuote reads the quoted echo request itself; datagram sockets get only
// this from the kernel.
func (p packet) readQuote(v6 bool, echo []byte) packet {
	if len(echo) < headerLen {
		return packet{kind: kindMalformed}
	}
	if v6 && echo[0] != typeEcho6 || !v6 && echo[0] != typeEcho4 {
		return packet{}
	}
	p.readEcho(echo)
	return p
}
