package http

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/url"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
)

// maxInterim is how many 1xx answers may come before the one that counts.
const maxInterim = 5

// roundTrip makes a connection, sends a request and reads the answer up to its
// body. It does without net/http's Transport for HTTP/1.1: its pool and its
// two goroutines are of no use to a connection for one request, and would be a
// third of a check's CPU time. What it returns to end must be called once the
// body has been read.
func (c *command) roundTrip(ctx context.Context, trace *conn.Trace, r *request) (_ *nethttp.Response, end func(), err error) {
	nc, err := c.dialer.DialContext(trace.Dial(ctx), "tcp", c.address(r.URL))
	if err != nil {
		return nil, nil, err
	}
	// Reads and writes do not know contexts: the end of ctx cuts them off.
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	hangUp := func() { stop(); nc.Close() }
	defer func() {
		if err != nil {
			hangUp()
		}
	}()
	if r.URL.Scheme != "https" {
		resp, release, err := c.http1(nc, trace, r)
		return resp, func() { hangUp(); release() }, err
	}
	trace.StartTLS()
	t := tls.Client(nc, c.tlsFor(r.URL))
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	trace.EndTLS()
	state := t.ConnectionState()
	if state.NegotiatedProtocol == "h2" {
		resp, err := c.http2(ctx, t, trace, r)
		return resp, hangUp, err
	}
	resp, release, err := c.http1(t, trace, r)
	if err != nil {
		return nil, nil, err
	}
	resp.TLS = &state
	return resp, func() { hangUp(); release() }, nil
}

// http1 sends a request and reads the answer up to its body. Its buffer is in
// use until release is called.
func (c *command) http1(stream net.Conn, trace *conn.Trace, r *request) (_ *nethttp.Response, release func(), err error) {
	text, err := c.wireText(r)
	if err != nil {
		return nil, nil, err
	}
	_, sendErr := stream.Write(text)
	trace.Wrote()
	resp, release, err := c.readHead(stream, trace, r)
	if err != nil && sendErr != nil { // else it answered before it had read all
		err = fmt.Errorf("send: %w", sendErr)
	}
	return resp, release, err
}

// readers are the buffers of answers that are being read.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

// readHead reads the answer up to its body. Its buffer is in use until release
// is called.
func (c *command) readHead(stream net.Conn, trace *conn.Trace, r *request) (_ *nethttp.Response, release func(), err error) {
	in := &head{r: stream, trace: trace, left: maxHeader}
	br := readers.Get().(*bufio.Reader)
	br.Reset(in)
	release = func() {
		br.Reset(nil)
		readers.Put(br)
	}
	req := &nethttp.Request{Method: r.Method}
	for range maxInterim {
		resp, err := nethttp.ReadResponse(br, req)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) && in.over:
			err = fmt.Errorf("the headers are larger than %d bytes", maxHeader)
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
			err = fmt.Errorf("the connection was closed before the answer: %w", err)
		}
		if err != nil {
			release()
			return nil, nil, err
		}
		if resp.StatusCode/100 != 1 || resp.StatusCode == nethttp.StatusSwitchingProtocols {
			in.body = true
			return resp, release, nil
		}
	}
	release()
	return nil, nil, fmt.Errorf("more than %d interim answers", maxInterim)
}

// head reads an answer and ends it when its headers are too large. What it
// has buffered beyond them by then counts as headers.
type head struct {
	r     io.Reader
	trace *conn.Trace
	left  int  // bytes that may still come before the body
	body  bool // the headers are through
	over  bool // left was used up
	begun bool
}

func (h *head) Read(p []byte) (int, error) {
	if h.body {
		return h.r.Read(p)
	}
	if h.left <= 0 {
		h.over = true
		return 0, io.ErrUnexpectedEOF
	}
	n, err := h.r.Read(p[:min(len(p), h.left)])
	h.left -= n
	if n > 0 && !h.begun {
		h.begun = true
		h.trace.FirstByte()
	}
	return n, err
}

// address gives where to dial for a request to u.
func (c *command) address(u *url.URL) string {
	if c.connect != "" && sameOrigin(u, c.url) {
		return c.connect
	}
	return net.JoinHostPort(u.Hostname(), portOf(u))
}

// tlsFor gives the settings for a connection to u.
func (c *command) tlsFor(u *url.URL) *tls.Config {
	if c.tls.ServerName == u.Hostname() || c.ServerName != "" {
		return c.tls
	}
	other := c.tls.Clone()
	other.ServerName = u.Hostname()
	return other
}

// wireText gives the request as it goes over the wire.
func (c *command) wireText(r *request) ([]byte, error) {
	if r.wire != nil {
		return r.wire, nil
	}
	var b bytes.Buffer
	req := r.make(context.Background())
	req.Close = true
	if err := req.Write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
