package http

import (
	"errors"
	"net"
	nethttp "net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const (
	defaultBody  = 1 << 20  // bytes of an answer's body that are looked at
	maxBody      = 16 << 20 // a slot must not hold more
	maxHeader    = 64 << 10 // bytes of an answer's headers
	maxRedirects = 10
)

// Params are the settings of a check with this command: url, or host with the
// fields beside it.
type Params struct {
	URL  string `json:"url"`
	Host string `json:"host"`
	Port int    `json:"port"` // 0: 443 with SSL, else 80
	SSL  bool   `json:"ssl"`
	Path string `json:"path"`
	// Connect is where the connection goes instead of the URL's host, which
	// stays in Host and SNI: an address or a name, with a port or without.
	Connect string `json:"connect"`

	Method  string            `json:"method"`
	Headers map[string]Header `json:"headers"`
	Body    string            `json:"body"`
	// User with Password is basic auth, Bearer a token.
	User     string       `json:"user"`
	Password tools.Secret `json:"password"`
	Bearer   tools.Secret `json:"bearer"`

	HTTP2      bool   `json:"http2"`
	VerifyTLS  bool   `json:"verify_tls"`
	ServerName string `json:"server_name"` // instead of the host in SNI and certificate
	CA         string `json:"ca"`          // PEM
	// Redirects is how many are followed.
	Redirects int            `json:"redirects"`
	Timeout   check.Duration `json:"timeout"`

	Expect
}

// Expect is what the answer must be like.
type Expect struct {
	Status Statuses `json:"expect_status"`
	// BodyMatch must and BodyNot must not be found in the body (RE2).
	BodyMatch string `json:"expect_body"`
	BodyNot   string `json:"expect_body_not"`
	// Headers are regular expressions by header; one of its values must match.
	HeaderMatch map[string]string `json:"expect_headers"`
	JSON        JSONRules         `json:"expect_json"`
	// BodyLimit is how much of the body is read, bytes, after decompression.
	BodyLimit int `json:"body_limit"`
	// RespWarn and RespCrit bound the whole run; 0 is off.
	RespWarn     check.Duration `json:"resp_warn"`
	RespCrit     check.Duration `json:"resp_crit"`
	CertWarnDays *float64       `json:"cert_warn_days"`
	CertCritDays *float64       `json:"cert_crit_days"`
}

// Defaults are the params of a check that says nothing.
func Defaults() Params {
	return Params{
		Method: nethttp.MethodGet, VerifyTLS: true, Timeout: check.Duration(10 * time.Second),
		Expect: Expect{
			Status:    Statuses{{200, 200}},
			BodyLimit: defaultBody,
			RespWarn:  check.Duration(time.Second),
			RespCrit:  check.Duration(2 * time.Second),
		},
	}
}

// target makes the URL out of either form.
func (p Params) target() (*url.URL, error) {
	text := p.URL
	switch {
	case p.URL == "" && p.Host == "":
		return nil, conn.Fault("url", "is needed, or host")
	case p.URL != "" && (p.Host != "" || p.Port != 0 || p.SSL || p.Path != ""):
		return nil, conn.Fault("url", "stands beside none of host, port, ssl, path")
	case p.URL == "":
		var err error
		if text, err = p.assemble(); err != nil {
			return nil, err
		}
	}
	return parseURL(text)
}

// assemble makes the URL of host, port, ssl and path.
func (p Params) assemble() (string, error) {
	scheme, port := "http", p.Port
	if p.SSL {
		scheme = "https"
	}
	if err := conn.CheckHost("host", p.Host); err != nil {
		return "", err
	}
	if p.Path != "" && p.Path[0] != '/' {
		return "", conn.Fault("path", "%.64q does not begin with /", p.Path)
	}
	if port == 0 {
		host := p.Host
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			host = "[" + host + "]"
		}
		return scheme + "://" + host + p.Path, nil
	}
	if err := conn.CheckPort("port", port); err != nil {
		return "", err
	}
	return scheme + "://" + conn.HostPort(p.Host, port) + p.Path, nil
}

// parseURL refuses what cannot be asked for, and passwords in the open.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, conn.Fault("url", "cannot be read") // the cause would quote a password
	case u.User != nil:
		return nil, conn.Fault("url", `a user in it is refused; write user and password {"secret":"name"}`)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, conn.Fault("url", "scheme %.64q, want http or https", u.Scheme)
	}
	if err := conn.CheckHost("url", u.Hostname()); err != nil {
		return nil, err
	}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || conn.CheckPort("url", n) != nil {
			return nil, conn.Fault("url", "%.16q is no port", port)
		}
	}
	u.Fragment, u.RawFragment = "", ""
	return u, toASCII(u)
}

// toASCII writes a host with letters beyond ASCII as DNS has it.
func toASCII(u *url.URL) error {
	host := u.Hostname()
	if !strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return conn.Fault("url", "%.64q is no host name", host)
	}
	u.Host = strings.Replace(u.Host, host, ascii, 1)
	return nil
}

// connectTo gives the address of Connect, with the URL's port where it has
// none; empty without Connect.
func (p Params) connectTo(u *url.URL) (addr, host string, err error) {
	if p.Connect == "" {
		return "", "", nil
	}
	host, port, err := net.SplitHostPort(p.Connect)
	if err != nil {
		host, port = strings.Trim(p.Connect, "[]"), portOf(u)
	}
	if err := conn.CheckHost("connect", host); err != nil {
		return "", "", err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return "", "", conn.Fault("connect", "%.16q is no port", port)
	}
	return conn.HostPort(host, n), host, conn.CheckPort("connect", n)
}

// portOf gives the port that u goes to.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// validate finds all faults that need nothing else to be known.
func (p Params) validate() error {
	faults := []error{
		conn.CheckTimeout("timeout", p.Timeout), checkMethod(p.Method, p.Body), checkHeaders(p.Headers), p.checkAuth(),
	}
	add := func(bad bool, field, format string, args ...any) {
		if bad {
			faults = append(faults, conn.Fault(field, format, args...))
		}
	}
	add(p.RespWarn < 0 || p.RespCrit < 0, "resp_warn", "and resp_crit: want durations of 0 (off) or more")
	add(p.Redirects < 0 || p.Redirects > maxRedirects, "redirects", "%d, want 0 to %d", p.Redirects, maxRedirects)
	add(p.BodyLimit < 1 || p.BodyLimit > maxBody, "body_limit", "%d, want 1 to %d", p.BodyLimit, maxBody)
	add(len(p.Status) == 0, "expect_status", "want at least one")
	if p.ServerName != "" {
		faults = append(faults, conn.CheckHost("server_name", p.ServerName))
	}
	return errors.Join(faults...)
}

func checkMethod(method, body string) error {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	if !slices.Contains(known, method) {
		return conn.Fault("method", "%.64q, want one of %s", method, strings.Join(known, ", "))
	}
	if body != "" && (method == "GET" || method == "HEAD") {
		return conn.Fault("body", "%s has none", method)
	}
	return nil
}
