package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

func TestCheckHost(t *testing.T) {
	t.Parallel()
	for host, ok := range map[string]bool{
		"web1": true, "web_1.example.net.": true, "192.0.2.1": true, "2001:db8::1": true, "[2001:db8::1]": true, "bücher.example": true,
		"": false, "a b": false, "a\x00": false, "a\r\nb": false, "a/b": false, "user@a": false, "a:80": false, "[a]": false, "a\u2028": false,
		"\xff": false, strings.Repeat("a", 255): false,
	} {
		var field *check.FieldError
		if err := CheckHost("host", host); (err == nil) != ok || err != nil && (!errors.As(err, &field) || field.Field != "host") {
			t.Errorf("CheckHost(%q) = %v, want ok %v", host, err, ok)
		}
	}
}

func TestHostPort(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"a": "a:80", "192.0.2.1": "192.0.2.1:80", "2001:db8::1": "[2001:db8::1]:80", "[2001:DB8::1]": "[2001:db8::1]:80"} {
		if got := HostPort(host, 80); got != want {
			t.Errorf("HostPort(%s) = %s, want %s", host, got, want)
		}
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	dead, kill := context.WithCancel(t.Context())
	kill()
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, Err: os.ErrDeadlineExceeded}
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		text string // empty: an error
	}{
		{"refused", t.Context(), syscall.ECONNREFUSED, "connection refused"},
		{"timed out", t.Context(), dial, "dial 192.0.2.1:80: timed out"},
		{"the check's timeout", over, context.DeadlineExceeded, "timed out"},
		{"what a target said", t.Context(), errors.New("x\x1b[0m\ny"), "x\ufffd[0m y"},
		{"cancelled", dead, dial, ""},
		{"denied", t.Context(), fmt.Errorf("dial: %w", &tools.DeniedError{}), ""},
		{"no descriptors", t.Context(), os.NewSyscallError("socket", syscall.EMFILE), ""},
		{"no ports", t.Context(), &net.OpError{Op: "dial", Err: syscall.EADDRNOTAVAIL}, ""},
	} {
		res, err := Fail(tt.ctx, time.Now(), Unreachable, tt.err)
		if (err == nil) != (tt.text != "") || res.Text != tt.text || err == nil && (res.State != check.StateCrit || res.Reason != Unreachable) {
			t.Errorf("%s: Fail = %+v, %v, want %q", tt.name, res, err, tt.text)
		}
	}
	if _, err := Fail(dead, time.Now(), Unreachable, dial); !errors.Is(err, context.Canceled) {
		t.Errorf("Fail of a cancelled run = %v, want context.Canceled", err)
	}
}

func TestCertDays(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cert := func(days int) *x509.Certificate {
		return &x509.Certificate{NotAfter: now.Add(time.Duration(days) * 24 * time.Hour)}
	}
	for _, tt := range []struct {
		name  string
		state *tls.ConnectionState
		want  float64 // NaN: none
	}{
		{"no TLS", nil, math.NaN()},
		{"not verified", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert(5), cert(3)}}, 5},
		{"verified", &tls.ConnectionState{
			PeerCertificates: []*x509.Certificate{cert(9)},
			VerifiedChains:   [][]*x509.Certificate{{cert(9), cert(2)}, {cert(9), cert(7), cert(30)}},
		}, 7},
		{"over", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert(-1)}}, -1},
	} {
		got, ok := CertDays(tt.state, now)
		if ok == math.IsNaN(tt.want) || ok && math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s: CertDays = %v, %v, want %v", tt.name, got, ok, tt.want)
		}
	}
}

func TestGrades(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		took, warn, crit time.Duration
		want             check.State
	}{
		{time.Second, 0, 0, check.StateOK},
		{time.Second, time.Second, 2 * time.Second, check.StateOK},
		{1001 * time.Millisecond, time.Second, 2 * time.Second, check.StateWarn},
		{3 * time.Second, time.Second, 2 * time.Second, check.StateCrit},
		{3 * time.Second, 0, 2 * time.Second, check.StateCrit},
	} {
		var g check.Grade
		RespTime(&g, tt.took, check.Duration(tt.warn), check.Duration(tt.crit))
		if g.State() != tt.want {
			t.Errorf("RespTime(%v, %v, %v) = %v, want %v", tt.took, tt.warn, tt.crit, g.State(), tt.want)
		}
	}
	var g check.Grade
	ten := 10.0
	GradeCert(&g, 9.5, &ten, nil)
	if res := g.Result(time.Now(), nil); res.Reason != CertExpiring || res.State != check.StateWarn || !strings.Contains(res.Text, "valid for 9.5 days") {
		t.Errorf("GradeCert = %+v", res)
	}
	g = check.Grade{}
	GradeCert(&g, -2, &ten, nil)
	if res := g.Result(time.Now(), nil); !strings.Contains(res.Text, "ended 2.0 days ago") {
		t.Errorf("GradeCert = %+v", res)
	}
	g = check.Grade{}
	RespTime(&g, 3*time.Second, check.Duration(time.Second), check.Duration(2*time.Second))
	if res := g.Result(time.Now(), nil); res.Text != "took 3s, want at most 2s" {
		t.Errorf("RespTime = %+v", res)
	}
}
