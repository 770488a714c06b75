package snmptest

import (
	"slices"
	"strconv"
	"strings"
)

// Bind is an object in an answer.
type Bind struct {
	OID   string
	Value Value
}

// Answer is what a device with the agent's objects answers.
func (a *Agent) Answer(r Request) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	var binds []Bind
	switch r.PDU {
	case tagGet:
		for i, oid := range r.OIDs {
			v, ok := a.objects[oid]
			if !ok && r.Version == 0 {
				return r.Refuse(2, i+1) // noSuchName
			}
			if !ok {
				v = NoSuchInstance
			}
			binds = append(binds, Bind{oid, v})
		}
	case tagGetNext:
		for i, oid := range r.OIDs {
			b := a.next(oid)
			if b.OID == oid && r.Version == 0 {
				return r.Refuse(2, i+1)
			}
			binds = append(binds, b)
		}
	case tagGetBulk:
		oids := slices.Clone(r.OIDs)
		for range r.Rows {
			for i := range oids {
				b := a.next(oids[i])
				oids[i] = b.OID
				binds = append(binds, b)
			}
		}
	}
	return r.With(binds...)
}

// next finds the object after oid; at the end it is oid itself.
func (a *Agent) next(oid string) Bind {
	if a.order == nil {
		for o := range a.objects {
			a.order = append(a.order, numbers(o))
		}
		slices.SortFunc(a.order, slices.Compare)
	}
	at, found := slices.BinarySearchFunc(a.order, numbers(oid), slices.Compare)
	if found {
		at++
	}
	if at == len(a.order) {
		return Bind{oid, EndOfMibView}
	}
	parts := make([]string, len(a.order[at]))
	for i, n := range a.order[at] {
		parts[i] = strconv.FormatUint(n, 10)
	}
	next := strings.Join(parts, ".")
	return Bind{next, a.objects[next]}
}

// With is an answer with these objects.
func (r Request) With(binds ...Bind) []byte { return r.response(r.ID, 0, 0, binds) }

// WithID is an answer to another request.
func (r Request) WithID(id int, binds ...Bind) []byte { return r.response(id, 0, 0, binds) }

// Refuse is an answer with an error.
func (r Request) Refuse(status, index int) []byte {
	var binds []Bind
	for _, oid := range r.OIDs {
		binds = append(binds, Bind{oid, null})
	}
	return r.response(r.ID, status, index, binds)
}

func (r Request) response(id, status, index int, binds []Bind) []byte {
	var list []byte
	for _, b := range binds {
		list = append(list, TLV(tagSequence, OID(b.OID), b.Value)...)
	}
	return TLV(tagSequence, Int(int64(r.Version)), Octets(r.Community),
		TLV(tagResponse, Int(int64(id)), Int(int64(status)), Int(int64(index)), TLV(tagSequence, list)))
}

// Report is an answer of version 3, without authentication, that reports the
// object oid to the message that r is.
func (r Request) Report(engine, user, oid string) []byte {
	in := reader(r.Raw)
	_, msg := in.next()
	msg.int()
	_, header := msg.next()
	id := header.int()
	return TLV(tagSequence, Int(3),
		TLV(tagSequence, Int(int64(id)), Int(65507), Octets("\x00"), Int(3)),
		TLV(tagOctets, TLV(tagSequence, Octets(engine), Int(1), Int(1), Octets(user), Octets(""), Octets(""))),
		TLV(tagSequence, Octets(engine), Octets(""),
			TLV(tagReport, Int(int64(id)), Int(0), Int(0), TLV(tagSequence, TLV(tagSequence, OID(oid), Counter32(1))))))
}
