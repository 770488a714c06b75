// Package sqlcheck holds what the commands that query a data base have in
// common: their params, their limits and how they grade.
package sqlcheck

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// The reasons of these commands, beside conn's.
const (
	QueryFailure = "SQL_QRY_FAILURE"    // the server refuses, or the query fails or takes too long
	OutOfRange   = "VALUE_OUT_OF_RANGE" // the value breaks a threshold that names no reason of its own
)

// Bounds of an answer.
const (
	MaxRows  = 10_000
	MaxBytes = 4 << 20 // of all that the server sends
	maxQuery = 32 << 10
	maxShown = 256 // bytes of a cell that are kept
)

// Params are the settings that these commands share.
type Params struct {
	Host     string       `json:"host"`
	Port     int          `json:"port"`
	User     string       `json:"user"`
	Password tools.Secret `json:"password"`
	DB       string       `json:"db"`
	// Query is one statement; it runs in a transaction that may only read.
	Query   string         `json:"query"`
	Timeout check.Duration `json:"timeout"`
	// RespWarn and RespCrit bound the whole run; 0 is off.
	RespWarn check.Duration `json:"resp_warn"`
	RespCrit check.Duration `json:"resp_crit"`
	// Value bounds the first cell of the first row.
	Value check.Limits `json:"value"`
	// TLS is demanded of the server; the rest is about its certificate.
	TLS        bool   `json:"tls"`
	VerifyTLS  bool   `json:"verify_tls"`
	ServerName string `json:"server_name"`
	CA         string `json:"ca"`
}

// Defaults are the params of a check that says nothing; port is the usual one.
func Defaults(port int) Params {
	return Params{
		Port: port, Query: "SELECT 1", VerifyTLS: true,
		Timeout:  check.Duration(30 * time.Second),
		RespWarn: check.Duration(5 * time.Second),
		RespCrit: check.Duration(15 * time.Second),
	}
}

func (p Params) validate() error {
	faults := []error{
		conn.CheckHost("host", p.Host),
		conn.CheckPort("port", p.Port),
		conn.CheckTimeout("timeout", p.Timeout),
		checkText("user", p.User, 128, true),
		checkText("db", p.DB, 128, false),
		checkText("query", p.Query, maxQuery, true),
	}
	if p.RespWarn < 0 || p.RespCrit < 0 {
		faults = append(faults, conn.Fault("resp_warn", "and resp_crit: want durations of 0 (off) or more"))
	}
	if p.ServerName != "" {
		faults = append(faults, conn.CheckHost("server_name", p.ServerName))
	}
	if !p.TLS && (p.ServerName != "" || p.CA != "") {
		faults = append(faults, conn.Fault("tls", "server_name and ca need it"))
	}
	return errors.Join(faults...)
}

func checkText(field, text string, limit int, needed bool) error {
	switch {
	case needed && text == "":
		return conn.Fault(field, "is needed")
	case len(text) > limit || !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return conn.Fault(field, "want at most %d bytes of UTF-8 without NUL", limit)
	}
	return nil
}

// Session is all that a driver needs for one run.
type Session struct {
	Params
	Addr     string // host:port
	Password string
	TLS      *tls.Config // nil without TLS
	// Dial connects through the worker's guard, and reads at most MaxBytes.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Left is how long the statement may take on the server.
	Left time.Duration
}

// Reply is what a query gave.
type Reply struct {
	Rows int
	More bool // there are more than MaxRows
	// First is the first cell of the first row; nil when there is none or it
	// is NULL.
	First *string
}

// Ask connects, queries and disconnects. Its error is a *ConnectError when
// there was no answer of a data base at all. It obeys ctx.
type Ask func(ctx context.Context, s Session) (Reply, error)

// ConnectError says that no connection came about.
type ConnectError struct{ Err error }

// Error says what was in the way.
func (e *ConnectError) Error() string { return "connect: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// New makes a constructor of commands.
func New(t tools.Tools, ask Ask) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		if err := p.validate(); err != nil {
			return nil, err
		}
		if p.Value.Reason == "" {
			p.Value.Reason = OutOfRange
		}
		c := &command{Params: p, tools: t, ask: ask}
		if p.TLS {
			name := p.ServerName
			if name == "" {
				name = p.Host
			}
			var err error
			if c.tls, err = (conn.TLS{ServerName: name, Verify: p.VerifyTLS, CA: p.CA}).Config(); err != nil {
				return nil, err
			}
		}
		return c, nil
	}
}

