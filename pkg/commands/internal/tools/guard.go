package tools

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// defaultDeny is what no check reaches unless the operator says so: link-local
// addresses and the metadata services of clouds (AWS on IPv6, Alibaba).
var defaultDeny = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fd00:ec2::254/128"),
	netip.MustParsePrefix("100.100.100.200/32"),
}

// nat64 is RFC 6052's prefix: its last 32 bits are an IPv4 address.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// DeniedError says that a target is on the worker's deny list.
type DeniedError struct {
	// Addr is the address after DNS; the port is 0 where there is none.
	Addr netip.AddrPort
	// Rule is what denies it: a CIDR, or "redpoll's own Redis".
	Rule string
}

// Error names the address and the rule.
func (e *DeniedError) Error() string {
	addr := e.Addr.String()
	if e.Addr.Port() == 0 {
		addr = e.Addr.Addr().String()
	}
	return fmt.Sprintf("target %s is denied on this worker (%s)", addr, e.Rule)
}

// Guard decides which addresses checks may reach. Nil is a Guard with the
// default list. It is safe for concurrent use.
type Guard struct {
	deny, allow []netip.Prefix

	mu        sync.RWMutex     // guards protected
	protected []netip.AddrPort // unmapped
}

// NewGuard denies the default list (link-local 169.254.0.0/16 and fe80::/10,
// metadata fd00:ec2::254 and 100.100.100.200) and what is given: CIDRs or
// addresses. One with a leading ! is let through instead, whatever else says.
// All faults are reported at once.
func NewGuard(cidrs []string) (*Guard, error) {
	g := &Guard{deny: slices.Clone(defaultDeny)}
	var faults []error
	for _, text := range cidrs {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		rest, except := strings.CutPrefix(text, "!")
		p, err := parsePrefix(rest)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("deny target %q: want a CIDR or an address", text))
		case except:
			g.allow = append(g.allow, p)
		default:
			g.deny = append(g.deny, p)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return g, nil
}

// parsePrefix reads a CIDR or an address; IPv4-mapped ones become IPv4.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// Protect also denies exactly these addresses with their ports: the worker
// names redpoll's own Redis here, again whenever it connects to a new node. A
// loopback one stands for every loopback address with that port. No exception
// lifts it.
func (g *Guard) Protect(addrs ...netip.AddrPort) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range addrs {
		a = netip.AddrPortFrom(plain(a.Addr()), a.Port())
		if a.Port() != 0 && !slices.Contains(g.protected, a) {
			g.protected = append(g.protected, a)
		}
	}
}

// Check returns a *DeniedError when a is denied. Port 0 means that there is no
// port (ICMP). Names must be resolved before.
func (g *Guard) Check(a netip.AddrPort) error {
	addr := plain(a.Addr())
	if g != nil && g.isProtected(addr, a.Port()) {
		return &DeniedError{Addr: a, Rule: "redpoll's own Redis"}
	}
	deny := defaultDeny
	if g != nil {
		deny = g.deny
		if contains(g.allow, addr).IsValid() {
			return nil
		}
	}
	if p := contains(deny, addr); p.IsValid() {
		return &DeniedError{Addr: a, Rule: p.String()}
	}
	return nil
}

func (g *Guard) isProtected(addr netip.Addr, port uint16) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, p := range g.protected {
		if p.Port() == port && (p.Addr() == addr || p.Addr().IsLoopback() && addr.IsLoopback()) {
			return true
		}
	}
	return false
}

// contains gives the first prefix that holds addr, else an invalid one.
func contains(list []netip.Prefix, addr netip.Addr) netip.Prefix {
	for _, p := range list {
		if p.Contains(addr) {
			return p
		}
	}
	return netip.Prefix{}
}

// plain gives the address that a connection to a ends at: without a zone,
// which no prefix would contain, IPv4 out of its IPv6 forms, and loopback for
// the unspecified address, which Linux connects to itself.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch a {
	case netip.IPv4Unspecified():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case netip.IPv6Unspecified():
		return netip.IPv6Loopback()
	}
	return a
}

// control is a net.Dialer's ControlContext: it runs after DNS, before connect.
func (g *Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("target %s %q is no network address", network, address)
	}
	return g.Check(a)
}
