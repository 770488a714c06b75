package icmp

import (
	"errors"
	"syscall"
	"time"
)

// retries is how often a refused packet is tried again: a shared datagram
// socket reports the ICMP errors of earlier packets as errors of later sends.
// Where errors come in every 20 us, one gets between two calls in 1 of 10.
const retries = 8

// stage puts the next packet of r into the batch and r to its next event.
func (l *lane) stage(r *run, now int64) {
	if r.sent > 0 && l.tooLate(r, now) {
		r.count = r.sent
		l.await(r)
		return
	}
	i, ok := l.slots.take(r)
	if !ok {
		l.hold(r, now)
		return
	}
	s := &l.slots.all[i]
	l.sock.put(len(l.batch), r, s.seq, s.token)
	l.batch = append(l.batch, i)
	r.slots = append(r.slots, i)
	r.sent++
	r.open++
	r.latest = now
	l.await(r)
}

// tooLate says that a packet sent now could not wait for its timeout.
func (l *lane) tooLate(r *run, now int64) bool {
	return !r.req.Until.IsZero() && now+int64(r.req.Timeout) > int64(r.req.Until.Sub(l.base))
}

// await sets the time of r's next event after its latest packet, and ends r
// when there is nothing to wait for.
func (l *lane) await(r *run) {
	switch {
	case r.sending():
		// On a grid, but packets that are late do not run into the next.
		r.at = max(r.at+int64(r.req.Interval), r.latest+int64(r.req.Interval)/2)
	case r.open == 0:
		l.retire(r, nil)
		return
	default:
		r.at = r.latest + int64(r.req.Timeout)
	}
	l.queue.fix(r)
}

// hold lets r try again a little later, but not for ever.
func (l *lane) hold(r *run, now int64) {
	if r.blocked == 0 {
		r.blocked = now
	}
	l.count.blocked.Add(1)
	if now-r.blocked > int64(r.req.Timeout) {
		l.retire(r, ErrBlocked)
		return
	}
	r.at = now + pause
	l.queue.fix(r)
}

// flush sends the batch.
func (l *lane) flush() {
	for done, tries := 0, 0; done < len(l.batch); {
		begin := time.Now()
		n, err := l.sock.send(done, len(l.batch))
		l.sent(l.batch[done:done+n], begin)
		if n > 0 {
			done, tries = done+n, 0
		}
		if done == len(l.batch) {
			break
		}
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		// Whether the packet that failed was numbered depends on the kernel.
		l.notices()
		l.sock.renumber()
		l.key = 0
		switch {
		case n > 0: // the error, if there is one, comes again
		case blocking(err):
			l.putBack(done)
			done = len(l.batch)
		case errors.Is(err, syscall.EMSGSIZE) && l.sock.cut():
		case tries < retries:
			tries++
		default:
			l.refuse(l.batch[done], err)
			done, tries = done+1, 0
		}
	}
	l.batch = l.batch[:0]
}

func blocking(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// sent notes what the kernel has taken.
func (l *lane) sent(batch []uint32, begin time.Time) {
	at, wall := int64(begin.Sub(l.base)), begin.UnixNano()
	for _, i := range batch {
		s := &l.slots.all[i]
		s.sentAt, s.wallAt = at, wall
		s.key, s.keyed = l.key, true
		l.keys[l.key%uint32(len(l.keys))] = i
		l.key++
		s.run.blocked = 0
	}
	l.count.sent.Add(uint64(len(batch)))
}

// putBack undoes stage for the packets from done on.
func (l *lane) putBack(done int) {
	now := l.now()
	for _, i := range l.batch[done:] {
		r := l.slots.all[i].run
		if r == nil {
			continue // its run has ended in this loop
		}
		l.drop(i)
		r.slots = r.slots[:len(r.slots)-1]
		r.sent--
		r.open--
		l.hold(r, now)
	}
}

// refuse gives up a packet that the kernel will not send.
func (l *lane) refuse(i uint32, err error) {
	errno := syscall.EIO
	errors.As(err, &errno)
	f := Fault{V6: l.v6, Errno: errno}
	s := &l.slots.all[i]
	if !f.Path() {
		s.run.refused++
	}
	l.count.refused.Add(1)
	l.fault(i, s, f)
}

// drop frees the slot of a packet that nobody waits for any more.
func (l *lane) drop(i uint32) {
	l.slots.all[i].state = slotFree
	l.slots.all[i].run = nil
	l.slots.release(i)
}