type command struct {
	Params
	tools tools.Tools
	ask   Ask
	tls   *tls.Config // nil without TLS
}

// Target is the host that is asked.
func (c *command) Target() string { return c.Host }

// Run asks and grades, on a connection of its own.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	if err := ctx.Err(); err != nil {
		return check.Result{}, err
	}
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, c.Timeout.D())
	defer cancel()
	s := Session{Params: c.Params, Addr: conn.HostPort(c.Host, c.Port), TLS: c.tls, Dial: dialer(limited, c.tools)}
	end, _ := limited.Deadline()
	s.Left = max(time.Until(end), time.Millisecond)
	if !c.Params.Password.IsZero() {
		var err error
		if s.Password, err = c.tools.Secret(c.Params.Password, c.Host); err != nil {
			return check.Result{}, err
		}
	}
	r, err := c.guarded(limited, s)
	took := time.Since(begin)
	if err != nil {
		reason := QueryFailure
		var noConn *ConnectError
		if errors.As(err, &noConn) {
			reason = conn.Unreachable
		}
		if cause := limited.Err(); cause != nil {
			// Drivers hide it, and where they were.
			err = conn.At(s.Addr, fmt.Errorf("%w: %w", cause, err))
		}
		return conn.Fail(ctx, begin, reason, err)
	}
	return c.grade(begin, took, r), nil
}

// guarded asks by a driver that may panic over answers that make no sense, as
// the one for MySQL does. What it had dialed is closed then; a goroutine that
// the driver had started may stay.
func (c *command) guarded(ctx context.Context, s Session) (r Reply, err error) {
	dial := s.Dial
	var open []net.Conn
	s.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err == nil {
			open = append(open, nc)
		}
		return nc, err
	}
	defer func() {
		if p := recover(); p != nil {
			for _, nc := range open {
				_ = nc.Close() // nothing of it is used any more
			}
			r, err = Reply{}, fmt.Errorf("the server's answers make no sense: %v", p)
		}
	}()
	return c.ask(ctx, s)
}

// dialer gives the dial function of one run. When ctx is over it refuses, so
// that no driver opens connections behind our back.
func dialer(ctx context.Context, t tools.Tools) func(context.Context, string, string) (net.Conn, error) {
	d := t.Dialer()
	return func(dialCtx context.Context, network, addr string) (net.Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		nc, err := d.DialContext(dialCtx, network, addr)
		if err != nil {
			return nil, err
		}
		return &thrifty{Conn: nc, left: MaxBytes}, nil
	}
}

// thrifty reads no more than left bytes.
type thrifty struct {
	net.Conn
	left int
}

var errTooMuch = fmt.Errorf("the server sent more than %d bytes", MaxBytes)

// Read reads, up to the limit.
func (t *thrifty) Read(p []byte) (int, error) {
	if t.left <= 0 {
		return 0, errTooMuch
	}
	n, err := t.Conn.Read(p[:min(len(p), t.left)])
	t.left -= n
	return n, err
}

// grade turns an answer into a Result.
func (c *command) grade(begin time.Time, took time.Duration, r Reply) check.Result {
	ms := []check.Metric{check.Seconds("resp_seconds", took), check.Gauge("rows", float64(r.Rows), "")}
	text := fmt.Sprintf("%d rows", r.Rows)
	if r.Rows == 1 {
		text = "1 row"
	}
	if r.More {
		text = fmt.Sprintf("more than %d rows", MaxRows)
	}
	number := math.NaN()
	if r.First == nil && r.Rows > 0 {
		text += ", the first cell is NULL"
	}
	if r.First != nil {
		text = fmt.Sprintf("%s, the first cell is %.80q", text, *r.First)
		if f, err := strconv.ParseFloat(strings.TrimSpace(*r.First), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			number = f
			ms = append(ms, check.Gauge("value", f, ""))
		} else {
			ms = append(ms, check.String("value", *r.First))
		}
	}
	var g check.Grade
	state, reason := c.Value.Grade(number)
	if state != check.StateOK {
		g.Add(state, reason, text)
	}
	conn.RespTime(&g, took, c.RespWarn, c.RespCrit)
	g.Add(check.StateOK, "", text)
	res := g.Result(begin, ms)
	res.Clean()
	return res
}

// Cell keeps the beginning of a cell's text.
func Cell(text string) *string {
	if len(text) > maxShown {
		text = text[:maxShown]
	}
	return &text
}
