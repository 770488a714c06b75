package http

import (
	"encoding/json"
	"errors"
	"net"
	nethttp "net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Header is the value of a request's header: a text, or {"secret":"name"}.
type Header struct {
	Text   string
	Secret tools.Secret
}

// UnmarshalJSON reads either form.
func (h *Header) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		return h.Secret.UnmarshalJSON(text)
	}
	if err := json.Unmarshal(text, &h.Text); err != nil {
		return errors.New(`a header's value is a text or {"secret":"name"}`)
	}
	return nil
}

// MarshalJSON writes the form that was read.
func (h Header) MarshalJSON() ([]byte, error) {
	if !h.Secret.IsZero() {
		return h.Secret.MarshalJSON()
	}
	return json.Marshal(h.Text)
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
	return u, nil
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

// checkHeaders refuses headers that net/http writes itself, values that would
// end the line, and credentials in the open.
func checkHeaders(headers map[string]Header) error {
	var faults []error
	for name, h := range headers {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !validToken(name):
			faults = append(faults, conn.Fault("headers", "%.64q is no name of a header", name))
		case canonical == "Host":
			faults = append(faults, conn.Fault("headers", "Host comes from url; connect sends the request elsewhere"))
		case slices.Contains(ownHeaders, canonical):
			faults = append(faults, conn.Fault("headers", "%s is set by redpoll only", canonical))
		case strings.HasSuffix(canonical, "Authorization") && h.Secret.IsZero():
			faults = append(faults, conn.Fault("headers", `%s in plain text is refused, write {"secret":"name"}`, canonical))
		case !validValue(h.Text):
			faults = append(faults, conn.Fault("headers", "the value of %s has control characters", canonical))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// ownHeaders shape the message or the connection: net/http writes them.
var ownHeaders = []string{
	"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Upgrade",
}

func (p Params) checkAuth() error {
	switch {
	case p.User == "" && !p.Password.IsZero(), p.User != "" && p.Password.IsZero():
		return conn.Fault("user", "needs password, and password needs user")
	case strings.Contains(p.User, ":") || !validValue(p.User):
		return conn.Fault("user", "has a colon or control characters")
	case p.User != "" && !p.Bearer.IsZero():
		return conn.Fault("bearer", "stands beside no user")
	}
	if p.User == "" && p.Bearer.IsZero() {
		return nil
	}
	for name := range p.Headers {
		if strings.EqualFold(name, "Authorization") {
			return conn.Fault("headers", "Authorization stands beside no user or bearer")
		}
	}
	return nil
}

// validToken says whether s is a token of RFC 9110, section 5.6.2.
func validToken(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// validValue says whether s can be the value of a header: no control
// characters, thus no CR, LF or NUL, but tabs.
func validValue(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
