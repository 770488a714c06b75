package snmpclient

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gosnmp/gosnmp"
)

// errOID cannot come up: OIDs were checked when the check was.
var errOID = errors.New("OID cannot be written")

// Tags of BER (X.690) that requests are made of.
const (
	tagInteger  = 0x02
	tagOctets   = 0x04
	tagNull     = 0x05
	tagOID      = 0x06
	tagSequence = 0x30
)

// message writes a request of version 1 or 2c (RFC 1157, RFC 3416): gosnmp's
// own way of doing it takes a fifth of the time of a check. It is written from
// its end, so that every length is known when its turn comes.
func (r *request) message(version gosnmp.SnmpVersion, community string, id uint32) ([]byte, error) {
	size := len(community) + 64
	for _, oid := range r.oids {
		size += len(oid) + 16
	}
	w := backwards{buf: make([]byte, size), at: size}
	for _, oid := range slices.Backward(r.oids) {
		end := w.at
		w.head(tagNull, w.at)
		if err := w.oid(oid); err != nil {
			return nil, fmt.Errorf("%s: %w", oid, err)
		}
		w.head(tagSequence, end)
	}
	w.head(tagSequence, len(w.buf))
	rows := uint32(0)
	if r.pdu == gosnmp.GetBulkRequest {
		rows = r.rows
	}
	w.integer(rows) // or the index of an error
	w.integer(0)    // non-repeaters, or an error
	w.integer(id)
	w.head(byte(r.pdu), len(w.buf))
	end := w.at
	w.text(community)
	w.head(tagOctets, end)
	w.integer(uint32(version))
	w.head(tagSequence, len(w.buf))
	return w.buf[w.at:], nil
}

// backwards is a buffer that is filled from its end.
type backwards struct {
	buf []byte
	at  int // what is before it is free
}

func (w *backwards) byte(b byte) {
	if w.at == 0 { // more than was reckoned with
		w.buf = append(make([]byte, len(w.buf)), w.buf...)
		w.at = len(w.buf) / 2
	}
	w.at--
	w.buf[w.at] = b
}

func (w *backwards) text(s string) {
	for i := len(s) - 1; i >= 0; i-- {
		w.byte(s[i])
	}
}

// head writes the tag and the length of what stands before end.
func (w *backwards) head(tag byte, end int) {
	n := end - w.at
	if n < 0x80 {
		w.byte(byte(n))
	} else {
		bytes := byte(0)
		for ; n > 0; n >>= 8 {
			w.byte(byte(n))
			bytes++
		}
		w.byte(0x80 | bytes)
	}
	w.byte(tag)
}

// integer writes a number that is not negative.
func (w *backwards) integer(v uint32) {
	end := w.at
	w.byte(byte(v))
	for v >= 0x80 { // the first bit is the sign
		v >>= 8
		w.byte(byte(v))
	}
	w.head(tagInteger, end)
}

// oid writes an OID that ParseOID accepted.
func (w *backwards) oid(text string) error {
	end := w.at
	subs := make([]uint32, 0, 32)
	for i := 0; i < len(text); i++ {
		v := uint64(0)
		first := i
		for ; i < len(text) && text[i] != '.'; i++ {
			if text[i] < '0' || text[i] > '9' || v > 1<<32 {
				return errOID
			}
			v = 10*v + uint64(text[i]-'0')
		}
		if i == first || v >= 1<<32 {
			return errOID
		}
		subs = append(subs, uint32(v))
	}
	if len(subs) < 2 || subs[0] > 2 || subs[0] < 2 && subs[1] > 39 {
		return errOID
	}
	for _, v := range slices.Backward(subs[2:]) {
		w.base128(uint64(v))
	}
	w.base128(uint64(subs[0])*40 + uint64(subs[1]))
	w.head(tagOID, end)
	return nil
}

// base128 writes seven bits a byte, all but the last marked.
func (w *backwards) base128(v uint64) {
	w.byte(byte(v & 0x7f))
	for v >>= 7; v > 0; v >>= 7 {
		w.byte(byte(v) | 0x80)
	}
}
