package post

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	maxQuote = 256       // bytes of a reply in an error
	maxAfter = time.Hour // a server that asks for more is asked again then
)

// Reply is what a server answered.
type Reply struct {
	Status int
	Header http.Header
	// Body are its first MaxReply bytes.
	Body []byte

	hide hider
}

// Quote gives the beginning of the reply for an error or a log: one line in
// quotes, without the secrets that went with the request.
func (r *Reply) Quote() string {
	text := r.hide.text(string(r.Body))
	more := len(text) > maxQuote
	if more {
		text = strings.ToValidUTF8(text[:maxQuote], "")
	}
	// Line breaks and indents of JSON say nothing.
	text = strings.Join(strings.FieldsFunc(text, unicode.IsSpace), " ")
	if more {
		text += "..."
	}
	return strconv.Quote(text)
}

// judge makes the error of a status that is not 2xx.
func (r *Reply) judge(name string, now time.Time) error {
	err := fmt.Errorf("%s: %d %s", name, r.Status, http.StatusText(r.Status))
	switch {
	case len(r.Body) > 0:
		err = fmt.Errorf("%w: %s", err, r.Quote())
	case r.Status/100 == 3:
		err = fmt.Errorf("%w: redirects are not followed", err)
	}
	switch s := r.Status; {
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s/100 == 5:
		if after, ok := r.retryAfter(now); ok {
			return check.RetryAfter(err, after)
		}
		return err
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusProxyAuthRequired:
		return err // a key that ended: somebody will put a new one in its place
	case s/100 == 4:
		return check.Permanent(err)
	}
	return err
}

// retryAfter reads the header Retry-After: seconds, or a date, which is held
// against the server's own clock where it tells it.
func (r *Reply) retryAfter(now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(r.Header.Get("Retry-After"))
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxAfter), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxAfter), true
}
