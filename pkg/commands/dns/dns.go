// Package dns is the command that asks a DNS server for a name and looks at
// what it answers.
package dns

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// The reasons of this command, beside conn's.
const (
	queryFailure = "DNS_QRY_FAILURE"    // no usable answer, or a response code that says so
	timedOut     = "CONNECTION_TIMEOUT" // no answer in time
)

const (
	plainPort  = 53
	tlsPort    = 853 // RFC 7858
	maxTries   = 5
	maxExpect  = 64
	maxShown   = 5 // records in the text of a result
	expectSize = 4 << 10
)

// Params are the settings of a check with this command.
type Params struct {
	Server string `json:"server"`
	// Port is 53 when it is 0, or 853 with TLS.
	Port int `json:"port"`
	// Transport is udp (a cut answer is asked for again over TCP), tcp or tls.
	Transport string `json:"transport"`
	// Name is asked for; an address with the type PTR means its reverse name.
	Name string `json:"name"`
	Type string `json:"type"`
	// Recurse asks the server to look the name up elsewhere.
	Recurse bool `json:"recurse"`
	// Expect are values of which all must be among the answers.
	Expect []string `json:"expect"`
	// Rcode is the response code that is expected; empty means NOERROR and at
	// least one answer.
	Rcode   string         `json:"rcode"`
	Timeout check.Duration `json:"timeout"`
	// Tries is how often the question is sent over UDP within Timeout.
	Tries int `json:"tries"`
	// RespWarn and RespCrit bound the time to the answer; 0 is off.
	RespWarn check.Duration `json:"resp_warn"`
	RespCrit check.Duration `json:"resp_crit"`
	// The rest is for TLS.
	VerifyTLS  bool   `json:"verify_tls"`
	ServerName string `json:"server_name"`
	CA         string `json:"ca"`
}

// Defaults are the params of a check that says nothing.
func Defaults() Params {
	return Params{
		Transport: "udp", Type: "A", Recurse: true, Tries: 2, VerifyTLS: true,
		Timeout: check.Duration(5 * time.Second),
	}
}

type command struct {
	Params
	addr     string
	codec    codec
	question question
	message  []byte // the packed question with the id 0
	expect   []string
	dialer   *net.Dialer
	tls      *tls.Config // nil without TLS
	buffers  sync.Pool   // of *[maxDatagram]byte
}

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		if p.Port == 0 {
			p.Port = plainPort
			if p.Transport == "tls" {
				p.Port = tlsPort
			}
		}
		if err := p.validate(); err != nil {
			return nil, err
		}
		c := &command{Params: p, addr: conn.HostPort(p.Server, p.Port), codec: miekg{}, dialer: t.Dialer()}
		c.question = question{name: p.Name, kind: p.Type, recurse: p.Recurse}
		if p.Type == "PTR" {
			c.question.name = reverse(p.Name)
		}
		var err error
		if c.message, err = c.codec.pack(c.question); err != nil {
			return nil, conn.Fault("name", "%v", err)
		}
		for _, value := range p.Expect {
			c.expect = append(c.expect, normal(p.Type, value))
		}
		if p.Transport == "tls" {
			name := p.ServerName
			if name == "" {
				name = p.Server
			}
			c.tls, err = conn.TLS{ServerName: name, Verify: p.VerifyTLS, CA: p.CA}.Config()
		}
		return c, err
	}
}

