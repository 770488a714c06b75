package http

import (
	"encoding/json"
	"errors"
	"net/textproto"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

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
