// Package http is the command that makes an HTTP request and looks at the
// answer: status, headers, body, JSON, certificate and the time of each phase.
package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
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

// command holds what all runs share. Connections belong to the runs.
type command struct {
	Params
	tools   tools.Tools
	url     *url.URL
	connect string   // dialled instead of the URL's host; empty: that host
	hosts   []string // that credentials are sent to
	dialer  *net.Dialer
	tls     *tls.Config
	home    request // the first request, without secrets
	secret  bool    // the first request carries one

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
		c.secret = !p.Password.IsZero() || !p.Bearer.IsZero() ||
			slices.ContainsFunc(values(p.Headers), func(h Header) bool { return !h.Secret.IsZero() })
		return c, c.prepare()
	}
}

// prepare makes what runs share.
func (c *command) prepare() (err error) {
	c.dialer = c.tools.Dialer()
	name := c.ServerName
	if name == "" {
		name = c.url.Hostname()
	}
	protocols := []string{"http/1.1"}
	if c.HTTP2 {
		if c.url.Scheme != "https" {
			return conn.Fault("http2", "needs https")
		}
		protocols = []string{"h2", "http/1.1"}
	}
	if c.tls, err = (conn.TLS{ServerName: name, Verify: c.VerifyTLS, CA: c.CA, Protocols: protocols}).Config(); err != nil {
		return err
	}
	c.home = request{Method: c.Method, URL: c.url, Header: plainHeader(c.Params.Headers), Body: c.Body, home: true}
	if c.home.wire, err = c.wireText(&c.home); err != nil {
		return conn.Fault("url", "%v", err)
	}
	return nil
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

// Target is the host that the first request goes to.
func (c *command) Target() string {
	if c.connect != "" {
		host, _, _ := net.SplitHostPort(c.connect) // New has made it of the two
		return host
	}
	return c.url.Hostname()
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
		resp, end, err := c.roundTrip(runCtx, trace, req)
		if err != nil {
			if hops > 0 {
				err = fmt.Errorf("redirect to %q: %w", req.URL.Host, err)
			}
			return c.fail(ctx, begin, trace, err)
		}
		next := c.follow(req, resp, hops)
		if next == nil {
			defer end()
			return c.answer(ctx, begin, trace, resp)
		}
		end()
		req = next
	}
}

// fail makes the answer of a run that got none.
func (c *command) fail(ctx context.Context, begin time.Time, trace *conn.Trace, err error) (check.Result, error) {
	var op net.Error
	broken := errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	timeout := errors.Is(err, context.DeadlineExceeded) || op != nil && op.Timeout()
	began, done := trace.Secured()
	reason := conn.Unreachable
	switch {
	case began && !done && !timeout:
		reason = reasonTLS
	case trace.Connected():
		reason = conn.ConnectionError
		if c.secret && !broken {
			err = errors.New("the answer is no HTTP (not shown: the request has a secret)")
		}
	}
	metrics := trace.Metrics(nil, time.Time{})
	if days, ok := conn.FailedCertDays(err, begin); ok {
		metrics = append(metrics, check.Gauge("cert_days", days, "days"))
	}
	return conn.Fail(ctx, begin, reason, err, metrics...)
}