func (p Params) validate() error {
	faults := []error{
		conn.CheckHost("server", p.Server),
		conn.CheckPort("port", p.Port),
		conn.CheckTimeout("timeout", p.Timeout),
	}
	if !slices.Contains([]string{"udp", "tcp", "tls"}, p.Transport) {
		faults = append(faults, conn.Fault("transport", "%.64q, want udp, tcp or tls", p.Transport))
	}
	if _, ok := kinds[p.Type]; !ok {
		faults = append(faults, conn.Fault("type", "%.64q, want A, AAAA, CNAME, MX, TXT, PTR, NS, SOA, SRV or CAA", p.Type))
	}
	if p.Name == "" {
		faults = append(faults, conn.Fault("name", "is needed"))
	}
	if p.Rcode != "" && !knownRcode(p.Rcode) {
		faults = append(faults, conn.Fault("rcode", "%.64q, want NOERROR, NXDOMAIN, REFUSED, SERVFAIL, ...", p.Rcode))
	}
	if p.Tries < 1 || p.Tries > maxTries {
		faults = append(faults, conn.Fault("tries", "%d, want 1 to %d", p.Tries, maxTries))
	}
	if p.RespWarn < 0 || p.RespCrit < 0 {
		faults = append(faults, conn.Fault("resp_warn", "and resp_crit: want durations of 0 (off) or more"))
	}
	if len(p.Expect) > maxExpect || slices.ContainsFunc(p.Expect, func(s string) bool { return s == "" || len(s) > expectSize }) {
		faults = append(faults, conn.Fault("expect", "want at most %d values of 1 to %d bytes", maxExpect, expectSize))
	}
	if p.ServerName != "" {
		faults = append(faults, conn.CheckHost("server_name", p.ServerName))
	}
	if p.Transport != "tls" && (p.ServerName != "" || p.CA != "") {
		faults = append(faults, conn.Fault("transport", "server_name and ca need tls"))
	}
	return errors.Join(faults...)
}

// Target is the server that is asked.
func (c *command) Target() string { return c.Server }

// Run asks and grades.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, c.Timeout.D())
	defer cancel()
	a, err := c.exchange(limited)
	took := time.Since(begin)
	if err != nil {
		reason := queryFailure
		if isTimeout(err) {
			reason = timedOut
			err = conn.At(c.addr, err)
		}
		return conn.Fail(ctx, begin, reason, err)
	}
	var g check.Grade
	c.grade(a, &g)
	conn.RespTime(&g, took, c.RespWarn, c.RespCrit)
	g.Add(check.StateOK, "", summary(a))
	res := g.Result(begin, []check.Metric{
		check.Seconds("resp_seconds", took),
		check.Gauge("answers", float64(len(a.records)), ""),
	})
	res.Clean()
	return res, nil
}

// isTimeout says whether err is about time; so are reads that a context's end
// has cut off.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// grade compares the answer with what was expected.
func (c *command) grade(a answer, g *check.Grade) {
	switch {
	case c.Rcode == "" && a.rcode != "NOERROR":
		g.Add(check.StateCrit, queryFailure, "the server answered "+a.rcode)
	case c.Rcode != "" && a.rcode != c.Rcode:
		g.Add(check.StateCrit, conn.UnexpectedResp, fmt.Sprintf("the server answered %s, want %s", a.rcode, c.Rcode))
	case c.Rcode == "" && len(a.records) == 0:
		g.Add(check.StateCrit, conn.UnexpectedResp, fmt.Sprintf("%s has no record of type %s", c.Name, c.Type))
	}
	if missing := c.missing(a); len(missing) > 0 {
		g.Add(check.StateCrit, conn.UnexpectedResp, fmt.Sprintf("missing %s among %s", strings.Join(missing, ", "), summary(a)))
	}
}

// missing gives the expected values that are not among the answers.
func (c *command) missing(a answer) (missing []string) {
	for _, want := range c.expect {
		if !slices.ContainsFunc(a.records, func(r record) bool { return slices.Contains(r.forms, want) }) {
			missing = append(missing, want)
		}
	}
	return missing
}

// normal brings an expected value into the shape of record.forms.
func normal(kind, value string) string {
	switch kind {
	case "A", "AAAA":
		if a, err := netip.ParseAddr(value); err == nil {
			return a.String()
		}
		return value
	case "TXT":
		return value
	case "CAA":
		return strings.ReplaceAll(strings.Join(strings.Fields(value), " "), `"`, "")
	}
	fields := strings.Fields(strings.ToLower(value))
	for i, f := range fields {
		if f != "." {
			fields[i] = strings.TrimSuffix(f, ".")
		}
	}
	return strings.Join(fields, " ")
}

// summary lists the first records.
func summary(a answer) string {
	if len(a.records) == 0 {
		return a.rcode + ", no records"
	}
	var shown []string
	for _, r := range a.records[:min(len(a.records), maxShown)] {
		shown = append(shown, r.forms[0])
	}
	text := strings.Join(shown, ", ")
	if more := len(a.records) - maxShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
