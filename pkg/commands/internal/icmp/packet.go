package icmp

import (
	"encoding/binary"
	"sync"
)

// Sizes of the data of an echo request, in bytes. The data starts with the
// token, so it cannot be shorter than that.
const (
	MinSize = tokenLen
	MaxSize = 65535 - 20 - headerLen // the longest that fits into IPv4
)

const (
	headerLen = 8 // type, code, checksum, id, sequence
	tokenLen  = 8
	headLen   = headerLen + tokenLen
)

// Types of messages, RFC 792 and RFC 4443.
const (
	typeReply4     = 0
	typeUnreach4   = 3
	typeEcho4      = 8
	typeExceeded4  = 11
	typeProblem4   = 12
	typeUnreach6   = 1
	typeTooBig6    = 2
	typeExceeded6  = 3
	typeProblem6   = 4
	typeEcho6      = 128
	typeReply6     = 129
	protocolICMP   = 1
	protocolICMPv6 = 58
	protocolFrag6  = 44
)

// pattern gives what follows the token in every packet; nobody writes to it.
var pattern = sync.OnceValue(func() *[MaxSize - tokenLen]byte {
	p := new([MaxSize - tokenLen]byte)
	for i := range p {
		p[i] = byte(i)
	}
	return p
})

// putHead writes the first headLen bytes of an echo request. The checksum is
// left to the kernel.
func putHead(b *[headLen]byte, v6 bool, id, seq uint16, token uint64) {
	b[0] = typeEcho4
	if v6 {
		b[0] = typeEcho6
	}
	b[1], b[2], b[3] = 0, 0, 0
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	binary.BigEndian.PutUint64(b[8:], token)
}

// putChecksum completes b, the head of a packet whose rest sums up to tail.
// Raw IPv4 sockets need it.
func putChecksum(b *[headLen]byte, tail uint32) {
	binary.BigEndian.PutUint16(b[2:], ^fold(sum(b[:])+tail))
}

// tailSum is the sum of what follows the token in a packet with size bytes of
// data.
func tailSum(size int) uint32 { return uint32(fold(sum(pattern()[:size-tokenLen]))) }

// sum adds up b as 16-bit words; 64 KiB cannot overflow it.
func sum(b []byte) uint32 {
	var s uint32
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	s += s >> 16
	return uint16(s)
}
