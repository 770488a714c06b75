package post

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// fault says what is wrong with a setting.
func fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// ParseURL reads the setting field, the URL of a server.
func ParseURL(field, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, fault(field, "is needed")
	case err != nil:
		return nil, fault(field, "cannot be read as a URL") // the cause would quote a password
	case u.User != nil:
		return nil, fault(field, `a user in it is refused; write user and password: {secret: NAME}`)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fault(field, "scheme %.64q, want http or https", u.Scheme)
	case u.Hostname() == "" || u.Opaque != "":
		return nil, fault(field, "has no host")
	}
	if p := u.Port(); p != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, fault(field, "%.16q is no port", p)
		}
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// appendURL appends a secret end to a URL. It can change neither scheme nor
// host, since those say whether the secret may be sent there.
func appendURL(u *url.URL, end string) (*url.URL, error) {
	longer, err := url.Parse(u.String() + end)
	if err != nil || longer.Scheme != u.Scheme || longer.Host != u.Host || longer.User != nil {
		return nil, errors.New("cannot be the end of the URL")
	}
	longer.Fragment, longer.RawFragment = "", ""
	return longer, nil
}

// dial connects. Requests come seldom enough for a connection each time.
var dial = (&net.Dialer{Timeout: dialTime}).DialContext

// parseProxy reads the setting proxy.
func parseProxy(text string) (func(*http.Request) (*url.URL, error), error) {
	switch text {
	case "":
		return nil, nil
	case "environment":
		return http.ProxyFromEnvironment, nil
	}
	u, err := ParseURL("proxy", text)
	if err != nil {
		return nil, err
	}
	return http.ProxyURL(u), nil
}
