package snmptest

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Value is the value of an object as it stands in a packet: type, length and
// content.
type Value []byte

// Tags of ASN.1 and of SNMP.
const (
	tagInteger   = 0x02
	tagOctets    = 0x04
	tagNull      = 0x05
	tagOID       = 0x06
	tagSequence  = 0x30
	tagGet       = 0xa0
	tagGetNext   = 0xa1
	tagResponse  = 0xa2
	tagGetBulk   = 0xa5
	tagReport    = 0xa8
	tagIP        = 0x40
	tagCounter32 = 0x41
	tagGauge32   = 0x42
	tagTicks     = 0x43
	tagCounter64 = 0x46
)

// TLV writes type, length and content.
func TLV(tag byte, content ...[]byte) Value {
	n := 0
	for _, c := range content {
		n += len(c)
	}
	out := []byte{tag}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, c := range content {
		out = append(out, c...)
	}
	return out
}

// Int is an INTEGER.
func Int(n int64) Value {
	size := 1
	for size < 8 && (n>>(8*size-1) != 0 && n>>(8*size-1) != -1) {
		size++
	}
	b := make([]byte, size)
	for i := range b {
		b[size-1-i] = byte(n >> (8 * i))
	}
	return TLV(tagInteger, b)
}

func unsigned(tag byte, n uint64) Value {
	size := max(1, bits.Len64(n)/8+1)
	b := make([]byte, size)
	for i := range min(size, 8) {
		b[size-1-i] = byte(n >> (8 * i))
	}
	return TLV(tag, b)
}

// Counter32 is a counter of 32 bits.
func Counter32(n uint32) Value { return unsigned(tagCounter32, uint64(n)) }

// Counter64 is a counter of 64 bits.
func Counter64(n uint64) Value { return unsigned(tagCounter64, n) }

// Gauge is a Gauge32.
func Gauge(n uint32) Value { return unsigned(tagGauge32, uint64(n)) }

// Ticks are hundredths of a second.
func Ticks(n uint32) Value { return unsigned(tagTicks, uint64(n)) }

// Octets is an OCTET STRING.
func Octets(s string) Value { return TLV(tagOctets, []byte(s)) }

// Float is a float in an Opaque, as net-snmp writes it.
func Float(bits uint32) Value {
	return TLV(0x44, []byte{0x9f, 0x78, 4, byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)})
}

// IP is an IpAddress.
func IP(a, b, c, d byte) Value { return TLV(tagIP, []byte{a, b, c, d}) }

// The values of objects that are not there.
var (
	NoSuchObject   = Value{0x80, 0}
	NoSuchInstance = Value{0x81, 0}
	EndOfMibView   = Value{0x82, 0}
	null           = Value{tagNull, 0}
)

// OID is an OBJECT IDENTIFIER; it panics on what is none.
func OID(oid string) Value {
	subs := numbers(oid)
	content := []byte{}
	for i, n := range subs {
		switch i {
		case 0:
			continue
		case 1:
			n += 40 * subs[0]
		}
		group := []byte{byte(n & 0x7f)}
		for n >>= 7; n > 0; n >>= 7 {
			group = append([]byte{byte(n&0x7f) | 0x80}, group...)
		}
		content = append(content, group...)
	}
	return TLV(tagOID, content)
}

func numbers(oid string) []uint64 {
	subs := []uint64{}
	for part := range strings.SplitSeq(oid, ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			panic(fmt.Sprintf("OID %q: %v", oid, err))
		}
		subs = append(subs, n)
	}
	return subs
}

// reader takes BER apart. The packets are those of our own client: what is
// wrong with one is an error of the test.
type reader []byte

func (r *reader) next() (tag byte, content reader) {
	b := *r
	tag, n, head := b[0], int(b[1]), 2
	if n >= 0x80 {
		head += n & 0x7f
		n = 0
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	*r = b[head+n:]
	return tag, b[head : head+n]
}

func (r *reader) int() int {
	_, c := r.next()
	n := 0
	for _, b := range c {
		n = n<<8 | int(b)
	}
	return n
}

func (r *reader) oid() string {
	_, c := r.next()
	out, n := []string{strconv.Itoa(min(int(c[0])/40, 2))}, uint64(0)
	for i, b := range c {
		n = n<<7 | uint64(b&0x7f)
		if b&0x80 != 0 {
			continue
		}
		if i == 0 {
			n -= 40 * min(n/40, 2)
		}
		out, n = append(out, strconv.FormatUint(n, 10)), 0
	}
	return strings.Join(out, ".")
}
