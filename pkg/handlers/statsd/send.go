package statsd

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
)

const (
	redial    = time.Minute            // a name may lead elsewhere by now
	dialTime  = 2 * time.Second        // DNS included
	writeTime = 100 * time.Millisecond // UDP waits for the local buffer only
)

// send packs gauges into datagrams and sends them. UDP gives no answer: what
// the network refuses is lost.
func (h *Handler) send(ctx context.Context, b outbox.Batch) (done, lost int, err error) {
	d := datagram{text: make([]byte, 0, maxDatagram+1)}
	flush := func() {
		if d.values == 0 {
			return
		}
		if werr := h.socket.write(ctx, h.Addr, d.text[:len(d.text)-1]); werr != nil {
			lost, err = lost+d.values, werr
		}
		d = datagram{text: d.text[:0]}
	}
	for i := range b.Len() {
		text, values := b.Entry(i)
		if len(d.text)+len(text)-1 > maxDatagram { // the newline after the last line is not sent
			flush()
		}
		d.text = append(d.text, text...)
		d.values += values
	}
	flush()
	return b.Len(), lost, err
}

// datagram is lines with a newline after each, and how many gauges they set.
type datagram struct {
	text   []byte
	values int
}

// socket is a UDP socket that is opened again now and then. Only the sender
// uses it.
type socket struct {
	conn  net.Conn
	until time.Time // then it is opened again
}

func (s *socket) write(ctx context.Context, addr string, text []byte) error {
	if now := time.Now(); s.conn == nil || now.After(s.until) {
		c, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "udp", addr)
		if err != nil && s.conn == nil {
			return err
		}
		if err == nil { // else the old one may still do
			s.close()
			s.conn = c
		}
		s.until = now.Add(redial)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := s.conn.Write(text)
	if errors.Is(err, syscall.ECONNREFUSED) {
		// It tells of an earlier datagram; this one was not sent.
		_, err = s.conn.Write(text)
	}
	return err
}

func (s *socket) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}
