package snmpclient

import (
	"math"
	"strconv"

	"github.com/gosnmp/gosnmp"
)

// decode reads an answer of version 1 or 2c to a request for oids. It knows
// what nearly all answers are made of and leaves everything else, and whatever
// is not written as it should be, to gosnmp, which takes three times as long
// and a hundred allocations: ok is false then. Octets stay in raw.
func decode(raw []byte, oids []string) (p *gosnmp.SnmpPacket, ok bool) {
	r := reader{left: raw}
	message := r.in(tagSequence)
	if len(r.left) > 0 {
		return nil, false
	}
	version := message.integer()
	message.take(tagOctets) // the community
	pdu := message.in(byte(gosnmp.GetResponse))
	id, status, index := pdu.integer(), pdu.integer(), pdu.integer()
	list := pdu.in(tagSequence)
	if r.bad || message.bad || pdu.bad || len(message.left)+len(pdu.left) > 0 || version > 1 || id > math.MaxInt32 || status > 18 || index > math.MaxUint8 {
		return nil, false
	}
	p = &gosnmp.SnmpPacket{
		Version: gosnmp.SnmpVersion(version), PDUType: gosnmp.GetResponse, RequestID: uint32(id),
		Error: gosnmp.SNMPError(status), ErrorIndex: uint8(index), Variables: make([]gosnmp.SnmpPDU, 0, len(oids)),
	}
	var scratch [256]byte
	for len(list.left) > 0 {
		bind := list.in(tagSequence)
		name, named := appendOID(scratch[:0], bind.take(tagOID))
		tag, content := bind.next()
		value, plain := plainValue(tag, content)
		if list.bad || bind.bad || len(bind.left) > 0 || !named || !plain {
			return nil, false
		}
		v := gosnmp.SnmpPDU{Type: gosnmp.Asn1BER(tag), Value: value}
		if n := len(p.Variables); n < len(oids) && string(name) == oids[n] {
			v.Name = oids[n]
		} else {
			v.Name = string(name)
		}
		p.Variables = append(p.Variables, v)
	}
	return p, !list.bad
}

// plainValue gives a value as gosnmp does.
func plainValue(tag byte, content []byte) (value any, ok bool) {
	switch t := gosnmp.Asn1BER(tag); t {
	case gosnmp.Integer:
		if len(content) == 0 || len(content) > 4 {
			return nil, false
		}
		n := int64(int8(content[0]))
		for _, b := range content[1:] {
			n = n<<8 | int64(b)
		}
		return int(n), true
	case gosnmp.OctetString:
		return content, true
	case gosnmp.Counter32, gosnmp.Gauge32, gosnmp.TimeTicks, gosnmp.Counter64:
		n, ok := unsignedBytes(content)
		switch {
		case t == gosnmp.Counter64:
			return n, ok
		case n > math.MaxUint32:
			return nil, false
		case t == gosnmp.TimeTicks:
			return uint32(n), ok
		}
		return uint(n), ok
	case gosnmp.Null, gosnmp.NoSuchObject, gosnmp.NoSuchInstance, gosnmp.EndOfMibView:
		return nil, len(content) == 0
	}
	return nil, false
}

// unsignedBytes reads a number that has its first bit for itself, or a zero in
// front.
func unsignedBytes(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || b[0]&0x80 != 0 {
		return 0, false
	}
	if len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) > 8 {
		return 0, false
	}
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, true
}

// appendOID writes an OID with dots between its numbers.
func appendOID(to, b []byte) ([]byte, bool) {
	first := true
	for len(b) > 0 {
		v, more := uint64(0), true
		for more && len(b) > 0 && v < 1<<32 {
			v, more = v<<7|uint64(b[0]&0x7f), b[0]&0x80 != 0
			b = b[1:]
		}
		if more || v >= 1<<32 {
			return to, false
		}
		if first {
			root := min(v/40, 2)
			to = append(strconv.AppendUint(to, root, 10), '.')
			v -= 40 * root
			first = false
		} else {
			to = append(to, '.')
		}
		to = strconv.AppendUint(to, v, 10)
	}
	return to, !first
}

// reader takes BER apart. Once bad it gives nothing any more.
type reader struct {
	left []byte
	bad  bool
}

// next gives the tag and the content of what comes next.
func (r *reader) next() (tag byte, content []byte) {
	if r.bad || len(r.left) < 2 {
		r.bad = true
		return 0, nil
	}
	tag, size, head := r.left[0], int(r.left[1]), 2
	if size >= 0x80 { // the length has bytes of its own: two hold a datagram's
		bytes := size & 0x7f
		if bytes == 0 || bytes > 2 || len(r.left) < 2+bytes {
			r.bad = true
			return 0, nil
		}
		size = 0
		for _, b := range r.left[2 : 2+bytes] {
			size = size<<8 | int(b)
		}
		head += bytes
	}
	if len(r.left)-head < size {
		r.bad = true
		return 0, nil
	}
	content = r.left[head : head+size : head+size]
	r.left = r.left[head+size:]
	return tag, content
}

// take gives the content of what comes next, which must have the tag.
func (r *reader) take(tag byte) []byte {
	got, content := r.next()
	if got != tag {
		r.bad = true
	}
	return content
}

// in gives a reader of the content of what comes next.
func (r *reader) in(tag byte) reader {
	content := r.take(tag)
	return reader{left: content, bad: r.bad}
}

// integer reads a number that is not negative.
func (r *reader) integer() uint64 {
	n, ok := unsignedBytes(r.take(tagInteger))
	if !ok {
		r.bad = true
	}
	return n
}
