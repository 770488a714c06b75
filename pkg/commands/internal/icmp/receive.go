package icmp

import "time"

// poll reads everything that the socket holds and settles what it answers. It
// returns how much that was.
func (l *lane) poll() int {
	n := l.notices()
	for {
		in := l.sock.receive()
		if len(in) > 0 {
			readAt := l.now()
			for k := range in {
				l.take(&in[k], readAt)
			}
		}
		n += len(in)
		if len(in) < l.sock.most() {
			break
		}
	}
	if len(l.answered) > 0 {
		l.settle()
	}
	return n
}

// notices reads the socket's error queue: send times and ICMP errors.
func (l *lane) notices() (n int) {
	for {
		list := l.sock.notices()
		for k := range list {
			l.notice(&list[k])
		}
		n += len(list)
		if len(list) < l.sock.most() {
			return n
		}
	}
}

func (l *lane) notice(n *notice) {
	if !n.stamp {
		l.blame(&n.packet, n.fault)
		return
	}
	i := l.keys[n.key%uint32(len(l.keys))]
	if int(i) >= len(l.slots.all) {
		return
	}
	// A time before the send belongs to a packet of the numbering before.
	if s := &l.slots.all[i]; s.keyed && s.key == n.key && n.at >= s.wallAt {
		s.tx, s.keyed = n.at, false
		l.count.stamped.Add(1)
	}
}

// take looks at a packet that came in.
func (l *lane) take(in *inbound, readAt int64) {
	p := parse(l.form, in.data, in.size)
	switch p.kind {
	case kindMalformed:
		l.count.malformed.Add(1)
	case kindReply:
		l.reply(&p, in, readAt)
	case kindFault:
		f := Fault{V6: l.v6, Type: p.typ, Code: p.code, MTU: p.mtu, From: in.from}
		l.blame(&p, f)
	}
}

func (l *lane) reply(p *packet, in *inbound, readAt int64) {
	i, s := l.slots.byToken(p.token)
	if s == nil {
		l.count.foreign.Add(1)
		return
	}
	switch {
	case s.state == slotFree:
		l.count.late.Add(1)
	case s.run.addr != in.from:
		l.count.foreign.Add(1)
	case s.state == slotAnswered:
		l.count.duplicates.Add(1)
		if !s.run.over {
			s.run.report.Duplicates++
		}
	default:
		if p.size != s.run.req.Size {
			s.run.report.Truncated++
			l.count.truncated.Add(1)
		}
		s.state = slotAnswered
		s.rx, s.readAt = in.at, readAt
		// The kernel starts to take times some milliseconds after it was asked
		// to. Until then we do, and not for packets that wait for a batch.
		l.limit = batchSize
		if in.at == 0 {
			l.limit = 1
		}
		l.answered = append(l.answered, i)
	}
}

// settle computes the round trips of the packets that were answered. Send
// times are in the error queue before a reply can be there, so read it if one
// is missing.
func (l *lane) settle() {
	for _, i := range l.answered {
		if s := &l.slots.all[i]; s.tx == 0 && s.rx != 0 {
			l.notices()
			break
		}
	}
	for _, i := range l.answered {
		s := &l.slots.all[i]
		r := s.run
		rtt := l.roundTrip(s)
		if rtt > r.req.Timeout {
			r.report.Late++
			l.count.late.Add(1)
		} else {
			r.report.RTTs = append(r.report.RTTs, rtt)
			l.count.received.Add(1)
		}
		l.settled(i, r)
	}
	l.answered = l.answered[:0]
}

// roundTrip trusts the kernel's clock unless it was set in between, which
// shows against the lane's own, which nobody sets.
func (l *lane) roundTrip(s *slot) time.Duration {
	longest := s.readAt - s.sentAt
	from := s.tx
	if from == 0 {
		from = s.wallAt
	}
	rtt := s.rx - from
	if s.rx == 0 || rtt < 0 || rtt > longest+int64(time.Millisecond) {
		l.count.odd.Add(1)
		return time.Duration(longest)
	}
	return time.Duration(rtt)
}

// blame gives an ICMP error to the packet that it quotes.
func (l *lane) blame(p *packet, f Fault) {
	var i uint32
	var s *slot
	if p.hasToken {
		i, s = l.slots.byToken(p.token)
	} else {
		i, s = l.slots.bySequence(p.seq)
	}
	if s == nil || s.state != slotWaiting || s.run.addr != p.dst {
		l.count.foreign.Add(1)
		return
	}
	l.count.faults.Add(1)
	l.fault(i, s, f)
}

// fault ends the wait for a packet.
func (l *lane) fault(i uint32, s *slot, f Fault) {
	r := s.run
	r.report.Faults++
	r.report.Fault = f
	s.state = slotAnswered
	l.settled(i, r)
}

// settled counts one packet of r as answered and ends r with its last.
func (l *lane) settled(i uint32, r *run) {
	l.slots.release(i)
	r.open--
	if r.open == 0 && !r.sending() && !r.over {
		l.retire(r, nil)
	}
}

// expire ends a run whose last packet has waited long enough. What is missing
// is lost, unless this host dropped replies: then it is sent again.
func (l *lane) expire(r *run) {
	dropped := r.dropped
	if r.open > 0 {
		dropped = l.sock.drops()
	}
	last := r.resends == maxResend || l.tooLate(r, l.now())
	switch {
	// A raw IPv6 socket counts wrong checksums as well, so there a count that
	// goes on growing proves nothing.
	case dropped == r.dropped, last && l.form.v6 && l.form.raw:
		l.retire(r, nil)
	case last:
		l.retire(r, ErrOverrun)
	default:
		r.resends++
		r.dropped = dropped
		l.count.resent.Add(uint64(r.open))
		r.sent -= r.open
		r.open = 0
		l.forget(r)
		r.at = l.now()
		l.queue.fix(r)
	}
}

// retire ends a run.
func (l *lane) retire(r *run, err error) {
	l.queue.remove(r)
	l.forget(r)
	r.finish(err)
}

// forget frees the slots of the packets that r still waits for.
func (l *lane) forget(r *run) {
	for _, i := range r.slots {
		if s := &l.slots.all[i]; s.run == r && s.state == slotWaiting {
			l.drop(i)
		}
	}
	r.slots = r.slots[:0]
}
