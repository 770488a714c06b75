// Package http is the command that makes an HTTP request and looks at the
// answer: status, headers, body, JSON, certificate and the time of each phase.
package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Reasons of this command beside those that it shares (see conn).
const (
	reasonStatus = "HTTP_UNEXPECTED_RESP_CODE"
	reasonHeader = "HTTP_UNEXPECTED_HEADER"
	reasonBody   = "HTTP_UNEXPECTED_BODY"
	reasonTLS    = "HTTP_SSL_FAILURE"
)

// command holds what all runs share; a transport that never keeps a connection
// holds nothing of any run.
type command struct {
	Params
	tools     tools.Tools
	url       *url.URL
	connect   string   // dialled instead of the URL's host, empty: that host
	hosts     []string // that credentials are sent to
	transport *nethttp.Transport
	header    nethttp.Header // of the first request, without secrets
	secret    bool           // the request carries one

	bodyMatch, bodyNot *regexp.Regexp // nil when not asked for
	headerMatch        []headerRule
}

// headerRule is one of expect_headers.
type headerRule struct {
	name  string
	match *regexp.Regexp
}

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		c := &command{Params: p, tools: t}
		u, urlErr := p.target()
		if err := errors.Join(urlErr, p.validate(), c.compile()); err != nil {
			return nil, err
		}
		var host string
		var err error
		if c.connect, host, err = p.connectTo(u); err != nil {
			return nil, err
		}
		c.url, c.hosts = u, []string{u.Hostname()}
		if host != "" {
			c.hosts = append(c.hosts, host)
		}
		c.header = plainHeader(p.Headers)
		c.secret = !p.Password.IsZero() || !p.Bearer.IsZero() ||
			slices.ContainsFunc(values(p.Headers), func(h Header) bool { return !h.Secret.IsZero() })
		return c, c.makeTransport()
	}
}

// compile makes the regular expressions.
func (c *command) compile() error {
	var faults []error
	compile := func(field, text string) *regexp.Regexp {
		if text == "" {
			return nil
		}
		r, err := regexp.Compile(text)
		if err != nil {
			faults = append(faults, conn.Fault(field, "%v", err))
		}
		return r
	}
	c.bodyMatch = compile("expect_body", c.BodyMatch)
	c.bodyNot = compile("expect_body_not", c.BodyNot)
	for name, text := range c.HeaderMatch {
		field := "expect_headers." + name
		if !validToken(name) {
			faults = append(faults, conn.Fault("expect_headers", "%.64q is no name of a header", name))
			continue
		}
		if text == "" {
			text = ".*" // the header must be there
		}
		c.headerMatch = append(c.headerMatch, headerRule{name, compile(field, text)})
	}
	slices.SortFunc(c.headerMatch, func(a, b headerRule) int { return strings.Compare(a.name, b.name) })
	return errors.Join(faults...)
}

// hopKey finds the hop in the context of its dial.
type hopKey struct{}

// hop is what a dial must know of the request that it is for.
type hop struct {
	run  context.Context // ends with the run
	home bool            // goes to the URL's own host
}

func (c *command) makeTransport() error {
	tlsConfig, err := (conn.TLS{ServerName: c.ServerName, Verify: c.VerifyTLS, CA: c.CA}).Config()
	if err != nil {
		return err
	}
	if c.HTTP2 && c.url.Scheme != "https" {
		return conn.Fault("http2", "needs https")
	}
	dialer := c.tools.Dialer()
	c.transport = &nethttp.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			h, _ := ctx.Value(hopKey{}).(*hop)
			if h != nil && h.home && c.connect != "" {
				addr = c.connect
			}
			nc, err := dialer.DialContext(ctx, network, addr)
			if err == nil && h != nil && c.HTTP2 {
				// net/http keeps an HTTP/2 connection for good when its
				// request was cancelled before it opened a stream.
				context.AfterFunc(h.run, func() { nc.Close() })
			}
			return nc, err
		},
		TLSClientConfig:        tlsConfig,
		DisableKeepAlives:      true, // each run measures its own connection
		DisableCompression:     true, // the request says what the check says
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              new(nethttp.Protocols),
	}
	c.transport.Protocols.SetHTTP1(true)
	c.transport.Protocols.SetHTTP2(c.HTTP2)
	return nil
}

// Run makes the request, follows redirects and grades the answer.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	req, err := c.first()
	if err != nil {
		return check.Result{}, err
	}
	begin := time.Now()
	runCtx, cancel := context.WithTimeout(ctx, c.Timeout.D())
	defer cancel()
	for hops := 0; ; hops++ {
		trace := new(conn.Trace)
		resp, err := c.roundTrip(trace.Context(runCtx), req)
		if err != nil {
			if hops > 0 {
				err = fmt.Errorf("redirect to %q: %w", req.URL.Host, err)
			}
			return c.fail(ctx, begin, trace, err)
		}
		next := c.follow(req, resp, hops)
		if next == nil {
			defer resp.Body.Close()
			return c.answer(ctx, begin, trace, resp)
		}
		resp.Body.Close()
		req = next
	}
}

func (c *command) roundTrip(ctx context.Context, r *request) (*nethttp.Response, error) {
	if c.connect != "" || c.HTTP2 {
		ctx = context.WithValue(ctx, hopKey{}, &hop{run: ctx, home: sameOrigin(r.URL, c.url)})
	}
	return c.transport.RoundTrip(r.make(ctx))
}

// fail makes the answer of a run that got none.
func (c *command) fail(ctx context.Context, begin time.Time, trace *conn.Trace, err error) (check.Result, error) {
	reason := conn.Unreachable
	if trace.Connected() {
		reason = conn.ConnectionError
	}
	var timeout net.Error
	began, done := trace.Secured()
	if began && !done && !errors.Is(err, context.DeadlineExceeded) && !(errors.As(err, &timeout) && timeout.Timeout()) {
		reason = reasonTLS
	}
	metrics := trace.Metrics(nil, time.Time{})
	if days, ok := conn.FailedCertDays(err, begin); ok {
		metrics = append(metrics, check.Gauge("cert_days", days, "days"))
	}
	return conn.Fail(ctx, begin, reason, err, metrics...)
}
