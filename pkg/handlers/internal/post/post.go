// Package post sends HTTP requests for handlers: where the entry in
// handlers.yaml says, with its credentials, within bounds, and with errors that
// say whether to try again and hold no secret.
package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

// The bounds of an exchange.
const (
	MaxBody   = 4 << 20  // bytes of a request's body
	MaxReply  = 64 << 10 // bytes of a reply that are read; the rest is left
	maxHeader = 64 << 10 // bytes of a reply's headers

	maxTime    = time.Minute // for a context without an end
	dialTime   = 10 * time.Second
	idleTime   = 90 * time.Second
	maxConns   = 8 // to one host, at once
	maxIdle    = 2 // to one host, kept open
	maxIdleAll = 8
)

// Settings are how requests are made. Handlers embed it in their own settings.
type Settings struct {
	// User with Password is basic auth, Bearer a token.
	User     string       `json:"user"`
	Password check.Secret `json:"password"`
	Bearer   check.Secret `json:"bearer"`
	// Scheme goes before the token where a server wants another word than
	// Bearer. Handlers set it.
	Scheme string `json:"-"`
	// Headers go with every request.
	Headers map[string]Value `json:"headers"`
	TLS     TLS              `json:"tls"`
	// Proxy is the URL of a proxy, "environment" for what HTTP_PROXY,
	// HTTPS_PROXY and NO_PROXY say, empty for none.
	Proxy string `json:"proxy"`
}

// Client makes requests. It is safe for concurrent use and must be closed.
type Client struct {
	settings Settings
	tools    tools.Tools
	http     *http.Client
}

// New makes a client; all faults of the settings are found here. It reads the
// files of certificates and connects to nobody.
func New(s Settings, t tools.Tools) (*Client, error) {
	config, tlsErr := s.TLS.config()
	proxy, proxyErr := parseProxy(s.Proxy)
	if err := errors.Join(checkHeaders(s.Headers), s.checkAuth(), tlsErr, proxyErr); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               proxy,
		DialContext:         dial,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: dialTime,
		DisableCompression:  true, // so that MaxReply bounds what it costs
		MaxConnsPerHost:     maxConns, MaxIdleConnsPerHost: maxIdle, MaxIdleConns: maxIdleAll,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHeader,
	}
	return &Client{settings: s, tools: t, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close lets go of idle connections. Requests must have ended.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Request is one request.
type Request struct {
	// Method is POST when it is empty.
	Method string
	// URL is what ParseURL gave.
	URL *url.URL
	// End is appended to the URL as it is, for hooks whose address is a secret.
	End check.Secret
	// Type is the media type of Body.
	Type string
	// Header are more headers; they win over those of the settings.
	Header http.Header
	Body   []byte
}

// Do makes a request. A status that is not 2xx is an error, with the beginning
// of what the server said:
//
//   - 408, 425, 429 and 5xx may pass, and so may a redirect, which is never
//     followed; with a Retry-After the error is a *check.RetryAfterError.
//   - 401, 403 and 407 may pass: keys end, and are replaced.
//   - Other 4xx are a *check.PermanentError.
//   - Everything else, a connection that fails for one, may pass.
//
// The reply is there in each case in which the server gave one.
func (c *Client) Do(ctx context.Context, r Request) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	if len(r.Body) > MaxBody {
		return Reply{}, check.Permanent(fmt.Errorf("%s: a body of %d bytes, want at most %d", r.name(), len(r.Body), MaxBody))
	}
	var hide hider
	req, err := c.build(ctx, r, &hide)
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %w", r.name(), err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %w", r.name(), hide.error(cause(err)))
	}
	defer res.Body.Close()
	reply := Reply{Status: res.StatusCode, Header: res.Header, hide: hide}
	reply.Body, err = io.ReadAll(io.LimitReader(res.Body, MaxReply))
	if res.StatusCode/100 != 2 { // what was read of the reason is enough
		return reply, reply.judge(r.name(), time.Now())
	}
	if err != nil {
		return reply, fmt.Errorf("%s: read the reply: %w", r.name(), hide.error(err))
	}
	return reply, nil
}

// build makes the request, with the secrets as they are now. They are sent to
// the host of the URL and to nobody else.
func (c *Client) build(ctx context.Context, r Request, hide *hider) (*http.Request, error) {
	secret := func(s check.Secret) (string, error) {
		value, err := c.tools.Secret(s, r.URL.Hostname())
		hide.add(s.Name, value)
		return value, err
	}
	u := r.URL
	if !r.End.IsZero() {
		end, err := secret(r.End)
		if err != nil {
			return nil, err
		}
		if u, err = appendURL(u, end); err != nil {
			return nil, fmt.Errorf("secret %s: %w", r.End.Name, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, hide.error(cause(err))
	}
	if err := c.settings.set(req.Header, secret); err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if r.Type != "" {
		req.Header.Set("Content-Type", r.Type)
	}
	return req, nil
}

// name is what errors call the request: no query, which may hold a token.
func (r *Request) name() string {
	return r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath()
}

// cause takes the URL out of an error of net/http.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
