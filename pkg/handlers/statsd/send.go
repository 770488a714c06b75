package statsd

import (
	"errors"
	"net"
	"syscall"
	"time"
)

const (
	redial    = time.Minute            // a name may lead elsewhere by now
	dialTime  = 2 * time.Second        // DNS included
	writeTime = 100 * time.Millisecond // UDP waits for the local buffer only
	closeTime = time.Second            // for all that is left at the end
)

// add puts lines into the open datagram, and that into the queue when they do
// not fit any more. It says whether they found a place.
func (h *Handler) add(text []byte, lines uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	// The newline after the last line is not sent.
	if len(text)-1 > maxDatagram || len(h.open.text)+len(text)-1 > maxDatagram && !h.push() {
		h.stats.Dropped += lines
		return false
	}
	if h.open.text == nil {
		h.open.text = make([]byte, 0, maxDatagram+1)
	}
	h.open.text = append(h.open.text, text...)
	h.open.lines += lines
	return true
}

// push queues the open datagram; false when the queue is full. Callers hold mu.
func (h *Handler) push() bool {
	select {
	case h.queue <- h.open:
		h.open = datagram{}
		return true
	default:
		return false
	}
}

// take empties the open datagram.
func (h *Handler) take() datagram {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.open
	h.open = datagram{}
	return d
}

// Stats tells what became of the lines so far.
func (h *Handler) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats
}

// Close sends what waits, for at most a second, and ends the sender. Events
// must not come any more.
func (h *Handler) Close() error {
	h.ended.Do(func() { close(h.stop) })
	h.work.Wait()
	return nil
}

// send is the sender: the only one that touches the network.
func (h *Handler) send() {
	var s socket
	defer s.close()
	tick := time.NewTicker(h.Flush.D())
	defer tick.Stop()
	for {
		select {
		case d := <-h.queue:
			h.write(&s, d, writeTime)
		case <-tick.C:
			// What is queued is older than what is open.
			for n := len(h.queue); n > 0; n-- {
				h.write(&s, <-h.queue, writeTime)
			}
			h.write(&s, h.take(), writeTime)
		case <-h.stop:
			end := time.Now().Add(closeTime)
			for n := len(h.queue); n > 0; n-- {
				h.write(&s, <-h.queue, time.Until(end))
			}
			h.write(&s, h.take(), time.Until(end))
			return
		}
	}
}

// write sends one datagram and counts its lines.
func (h *Handler) write(s *socket, d datagram, limit time.Duration) {
	if d.lines == 0 {
		return
	}
	err := s.write(h.Addr, d.text[:len(d.text)-1], limit)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.stats.Failed += d.lines
		return
	}
	h.stats.Sent += d.lines
}

// socket is a UDP socket that is opened again now and then.
type socket struct {
	conn  net.Conn
	until time.Time // then it is opened again
}

func (s *socket) write(addr string, text []byte, limit time.Duration) error {
	if limit <= 0 {
		limit = time.Nanosecond
	}
	now := time.Now()
	if s.conn == nil || now.After(s.until) {
		c, err := net.DialTimeout("udp", addr, min(limit*20, dialTime))
		if err != nil && s.conn == nil {
			return err
		}
		if err == nil { // else the old one may still do
			s.close()
			s.conn = c
		}
		s.until = now.Add(redial)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
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
