package http

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	nethttp "net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const userAgent = "redpoll"

// request is what goes out in one hop.
type request struct {
	Method string
	URL    *url.URL
	Header nethttp.Header // never changed
	Body   string
	// home says that every hop so far stayed on the URL's own host: only then
	// do the check's headers and body go along.
	home bool
	wire []byte // the text of it, where it is known already
}

// make gives a request for net/http to use up.
func (r *request) make(ctx context.Context) *nethttp.Request {
	req := &nethttp.Request{
		Method: r.Method, URL: r.URL, Host: r.URL.Host, Header: r.Header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.Body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(r.Body)), int64(len(r.Body))
	}
	return req.WithContext(ctx)
}

// plainHeader gives the headers without secrets.
func plainHeader(headers map[string]Header) nethttp.Header {
	h := nethttp.Header{"User-Agent": {userAgent}}
	for name, v := range headers {
		if v.Secret.IsZero() {
			h.Set(name, v.Text)
		}
	}
	return h
}

func values(headers map[string]Header) []Header { return slices.Collect(maps.Values(headers)) }

// first makes the first request, with the secrets as they are now.
func (c *command) first() (*request, error) {
	if !c.secret {
		return &c.home, nil
	}
	r := &request{Method: c.Method, URL: c.url, Header: c.home.Header.Clone(), Body: c.Body, home: true}
	for name, h := range c.Params.Headers {
		if h.Secret.IsZero() {
			continue
		}
		value, err := c.reveal(h.Secret)
		if err != nil {
			return nil, err
		}
		r.Header.Set(name, value)
	}
	if !c.Bearer.IsZero() {
		value, err := c.reveal(c.Bearer)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+value)
	}
	if c.User != "" {
		value, err := c.reveal(c.Password)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.User+":"+value)))
	}
	return r, nil
}

// reveal gives the value of a secret that may be sent to every host that the
// request goes to.
func (c *command) reveal(s tools.Secret) (value string, err error) {
	for _, host := range c.hosts {
		if value, err = c.tools.Secret(s, host); err != nil {
			return "", err
		}
	}
	if !validValue(value) {
		return "", fmt.Errorf("secret %s: has control characters, a header cannot carry it", s.Name)
	}
	return value, nil
}

// follow makes the request that resp, the answer to r, redirects to; nil when
// resp is what the check looks at.
func (c *command) follow(r *request, resp *nethttp.Response, hops int) *request {
	if hops >= c.Redirects {
		return nil
	}
	method, body := r.Method, r.Body
	switch resp.StatusCode {
	case nethttp.StatusMovedPermanently, nethttp.StatusFound:
		if method == nethttp.MethodPost {
			method, body = nethttp.MethodGet, ""
		}
	case nethttp.StatusSeeOther:
		body = ""
		if method != nethttp.MethodHead {
			method = nethttp.MethodGet
		}
	case nethttp.StatusTemporaryRedirect, nethttp.StatusPermanentRedirect:
	default:
		return nil
	}
	to, err := r.URL.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" || to.Scheme != "http" && to.Scheme != "https" ||
		conn.CheckHost("", to.Hostname()) != nil || toASCII(to) != nil {
		return nil
	}
	to.User, to.Fragment, to.RawFragment = nil, "", ""
	next := &request{Method: method, URL: to, Header: r.Header, Body: body, home: r.home && sameOrigin(to, c.url)}
	if !next.home {
		if body != "" {
			return nil // a body is for the check's own host only
		}
		next.Header = nethttp.Header{"User-Agent": {userAgent}}
	}
	return next
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}
