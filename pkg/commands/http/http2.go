package http

import (
	"context"
	"crypto/tls"
	"net"
	nethttp "net/http"

	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
)

// http2 makes a request over t, which has agreed on HTTP/2. The Transport is
// for this request alone: a shared one would hand its connections from run to
// run. Who closes t ends it.
func (c *command) http2(ctx context.Context, t *tls.Conn, trace *conn.Trace, r *request) (*nethttp.Response, error) {
	one := &nethttp.Transport{
		DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return t, nil },
		DisableKeepAlives:      true,
		DisableCompression:     true, // the request says what the check says
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              new(nethttp.Protocols),
	}
	one.Protocols.SetHTTP2(true)
	return one.RoundTrip(r.make(trace.Request(ctx)))
}
