package icmp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// Mode says which kind of socket an Engine opens.
type Mode uint8

// The modes of an Engine.
const (
	ModeAuto     Mode = iota // datagram, and raw where that is not permitted
	ModeDatagram             // needs the group in net.ipv4.ping_group_range
	ModeRaw                  // needs CAP_NET_RAW
)

// Options are the settings of an Engine; the zero value is good.
type Options struct {
	Mode Mode
	// RawID is the id of the packets that leave through raw sockets; 0 means
	// one by chance. The kernel sets that of the others.
	RawID uint16
	// Buffer is the size of the receive and send buffers in bytes, which the
	// kernel may cut; 0 means 8 MiB.
	Buffer int
}

// Request says whom to ping and how.
type Request struct {
	Addr netip.Addr
	// Count packets are sent, one every Interval. Each waits for Timeout.
	Count    int
	Interval time.Duration
	Timeout  time.Duration
	// Size of the data in bytes, MinSize to MaxSize.
	Size int
	// TTL (hop limit) and TOS (traffic class); 0 means the system's default.
	TTL, TOS int
	// Until bounds the whole: packets that could not wait for their Timeout
	// before it are not sent. Zero means no bound.
	Until time.Time
}

// Report is what came out of a Request.
type Report struct {
	// Sent is less than Request.Count when Until was too early.
	Sent int
	// RTTs are the round trips of the packets that were answered in time, as
	// they came in.
	RTTs []time.Duration
	// Late replies came after their timeout, Duplicates after another reply
	// to the same packet, Truncated ones (they count as replies) were shorter
	// than what was sent.
	Late, Duplicates, Truncated int
	// Faults counts the packets that an ICMP error or a refusal of this host
	// answered; Fault is the latest of them.
	Faults int
	Fault  Fault
}

// Stats counts what an Engine has seen since it was made.
type Stats struct {
	Sent, Received, Late, Duplicates, Truncated, Malformed uint64
	// Foreign packets belong to nobody here.
	Foreign uint64
	// Faults are ICMP errors about our packets, Refused those that the kernel
	// would not send, Blocked the times that there was no space to send.
	Faults, Refused, Blocked uint64
	// Resent packets replace those whose replies a full buffer dropped.
	Resent uint64
}

type counters struct {
	sent, received, late, duplicates, truncated, malformed  atomic.Uint64
	foreign, faults, refused, blocked, resent, stamped, odd atomic.Uint64
}

// Engine pings. It opens its sockets when they are first needed and keeps
// them until Close; it has no goroutine while no Ping is running. It is safe
// for concurrent use.
type Engine struct {
	opts   Options
	count  counters
	v4, v6 lane
}

// NewEngine makes an Engine. It opens nothing yet.
func NewEngine(o Options) *Engine {
	if o.Buffer == 0 {
		o.Buffer = 8 << 20 // some 6,000 small packets, as the kernel counts them
	}
	e := &Engine{opts: o}
	e.v4.init(&e.opts, &e.count, false)
	e.v6.init(&e.opts, &e.count, true)
	return e
}

// Close ends the runs that are still going (ErrClosed) and closes the sockets.
func (e *Engine) Close() error {
	return errors.Join(e.v4.close(), e.v6.close())
}

// Stats counts what both families have seen.
func (e *Engine) Stats() Stats {
	c := &e.count
	return Stats{
		Sent: c.sent.Load(), Received: c.received.Load(), Late: c.late.Load(), Duplicates: c.duplicates.Load(),
		Truncated: c.truncated.Load(), Malformed: c.malformed.Load(), Foreign: c.foreign.Load(), Faults: c.faults.Load(),
		Refused: c.refused.Load(), Blocked: c.blocked.Load(), Resent: c.resent.Load(),
	}
}

// Ping sends the request's packets and waits for what comes of them. An error
// means that nothing is known about the target: no socket, no right to send,
// ctx done. A target that does not answer is a Report.
func (e *Engine) Ping(ctx context.Context, req Request) (Report, error) {
	if err := req.validate(); err != nil {
		return Report{}, err
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	req.Addr = req.Addr.Unmap()
	l := &e.v4
	if req.Addr.Is6() {
		l = &e.v6
	}
	r, err := newRun(req)
	if err != nil {
		return Report{}, err
	}
	if err := l.submit(r); err != nil {
		return Report{}, err
	}
	select {
	case <-r.done:
		return r.report, r.err
	case <-ctx.Done():
		l.cancel(r)
		return Report{}, ctx.Err()
	}
}

func (q *Request) validate() error {
	switch {
	case !q.Addr.IsValid():
		return errors.New("no address to ping")
	case q.Count < 1:
		return fmt.Errorf("count %d: want 1 or more", q.Count)
	case q.Size < MinSize || q.Size > MaxSize:
		return fmt.Errorf("size %d: want %d to %d", q.Size, MinSize, MaxSize)
	case q.Interval < 0 || q.Timeout <= 0:
		return fmt.Errorf("interval %v, timeout %v: want no negative interval and some timeout", q.Interval, q.Timeout)
	case q.TTL < 0 || q.TTL > 255 || q.TOS < 0 || q.TOS > 255:
		return fmt.Errorf("ttl %d, tos %d: want 0 to 255", q.TTL, q.TOS)
	}
	return nil
}
