package main

import (
	"context"
	"net"
	"net/netip"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/commands"
)

// protect keeps checks away from the servers that client is connected to, now
// and later: a check that speaks to redpoll's own Redis could write checks.
func protect(client redis.UniversalClient, guard *commands.Guard) {
	if guard == nil {
		return // its setting has a fault: the worker does not start
	}
	hook := dialHook{guard}
	if c, ok := client.(*redis.ClusterClient); ok {
		c.OnNewNode(func(node *redis.Client) { node.AddHook(hook) })
		return
	}
	client.AddHook(hook)
}

// dialHook tells the guard where connections went.
type dialHook struct{ guard *commands.Guard }

// DialHook notes the address of each new connection.
func (h dialHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err == nil {
			if remote, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil { // a unix socket has none
				h.guard.Protect(remote)
			}
		}
		return conn, err
	}
}

// ProcessHook changes nothing.
func (dialHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (dialHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
