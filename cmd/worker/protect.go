package main

import (
	"net"
	"net/netip"

	"github.com/redpoll/redpoll/pkg/commands"
)

// protect keeps checks away from the servers and Sentinels that this worker is
// connected to, now and later: a check that speaks to redpoll's own Redis could
// write checks. A guard whose setting has a fault is nil: the worker does not start.
func protect(guard *commands.Guard) func(remote net.Addr) {
	if guard == nil {
		return nil
	}
	return func(remote net.Addr) {
		if addr, err := netip.ParseAddrPort(remote.String()); err == nil { // a unix socket has none
			guard.Protect(addr)
		}
	}
}
