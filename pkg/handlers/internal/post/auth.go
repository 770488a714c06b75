package post

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/redpoll/redpoll/pkg/check"
)

// Value is the value of a header: a text, or {secret: NAME}.
type Value struct {
	Text   string
	Secret check.Secret
}

// UnmarshalJSON reads either form.
func (v *Value) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		return v.Secret.UnmarshalJSON(text)
	}
	if err := json.Unmarshal(text, &v.Text); err != nil {
		return errors.New("a header's value is a text or {secret: NAME}")
	}
	return nil
}

// MarshalJSON writes the form that was read.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Secret.IsZero() {
		return v.Secret.MarshalJSON()
	}
	return json.Marshal(v.Text)
}

// ownHeaders shape the message or the connection: net/http writes them.
var ownHeaders = []string{
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Upgrade",
}

// checkHeaders refuses headers that net/http writes itself, values that would
// end the line, and credentials in the open.
func checkHeaders(headers map[string]Value) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		v, canonical := headers[name], http.CanonicalHeaderKey(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			faults = append(faults, fault("headers", "%.64q is no name of a header", name))
		case slices.Contains(ownHeaders, canonical):
			faults = append(faults, fault("headers", "%s is set by redpoll only", canonical))
		case strings.HasSuffix(canonical, "Authorization") && v.Secret.IsZero():
			faults = append(faults, fault("headers", "%s in plain text is refused, write {secret: NAME}", canonical))
		case !httpguts.ValidHeaderFieldValue(v.Text):
			faults = append(faults, fault("headers", "the value of %s has control characters", canonical))
		}
	}
	return errors.Join(faults...)
}

func (s *Settings) checkAuth() error {
	switch {
	case (s.User == "") != s.Password.IsZero():
		return fault("user", "needs password, and password needs user")
	case strings.Contains(s.User, ":") || !httpguts.ValidHeaderFieldValue(s.User):
		return fault("user", "has a colon or control characters")
	case s.User != "" && !s.Bearer.IsZero():
		return fault("bearer", "stands beside no user")
	}
	for name := range s.Headers {
		if strings.EqualFold(name, "Authorization") && (s.User != "" || !s.Bearer.IsZero()) {
			return fault("headers", "Authorization stands beside no user or bearer")
		}
	}
	return nil
}

// set writes the headers and the credentials of the settings.
func (s *Settings) set(h http.Header, secret func(check.Secret) (string, error)) error {
	h.Set("User-Agent", "redpoll")
	inHeader := func(ref check.Secret) (string, error) {
		value, err := secret(ref)
		if err == nil && !httpguts.ValidHeaderFieldValue(value) {
			err = fmt.Errorf("secret %s: has control characters, a header cannot hold it", ref.Name)
		}
		return value, err
	}
	for name, v := range s.Headers {
		text := v.Text
		if !v.Secret.IsZero() {
			var err error
			if text, err = inHeader(v.Secret); err != nil {
				return err
			}
		}
		h.Set(name, text)
	}
	if !s.Bearer.IsZero() {
		token, err := inHeader(s.Bearer)
		if err != nil {
			return err
		}
		h.Set("Authorization", cmp.Or(s.Scheme, "Bearer")+" "+token)
	}
	if s.User != "" {
		password, err := secret(s.Password)
		if err != nil {
			return err
		}
		r := http.Request{Header: h}
		r.SetBasicAuth(s.User, password)
	}
	return nil
}
