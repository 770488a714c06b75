package icmp

import "net/netip"

// inbound is a packet that was received. Its data are good until the next
// receive.
type inbound struct {
	data []byte
	size int // true length
	from netip.Addr
	at   int64 // unix ns by the kernel, 0 when unknown
}

// notice is an entry of the error queue: the send time of a packet (stamp), or
// an ICMP error about one.
type notice struct {
	stamp  bool
	key    uint32
	at     int64
	packet packet
	fault  Fault
}

// openSocket opens the kind that mode asks for. The error names what the host
// has to permit.
func openSocket(v6 bool, o *Options) (*socket, error) {
	dgram, raw := error(nil), error(nil)
	if o.Mode != ModeRaw {
		var s *socket
		if s, dgram = openKind(v6, false, o); dgram == nil {
			return s, nil
		}
	}
	if o.Mode != ModeDatagram {
		var s *socket
		if s, raw = openKind(v6, true, o); raw == nil {
			return s, nil
		}
	}
	return nil, openError(v6, dgram, raw)
}
