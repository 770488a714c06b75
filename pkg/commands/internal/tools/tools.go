// Package tools holds what a worker lends its commands: dialling that refuses
// denied targets, and secrets that never stand in a check.
package tools

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Tools are a worker's tools. The zero value denies the default targets (see
// Guard) and has no secrets: schedulers validate params with it.
type Tools struct {
	// Guard says which targets are denied; nil means the default list.
	Guard *Guard
	// Secrets resolves references to secrets; nil means that there are none.
	Secrets *Secrets
	// Plugins are the programs that checks may run; nil means none.
	Plugins *Plugins
}

// Dialer gives a new dialer that asks the Guard after DNS, on every single
// connection attempt. A refusal is a *DeniedError inside the dial's error. The
// caller may set its other fields, but not Control or ControlContext.
//
// Keep-alive packets are off: a check's connection lives for seconds.
func (t Tools) Dialer() *net.Dialer {
	return &net.Dialer{ControlContext: t.Guard.control, KeepAlive: -1}
}

// Resolve finds an address of host that the Guard lets pass, for protocols
// that do not dial. Network is "ip", "ip4" or "ip6"; host is a name or an
// address. When every address of host is denied the error is a *DeniedError.
func (t Tools) Resolve(ctx context.Context, network, host string) (netip.Addr, error) {
	addrs, err := lookup(ctx, network, host)
	if err != nil {
		return netip.Addr{}, err
	}
	var first error
	for _, a := range addrs {
		a = a.Unmap()
		err := t.Guard.Check(netip.AddrPortFrom(a, 0))
		if err == nil {
			return a, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = &net.DNSError{Err: "no address of family " + network, Name: host, IsNotFound: true}
	}
	return netip.Addr{}, first
}

// lookup gives the addresses of host, which may be an address itself.
func lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return net.DefaultResolver.LookupNetIP(ctx, network, host)
	}
	a = a.Unmap()
	if network == "ip4" && !a.Is4() || network == "ip6" && !a.Is6() {
		return nil, nil
	}
	return []netip.Addr{a}, nil
}

// Secret gives the value that s names, if it may be sent to target: the host
// name as the check names it, or the address that is dialled. Whoever redirects
// a connection elsewhere (a proxy, a fixed address) must ask for that host too.
// An error names the secret and the target, never the value.
func (t Tools) Secret(s Secret, target string) (string, error) {
	if s.IsZero() {
		return "", fmt.Errorf("secret: no name given")
	}
	if t.Secrets == nil {
		return "", fmt.Errorf("secret %s: this worker has no directory of secrets (-secrets)", s.Name)
	}
	return t.Secrets.Lookup(s.Name, target)
}
