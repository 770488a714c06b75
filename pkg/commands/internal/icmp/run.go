package icmp

import (
	"fmt"
	"net/netip"
	"time"
)

// maxResend bounds how often a run sends packets again because this host
// dropped replies.
const maxResend = 3

// few packets have their places in the run itself.
const few = 8

// run is one Ping on its way. Its lane's goroutine owns it until done is
// closed; then the caller of Ping does.
type run struct {
	req  Request
	addr netip.Addr // without zone, as replies are compared
	dest destination
	tail uint32 // sum of the packet's end, for the checksum

	at     int64 // lane's clock: next packet, or the deadline of the last
	pos    int   // place in the heap
	latest int64 // lane's clock: when the latest packet left
	count  int   // packets to send; fewer than asked for when Until is early
	sent   int
	open   int // in flight without an answer
	slots  []uint32

	blocked int64  // lane's clock: since when nothing could be sent; 0: it can
	refused int    // packets that the kernel refused for reasons of this host
	dropped uint32 // the socket's count of dropped replies when the run began
	resends int
	over    bool

	fewSlots [few]uint32
	fewRTTs  [few]time.Duration

	report Report
	err    error
	done   chan struct{}
}

func newRun(req Request) (*run, error) {
	switch req.Addr { // Linux connects these to itself, and the reply says so
	case netip.IPv4Unspecified():
		req.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case netip.IPv6Unspecified():
		req.Addr = netip.IPv6Loopback()
	}
	r := &run{
		req:   req,
		addr:  req.Addr.WithZone(""),
		pos:   -1,
		count: req.Count,
		done:  make(chan struct{}),
	}
	r.slots, r.report.RTTs = r.fewSlots[:0], r.fewRTTs[:0]
	if req.Count > few {
		r.slots, r.report.RTTs = make([]uint32, 0, req.Count), make([]time.Duration, 0, req.Count)
	}
	return r, r.dest.set(req)
}

// sending says that the run's next event is a packet, not the deadline.
func (r *run) sending() bool { return r.sent < r.count }

// finish hands the run back to Ping.
func (r *run) finish(err error) {
	r.over = true
	r.err = err
	r.report.Sent = r.sent
	if err == nil && r.refused > 0 && r.refused == r.sent {
		// Not one packet left: nothing is known about the target.
		r.err = fmt.Errorf("send ICMP to %s: %w", r.addr, r.report.Fault.Errno)
	}
	if r.err != nil {
		r.report = Report{}
	}
	close(r.done)
}
