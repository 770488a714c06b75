// Package conn holds what commands that connect to a target have in common:
// the reasons of failure, the times of the phases, TLS and certificates.
package conn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// The reasons that these commands share.
const (
	Unreachable      = "UNREACHABLE"        // no connection came about
	ConnectionError  = "CONNECTION_ERROR"   // the connection broke or stalled
	UnexpectedResp   = "UNEXPECTED_RESP"    // the answer is not the expected one
	RespTimeExceeded = "RESP_TIME_EXCEEDED" // slower than resp_warn or resp_crit
	CertExpiring     = "CERT_EXPIRING"      // fewer days left than cert_warn_days or cert_crit_days
)

// maxName is the longest host name in DNS (RFC 1035), with a dot at the end.
const maxName = 254

// Fault says what is wrong with a field of the params.
func Fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// CheckHost refuses what cannot be a host name or an address.
func CheckHost(field, host string) error {
	if host == "" {
		return Fault(field, "is needed")
	}
	bad := func(r rune) bool {
		return r <= ' ' || r == 0x7f || unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`/\@?#"'<>`, r)
	}
	if _, err := netip.ParseAddr(trimBrackets(host)); err != nil && strings.ContainsAny(host, ":[]%") {
		return Fault(field, "%.64q is no host name or address; a port stands in a field of its own", host)
	}
	if len(host) > maxName || !utf8.ValidString(host) || strings.ContainsFunc(host, bad) {
		return Fault(field, "%.64q is no host name or address", host)
	}
	return nil
}

// CheckPort refuses what is no port.
func CheckPort(field string, port int) error {
	if port < 1 || port > 65535 {
		return Fault(field, "%d is no port, want 1 to 65535", port)
	}
	return nil
}

// CheckTimeout refuses timeouts that are not positive or longer than any
// check's.
func CheckTimeout(field string, d check.Duration) error {
	if d <= 0 || d.D() > check.MaxTimeout {
		return Fault(field, "%v, want more than 0 and at most %v", d, check.MaxTimeout)
	}
	return nil
}

// HostPort joins host and port; host may be an IPv6 address in brackets.
func HostPort(host string, port int) string {
	if a, err := netip.ParseAddr(trimBrackets(host)); err == nil {
		host = a.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func trimBrackets(host string) string {
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return host
}

// Fail makes the answer to err, met while ctx was the run's own context. What
// is the target's fault becomes a CRIT result with reason and metrics. Our own
// end, a denied target and a worker that ran out of something are errors.
func Fail(ctx context.Context, at time.Time, reason string, err error, metrics ...check.Metric) (check.Result, error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return check.Result{}, ctx.Err()
	}
	var denied *tools.DeniedError
	if errors.As(err, &denied) || ours(err) {
		return check.Result{}, err
	}
	res := check.Result{At: at, State: check.StateCrit, Reason: reason, Text: describe(err), Metrics: metrics}
	res.Clean() // errors quote certificates and the like
	return res, nil
}

// At adds to err, where somebody's time was over, whom was waited for: contexts
// and drivers do not say.
func At(addr string, err error) error { return &net.OpError{Op: "ask", Addr: place(addr), Err: err} }

// place is an address that is known by its text.
type place string

// Network is part of net.Addr.
func (place) Network() string { return "" }

// String is part of net.Addr.
func (p place) String() string { return string(p) }

// ours says that err comes from a lack of something on the worker's machine.
func ours(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// describe says what happened without the noise of nested errors.
func describe(err error) string {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		var op *net.OpError
		if errors.As(err, &op) && op.Addr != nil {
			return op.Op + " " + op.Addr.String() + ": timed out"
		}
		return "timed out"
	}
	return err.Error()
}
