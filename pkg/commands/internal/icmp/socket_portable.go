//go:build !linux || portable

package icmp

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	xicmp "golang.org/x/net/icmp"
)

const (
	batchRead = 64
	// peek is how long receive waits for more. It lasts as long as the timers
	// are coarse, so it is done only every rest, after each wait and when
	// batchSize packets have left, whose replies small buffers can hold.
	peek = 50 * time.Microsecond
	rest = 5 * time.Millisecond
)

// socket is an ICMP socket through golang.org/x/net: one packet per call, and
// times of our own. It is for development on systems that are not Linux.
type socket struct {
	conn *xicmp.PacketConn
	form form
	id   uint16
	out  [batchSize]outbound
	in   []inbound
	bufs [batchRead][]byte
	held int       // packets that wait has read
	seen time.Time // when receive last looked for more
	left int       // packets that have left since

	mu      sync.Mutex // guards the following
	until   time.Time
	waiting bool
	woken   bool
}

type outbound struct {
	data []byte
	to   net.Addr
}

// destination is an address as x/net takes it.
type destination struct{ ip, udp net.Addr }

func (d *destination) set(q Request) error {
	ip := q.Addr.AsSlice()
	d.ip = &net.IPAddr{IP: ip, Zone: q.Addr.Zone()}
	d.udp = &net.UDPAddr{IP: ip, Zone: q.Addr.Zone()}
	if q.TTL != 0 || q.TOS != 0 {
		return errors.New("ttl and tos work on Linux only")
	}
	return nil
}

// openKind opens a datagram or a raw socket.
func openKind(v6, raw bool, o *Options) (*socket, error) {
	network, address := "udp4", "0.0.0.0"
	switch {
	case v6 && raw:
		network, address = "ip6:ipv6-icmp", "::"
	case v6:
		network, address = "udp6", "::"
	case raw:
		network = "ip4:icmp"
	}
	c, err := xicmp.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: c, id: o.RawID, form: form{v6: v6, raw: raw, verify: raw && !v6}, in: make([]inbound, 0, batchRead)}
	if s.id == 0 {
		s.id = uint16(rand.Uint32())
	}
	s.fit(MinSize)
	return s, nil
}

func (s *socket) most() int         { return batchRead }
func (s *socket) drops() uint32     { return 0 }
func (s *socket) renumber()         {}
func (s *socket) cut() bool         { return false }
func (s *socket) notices() []notice { return nil }
func (s *socket) close() error      { return s.conn.Close() }

// fit makes room for replies with size bytes of data.
func (s *socket) fit(size int) {
	if need := max(1500, 60+headerLen+size+1); len(s.bufs[0]) < need {
		for i := range s.bufs {
			s.bufs[i] = make([]byte, need)
		}
	}
}

// put makes packet i of the batch.
func (s *socket) put(i int, r *run, seq uint16, token uint64) {
	var head [headLen]byte
	putHead(&head, s.form.v6, s.id, seq, token)
	if !s.form.v6 {
		putChecksum(&head, tailSum(r.req.Size))
	}
	o := &s.out[i]
	o.data = append(append(o.data[:0], head[:]...), pattern()[:r.req.Size-tokenLen]...)
	o.to = r.dest.udp
	if _, raw := s.conn.LocalAddr().(*net.IPAddr); raw {
		o.to = r.dest.ip
	}
}

// send sends the packets from..to of the batch and returns how many went out.
func (s *socket) send(from, to int) (int, error) {
	for i := from; i < to; i++ {
		s.left++
		if _, err := s.conn.WriteTo(s.out[i].data, s.out[i].to); err != nil {
			return i - from, err
		}
	}
	return to - from, nil
}

// receive gives what wait has read and what else is there.
func (s *socket) receive() []inbound {
	s.in = s.in[:s.held]
	if s.held == 0 && s.left < batchSize && time.Since(s.seen) < rest {
		return nil
	}
	s.held, s.left, s.seen = 0, 0, time.Now()
	_ = s.conn.SetReadDeadline(time.Now().Add(peek))
	for len(s.in) < batchRead && s.read() {
	}
	return s.in
}

// read appends one packet to in.
func (s *socket) read() bool {
	buf := s.bufs[len(s.in)]
	n, from, err := s.conn.ReadFrom(buf)
	if err != nil {
		return false
	}
	s.in = append(s.in, inbound{data: buf[:n], size: n, from: addrOf(from)})
	return true
}

func addrOf(a net.Addr) netip.Addr {
	var ip net.IP
	switch a := a.(type) {
	case *net.UDPAddr:
		ip = a.IP
	case *net.IPAddr:
		ip = a.IP
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// wait blocks until poll has found something, the deadline or wake.
func (s *socket) wait(poll func() bool) {
	if poll() {
		return
	}
	s.mu.Lock()
	if s.woken {
		s.mu.Unlock()
		return
	}
	s.waiting = true
	_ = s.conn.SetReadDeadline(s.until)
	s.mu.Unlock()
	s.in = s.in[:0]
	if s.read() {
		s.held = 1
	}
	s.mu.Lock()
	s.waiting = false
	s.mu.Unlock()
}

// deadline bounds the next wait.
func (s *socket) deadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until, s.woken = t, false
}

// wake ends a wait.
func (s *socket) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.woken = true
	if s.waiting {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	}
}
