package conn

import (
	"context"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Trace takes the times of a connection's phases. The zero value is ready to
// use, for one connection.
type Trace struct {
	mu sync.Mutex // guards all below: attempts on several addresses run at once
	dnsStart, dnsDone,
	dialStart, dialDone,
	tlsStart, tlsDone,
	wrote, firstByte time.Time
}

// Dial makes dials under ctx report to t.
func (t *Trace) Dial(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { t.set(&t.dnsStart, true) },
		DNSDone:      func(httptrace.DNSDoneInfo) { t.set(&t.dnsDone, false) },
		ConnectStart: func(string, string) { t.set(&t.dialStart, true) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				t.set(&t.dialDone, true)
			}
		},
	})
}

// Request makes a request under ctx that net/http sends report to t, but not
// its dial.
func (t *Trace) Request(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.Wrote() },
		GotFirstResponseByte: t.FirstByte,
	})
}

// Wrote notes that the request is out.
func (t *Trace) Wrote() { t.set(&t.wrote, false) }

// FirstByte notes that the answer begins; only the first call counts.
func (t *Trace) FirstByte() { t.set(&t.firstByte, true) }

// StartTLS notes that the handshake begins.
func (t *Trace) StartTLS() { t.set(&t.tlsStart, true) }

// EndTLS notes that the handshake is done.
func (t *Trace) EndTLS() { t.set(&t.tlsDone, true) }

// set notes the time; with once the first one stays.
func (t *Trace) set(at *time.Time, once bool) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !once || at.IsZero() {
		*at = now
	}
}

// Connected says whether a connection came about.
func (t *Trace) Connected() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.dialDone.IsZero()
}

// Secured says whether a TLS handshake began, and whether it was done.
func (t *Trace) Secured() (began, done bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.tlsStart.IsZero(), !t.tlsDone.IsZero()
}

// Metrics appends the phases that took place to ms: dns_seconds,
// connect_seconds, tls_seconds, and with a request first_byte_seconds (from
// the request's last byte to the answer's first) and, when end is not zero,
// transfer_seconds (from there to end).
func (t *Trace) Metrics(ms []check.Metric, end time.Time) []check.Metric {
	t.mu.Lock()
	defer t.mu.Unlock()
	add := func(name string, from, to time.Time) {
		if !from.IsZero() && !to.IsZero() && !to.Before(from) {
			ms = append(ms, check.Seconds(name, to.Sub(from)))
		}
	}
	add("dns_seconds", t.dnsStart, t.dnsDone)
	add("connect_seconds", t.dialStart, t.dialDone)
	add("tls_seconds", t.tlsStart, t.tlsDone)
	if !t.firstByte.IsZero() && t.firstByte.Before(t.wrote) {
		t.wrote = t.firstByte // the answer came before the request was out
	}
	add("first_byte_seconds", t.wrote, t.firstByte)
	add("transfer_seconds", t.firstByte, end)
	return ms
}
