package icmp

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// Fault is why a packet got no reply, when someone said so: an ICMP error from
// From, or the refusal of this host's kernel (Errno).
type Fault struct {
	V6         bool
	Type, Code uint8
	// MTU of the next hop, when the fault is a packet that is too big; else 0.
	MTU uint32
	// From is who sent the ICMP error; invalid for a local refusal.
	From netip.Addr
	// Errno is the kernel's refusal to send; 0 for an ICMP error.
	Errno syscall.Errno
}

// IsZero says that there is no fault.
func (f Fault) IsZero() bool { return f == Fault{} }

// Path says that the fault is about the way to the target, not about this
// host's right or ability to send.
func (f Fault) Path() bool {
	switch f.Errno {
	case 0, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN:
		return !f.IsZero()
	}
	return false
}

// Exceeded says that the packet's TTL or hop limit ran out on its way.
func (f Fault) Exceeded() bool {
	if f.Errno != 0 {
		return false
	}
	return f.V6 && f.Type == typeExceeded6 || !f.V6 && f.Type == typeExceeded4
}

// String says the fault in words, with the host that told it.
func (f Fault) String() string {
	var text string
	switch {
	case f.IsZero():
		return ""
	case f.Errno != 0:
		return "not sent: " + f.Errno.Error()
	case f.V6:
		text = f.text6()
	default:
		text = f.text4()
	}
	if f.MTU != 0 {
		text = fmt.Sprintf("%s, MTU %d", text, f.MTU)
	}
	if f.From.IsValid() {
		text = fmt.Sprintf("%s (from %s)", text, f.From)
	}
	return text
}

func (f Fault) text4() string {
	switch f.Type {
	case typeUnreach4:
		return "destination " + pick(f.Code, "network unreachable", "host unreachable", "protocol unreachable",
			"port unreachable", "unreachable: fragmentation needed", "unreachable: source route failed",
			"network unknown", "host unknown", "unreachable: source host isolated", "network prohibited",
			"host prohibited", "network unreachable for this type of service",
			"host unreachable for this type of service", "administratively prohibited")
	case typeExceeded4:
		return pick(f.Code, "TTL exceeded in transit", "fragment reassembly time exceeded")
	case typeProblem4:
		return "parameter problem"
	}
	return fmt.Sprintf("ICMP type %d code %d", f.Type, f.Code)
}

func (f Fault) text6() string {
	switch f.Type {
	case typeUnreach6:
		return "destination unreachable: " + pick(f.Code, "no route", "administratively prohibited",
			"beyond scope of source address", "address unreachable", "port unreachable",
			"source address failed policy", "route rejected")
	case typeTooBig6:
		return "packet too big"
	case typeExceeded6:
		return pick(f.Code, "hop limit exceeded in transit", "fragment reassembly time exceeded")
	case typeProblem6:
		return "parameter problem"
	}
	return fmt.Sprintf("ICMPv6 type %d code %d", f.Type, f.Code)
}

func pick(code uint8, names ...string) string {
	if int(code) < len(names) {
		return names[code]
	}
	return fmt.Sprintf("unreachable, code %d", code)
}

// Errors of Ping.
var (
	// ErrClosed says that the Engine was closed.
	ErrClosed = errors.New("the ICMP engine is closed")
	// ErrOverrun says that replies were dropped by a full receive buffer of
	// this host, again and again, so that nothing can be said about loss.
	ErrOverrun = errors.New("the receive buffer overflowed: raise net.core.rmem_max or run fewer checks per worker")
	// ErrBlocked says that the kernel took no packets for a whole timeout.
	ErrBlocked = errors.New("no buffer space to send: raise net.core.wmem_max or run fewer checks per worker")
)
