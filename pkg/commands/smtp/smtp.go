// Package smtp is the command that greets a mail server and looks at its
// answer. It sends no mail.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const (
	plainPort = 25
	tlsPort   = 465                   // RFC 8314
	farewell  = 50 * time.Millisecond // for the answer to QUIT, which nobody needs
	maxHelo   = 255                   // RFC 5321, 4.5.3.1.2
)

// Params are the settings of a check with this command.
type Params struct {
	Host string `json:"host"`
	// Port is 25 when it is 0, or 465 with TLS.
	Port int `json:"port"`
	// Helo is the name that we greet with.
	Helo string `json:"helo"`
	// Expect is a regular expression (RE2) that the answer to the greeting must
	// match.
	Expect  string         `json:"expect"`
	Timeout check.Duration `json:"timeout"`
	// RespWarn and RespCrit bound the time to that answer; 0 is off.
	RespWarn check.Duration `json:"resp_warn"`
	RespCrit check.Duration `json:"resp_crit"`
	// StartTLS asks for TLS after the greeting and greets again; TLS speaks it
	// from the first byte. The rest is about the certificate.
	StartTLS     bool     `json:"starttls"`
	TLS          bool     `json:"tls"`
	VerifyTLS    bool     `json:"verify_tls"`
	ServerName   string   `json:"server_name"`
	CA           string   `json:"ca"`
	CertWarnDays *float64 `json:"cert_warn_days"`
	CertCritDays *float64 `json:"cert_crit_days"`
}

// Defaults are the params of a check that says nothing.
func Defaults() Params {
	return Params{Helo: "localhost", Expect: "^250", Timeout: check.Duration(10 * time.Second), VerifyTLS: true}
}

type command struct {
	Params
	addr   string
	expect *regexp.Regexp
	dialer *net.Dialer
	tls    *tls.Config // nil without TLS
}

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		if p.Port == 0 {
			p.Port = plainPort
			if p.TLS {
				p.Port = tlsPort
			}
		}
		if err := p.validate(); err != nil {
			return nil, err
		}
		c := &command{Params: p, addr: conn.HostPort(p.Host, p.Port), dialer: t.Dialer()}
		var err error
		if c.expect, err = regexp.Compile(p.Expect); err != nil {
			return nil, conn.Fault("expect", "%v", err)
		}
		if p.TLS || p.StartTLS {
			name := p.ServerName
			if name == "" {
				name = p.Host
			}
			if c.tls, err = (conn.TLS{ServerName: name, Verify: p.VerifyTLS, CA: p.CA}).Config(); err != nil {
				return nil, err
			}
		}
		return c, nil
	}
}

func (p Params) validate() error {
	faults := []error{
		conn.CheckHost("host", p.Host),
		conn.CheckPort("port", p.Port),
		conn.CheckTimeout("timeout", p.Timeout),
	}
	if !validHelo(p.Helo) {
		faults = append(faults, conn.Fault("helo", "%.64q: want a name of 1 to %d visible ASCII characters", p.Helo, maxHelo))
	}
	if p.RespWarn < 0 || p.RespCrit < 0 {
		faults = append(faults, conn.Fault("resp_warn", "and resp_crit: want durations of 0 (off) or more"))
	}
	if p.TLS && p.StartTLS {
		faults = append(faults, conn.Fault("starttls", "and tls: want at most one of them"))
	}
	if p.ServerName != "" {
		faults = append(faults, conn.CheckHost("server_name", p.ServerName))
	}
	if !p.TLS && !p.StartTLS && (p.ServerName != "" || p.CA != "" || p.CertWarnDays != nil || p.CertCritDays != nil) {
		faults = append(faults, conn.Fault("tls", "server_name, ca, cert_warn_days and cert_crit_days need it, or starttls"))
	}
	return errors.Join(faults...)
}

// validHelo keeps everything out that could end the line or start an argument.
func validHelo(name string) bool {
	return name != "" && len(name) <= maxHelo &&
		!strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// Target is the host that is asked.
func (c *command) Target() string { return c.Host }

// Run connects, greets and grades, on a connection of its own.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	begin := time.Now()
	s := session{command: c}
	limited, cancel := context.WithTimeout(s.trace.Dial(ctx), c.Timeout.D())
	defer cancel()
	nc, err := c.dialer.DialContext(limited, "tcp", c.addr)
	if err != nil {
		return conn.Fail(ctx, begin, conn.Unreachable, err)
	}
	defer nc.Close()
	// Reads and writes do not know contexts: the end of ctx cuts them off.
	stop := context.AfterFunc(limited, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	s.use(nc)
	hello, err := s.greet(limited)
	took := time.Since(begin)
	var odd *oddReply
	if err != nil && !errors.As(err, &odd) {
		ms := s.trace.Metrics(nil, time.Time{})
		if days, ok := conn.FailedCertDays(err, begin); ok {
			ms = append(ms, check.Gauge("cert_days", days, "days"))
		}
		return conn.Fail(ctx, begin, conn.ConnectionError, err, ms...)
	}
	s.quit()
	if errors.Is(ctx.Err(), context.Canceled) {
		return check.Result{}, ctx.Err()
	}
	return c.grade(begin, took, &s, hello, odd), nil
}

func (c *command) grade(begin time.Time, took time.Duration, s *session, hello reply, odd *oddReply) check.Result {
	var g check.Grade
	switch {
	case odd != nil:
		g.Add(check.StateCrit, conn.UnexpectedResp, odd.Error())
	case !c.expect.MatchString(hello.String()):
		g.Add(check.StateCrit, conn.UnexpectedResp, fmt.Sprintf("answer %.80q does not match %q", hello.String(), c.Expect))
	}
	ms := append(s.trace.Metrics(make([]check.Metric, 0, 5), time.Time{}), check.Seconds("resp_seconds", took))
	if days, ok := conn.CertDays(s.state, begin); ok {
		ms = append(ms, check.Gauge("cert_days", days, "days"))
		conn.GradeCert(&g, days, c.CertWarnDays, c.CertCritDays)
	}
	conn.RespTime(&g, took, c.RespWarn, c.RespCrit)
	g.Add(check.StateOK, "", hello.lines[0])
	res := g.Result(begin, ms)
	res.Clean()
	return res
}
