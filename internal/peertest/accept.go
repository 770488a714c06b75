package peertest

import (
	"context"
	"net"
	"sync"
	"testing"
)

// Accept answers TCP connections on a free loopback port with f until the test
// ends, and gives the port. Connections that f still holds are closed then,
// and waited for.
func Accept(t testing.TB, f func(nc net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		group.Wait()
	})
	group.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer nc.Close()
				stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
				defer stop()
				f(nc)
			})
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}
