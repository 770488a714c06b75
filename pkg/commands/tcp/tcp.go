// Package tcp is the command that connects to a TCP port, with TLS or without,
// and may send something and expect something back.
package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// maxAnswer is how much of the answer Expect is looked for in, bytes.
const maxAnswer = 64 << 10

// maxMatches is how often the answer is looked at while it comes in. One that
// comes byte by byte is then looked at only once more, when it has ended:
// else it would cost the square of its length.
const maxMatches = 100

// Params are the settings of a check with this command.
type Params struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	// Network is tcp, tcp4 or tcp6.
	Network string `json:"network"`
	// Send is written once the connection stands, Expect a regular expression
	// (RE2) that the answer must match.
	Send    string         `json:"send"`
	Expect  string         `json:"expect"`
	Timeout check.Duration `json:"timeout"`
	// RespWarn and RespCrit bound the whole run; 0 is off.
	RespWarn check.Duration `json:"resp_warn"`
	RespCrit check.Duration `json:"resp_crit"`
	// TLS wraps the connection; the rest is about its certificate.
	TLS          bool     `json:"tls"`
	VerifyTLS    bool     `json:"verify_tls"`
	ServerName   string   `json:"server_name"`
	CA           string   `json:"ca"`
	CertWarnDays *float64 `json:"cert_warn_days"`
	CertCritDays *float64 `json:"cert_crit_days"`
}

// Defaults are the params of a check that says nothing.
func Defaults() Params {
	return Params{Network: "tcp", Timeout: check.Duration(10 * time.Second), VerifyTLS: true}
}

type command struct {
	Params
	addr   string
	dialer *net.Dialer
	tls    *tls.Config    // nil without TLS
	expect *regexp.Regexp // nil when nothing is expected
}

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		if err := p.validate(); err != nil {
			return nil, err
		}
		c := &command{Params: p, addr: conn.HostPort(p.Host, p.Port), dialer: t.Dialer()}
		var err error
		if p.Expect != "" {
			if c.expect, err = regexp.Compile(p.Expect); err != nil {
				return nil, conn.Fault("expect", "%v", err)
			}
		}
		if p.TLS {
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
	if !slices.Contains([]string{"tcp", "tcp4", "tcp6"}, p.Network) {
		faults = append(faults, conn.Fault("network", "%.64q, want tcp, tcp4 or tcp6", p.Network))
	}
	if p.RespWarn < 0 || p.RespCrit < 0 {
		faults = append(faults, conn.Fault("resp_warn", "and resp_crit: want durations of 0 (off) or more"))
	}
	if p.ServerName != "" {
		faults = append(faults, conn.CheckHost("server_name", p.ServerName))
	}
	if !p.TLS && (p.ServerName != "" || p.CA != "" || p.CertWarnDays != nil || p.CertCritDays != nil) {
		faults = append(faults, conn.Fault("tls", "server_name, ca, cert_warn_days and cert_crit_days need it"))
	}
	return errors.Join(faults...)
}

// Target is the host that is asked.
func (c *command) Target() string { return c.Host }

// Run connects, speaks and grades.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	begin := time.Now()
	var trace conn.Trace
	dialCtx, cancel := context.WithTimeout(trace.Dial(ctx), c.Timeout.D())
	defer cancel()
	nc, err := c.dialer.DialContext(dialCtx, c.Network, c.addr)
	if err != nil {
		return conn.Fail(ctx, begin, conn.Unreachable, err)
	}
	defer nc.Close()
	// Reads and writes do not know contexts: the end of ctx cuts them off.
	stop := context.AfterFunc(dialCtx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	stream := nc
	var state *tls.ConnectionState
	if c.tls != nil {
		trace.StartTLS()
		t := tls.Client(nc, c.tls)
		if err := t.HandshakeContext(dialCtx); err != nil {
			return conn.Fail(ctx, begin, conn.ConnectionError, fmt.Errorf("TLS: %w", err), c.failed(&trace, err, begin)...)
		}
		trace.EndTLS()
		s := t.ConnectionState()
		stream, state = t, &s
	}
	var g check.Grade
	err = c.talk(stream, &g)
	if err == nil && errors.Is(ctx.Err(), context.Canceled) {
		err = ctx.Err() // what was read is cut short by us
	}
	if err != nil {
		return conn.Fail(ctx, begin, conn.ConnectionError, err, trace.Metrics(nil, time.Time{})...)
	}
	return c.grade(begin, &trace, state, &g), nil
}

// failed gives the metrics of a run whose handshake failed.
func (c *command) failed(trace *conn.Trace, err error, now time.Time) []check.Metric {
	ms := trace.Metrics(nil, time.Time{})
	if days, ok := conn.FailedCertDays(err, now); ok {
		ms = append(ms, check.Gauge("cert_days", days, "days"))
	}
	return ms
}

// talk sends and waits for the expected answer. An answer that ended without
// it is a finding, an answer that did not come is an error.
func (c *command) talk(stream net.Conn, g *check.Grade) error {
	if c.Send != "" {
		if _, err := io.WriteString(stream, c.Send); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if c.expect == nil {
		return nil
	}
	buf := make([]byte, 0, 4<<10)
	for reads := 1; ; reads++ {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		n, err := stream.Read(buf[len(buf):min(cap(buf), maxAnswer)])
		buf = buf[:len(buf)+n]
		ended := err != nil || len(buf) == maxAnswer
		if (reads <= maxMatches || ended) && c.expect.Match(buf) {
			return nil
		}
		if !ended {
			continue
		}
		if len(buf) == 0 && !errors.Is(err, io.EOF) {
			return fmt.Errorf("no answer: %w", err)
		}
		const shown = 80 // bytes, enough for people to see what it was
		g.Add(check.StateCrit, conn.UnexpectedResp, fmt.Sprintf("answer %q does not match %q", buf[:min(len(buf), shown)], c.Expect))
		return nil
	}
}

func (c *command) grade(begin time.Time, trace *conn.Trace, state *tls.ConnectionState, g *check.Grade) check.Result {
	end := time.Now()
	took := end.Sub(begin)
	ms := append(trace.Metrics(make([]check.Metric, 0, 5), time.Time{}), check.Seconds("resp_seconds", took))
	if days, ok := conn.CertDays(state, end); ok {
		ms = append(ms, check.Gauge("cert_days", days, "days"))
		conn.GradeCert(g, days, c.CertWarnDays, c.CertCritDays)
	}
	conn.RespTime(g, took, c.RespWarn, c.RespCrit)
	what := "connected in "
	if c.expect != nil {
		what = "answered in "
	}
	g.Add(check.StateOK, "", what+took.Round(time.Microsecond).String())
	return g.Result(begin, ms)
}
