package snmpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/gosnmp/gosnmp"
)

// request is one exchange with the device.
type request struct {
	pdu  gosnmp.PDUType
	oids []string
	rows uint32 // of a GETBULK
	// retries is how often to try again; less than 0 means as the settings say.
	retries int
}

// by sends the request by gosnmp's own means.
func (r *request) by(g *gosnmp.GoSNMP) (*gosnmp.SnmpPacket, error) {
	switch r.pdu {
	case gosnmp.GetNextRequest:
		return g.GetNext(r.oids)
	case gosnmp.GetBulkRequest:
		return g.GetBulk(r.oids, 0, r.rows)
	}
	return g.Get(r.oids)
}

// maxID keeps request ids away from the sign, which some devices lose; 0 is
// no id, as devices answer with it what they could not read.
const maxID = 1<<30 - 1

// maxJunk is how many packets that are no answer are read in one try.
const maxJunk = 64

var errSilence = errors.New("no answer in time")

// exchange sends a request of version 1 or 2c and waits for its answer. The
// packets are written and, mostly, read here, and the socket is handled here:
// gosnmp's own way keeps 64 KiB for each session, lets junk on the socket cost a
// try, and spends an eighth of the time on a text for a log that is off. What is
// no answer to this request is passed over.
func (s *session) exchange(ctx context.Context, r request) (*gosnmp.SnmpPacket, error) {
	if s.requests+s.snmp.Retries+1 > maxID {
		s.requests = 0
	}
	first := s.requests + 1
	var err error
	for range s.snmp.Retries + 1 {
		s.requests++
		id := uint32(s.requests)
		raw, wrong := r.message(s.snmp.Version, s.snmp.Community, id)
		if wrong != nil {
			return nil, fmt.Errorf("write the request: %w", wrong)
		}
		answer, again := s.try(ctx, raw, r.oids, uint32(first), id)
		if again == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if s.stream && !errors.Is(again, errSilence) { // the stream is out of step
			return nil, again
		}
		if err == nil || !errors.Is(again, errSilence) {
			err = again
		}
	}
	return nil, err
}

// try sends the packet, which asks for oids, once and reads until the answer, to
// it or to an earlier try, is there.
func (s *session) try(ctx context.Context, raw []byte, oids []string, first, id uint32) (*gosnmp.SnmpPacket, error) {
	end := time.Now().Add(s.snmp.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	if err := s.conn.SetDeadline(end); err != nil {
		return nil, err
	}
	if _, err := s.conn.Write(raw); err != nil {
		return nil, err
	}
	failure := errSilence
	for range maxJunk {
		raw, err := s.receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, failure
		case err != nil:
			return nil, err
		}
		p, plain := decode(raw, oids)
		if !plain {
			p, err = s.snmp.SnmpDecodePacket(raw)
		}
		if err != nil || p.PDUType != gosnmp.GetResponse {
			failure = errUnreadable
			if s.stream {
				return nil, failure
			}
			continue
		}
		if first <= p.RequestID && p.RequestID <= id {
			return p, nil
		}
	}
	return nil, failure
}

// packets are buffers for what is read: as large as a datagram can be.
var packets = sync.Pool{New: func() any { return new([1 << 16]byte) }}

// receive reads one packet into memory of its own.
func (s *session) receive() ([]byte, error) {
	buf := packets.Get().(*[1 << 16]byte)
	defer packets.Put(buf)
	n, err := 0, error(nil)
	if s.stream {
		n, err = readMessage(s.conn, buf[:])
	} else {
		n, err = s.conn.Read(buf[:])
	}
	return append([]byte(nil), buf[:n]...), err
}

// readMessage reads a message of a TCP stream, which tells its length itself
// (RFC 3430). One that would not fit a datagram is refused.
func readMessage(r io.Reader, buf []byte) (int, error) {
	const tag, long = 0x30, 0x80 // of a SEQUENCE; of a length in several bytes
	if _, err := io.ReadFull(r, buf[:2]); err != nil {
		return 0, err
	}
	head, length := 2, int(buf[1])
	if buf[0] != tag || length > long+3 || length == long {
		return 0, errUnreadable
	}
	if length > long {
		head += length - long
		if _, err := io.ReadFull(r, buf[2:head]); err != nil {
			return 0, err
		}
		length = 0
		for _, b := range buf[2:head] {
			length = length<<8 | int(b)
		}
	}
	if head+length > len(buf) {
		return 0, errUnreadable
	}
	_, err := io.ReadFull(r, buf[head:head+length])
	return head + length, err
}

// firstRequest is where a session begins to count its requests: nobody should
// be able to guess it.
func firstRequest() int { return rand.IntN(maxID) }
