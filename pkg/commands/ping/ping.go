// Package ping is the command that sends ICMP echo requests and looks at what
// comes back. All its checks share one engine.
package ping

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/icmp"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Bounds of the params.
const (
	maxCount    = 1000
	minInterval = 10 * time.Millisecond
	maxInterval = time.Minute
	minTimeout  = time.Millisecond
)

const (
	// margin is left between the last packet's timeout and the end of the
	// check's, so that a Result comes about.
	margin = 20 * time.Millisecond
	// shortest is how far a packet's timeout is cut to fit all packets into
	// the check's timeout.
	shortest = 200 * time.Millisecond
	// spare is the most of the check's time that is left to packets that leave
	// later than planned, on a busy host. A tenth of the time is enough.
	spare = time.Second
)

// Params are the settings of a check with this command.
type Params struct {
	Host string `json:"host"`
	// Family is ip, ip4 or ip6.
	Family string `json:"family"`
	// Count packets with Size bytes of data leave, one every Interval. Each
	// waits for Timeout.
	Count    int            `json:"count"`
	Interval check.Duration `json:"interval"`
	Size     int            `json:"size"`
	Timeout  check.Duration `json:"timeout"`
	// TTL and TOS are fields of the IP header; 0 is the system's default.
	TTL int `json:"ttl"`
	TOS int `json:"tos"`
	// LossWarn and LossCrit bound the loss in percent; nil is off.
	LossWarn *float64 `json:"loss_warn"`
	LossCrit *float64 `json:"loss_crit"`
	// The others bound round trips and their jitter; 0 is off.
	AvgWarn    check.Duration `json:"avg_warn"`
	AvgCrit    check.Duration `json:"avg_crit"`
	JitterWarn check.Duration `json:"jitter_warn"`
	JitterCrit check.Duration `json:"jitter_crit"`
}

// Defaults are the params of a check that says nothing.
func Defaults() Params {
	return Params{
		Family:   "ip",
		Count:    5,
		Interval: check.Duration(100 * time.Millisecond),
		Size:     64,
		Timeout:  check.Duration(time.Second),
	}
}

type command struct {
	Params
	tools  tools.Tools
	engine *icmp.Engine
}

// New makes the command with a worker's tools. All commands of one New share
// an engine, which opens its sockets with the first run and has no goroutine
// while there is none.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return newWith(t, icmp.NewEngine(icmp.Options{}))
}

func newWith(t tools.Tools, e *icmp.Engine) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		if err := p.validate(); err != nil {
			return nil, err
		}
		return &command{Params: p, tools: t, engine: e}, nil
	}
}

func (p Params) validate() error {
	faults := []error{conn.CheckHost("host", p.Host)}
	refuse := func(bad bool, field, format string, args ...any) {
		if bad {
			faults = append(faults, conn.Fault(field, format, args...))
		}
	}
	refuse(!slices.Contains([]string{"ip", "ip4", "ip6"}, p.Family), "family", "%.64q, want ip, ip4 or ip6", p.Family)
	refuse(p.Count < 1 || p.Count > maxCount, "count", "%d, want 1 to %d", p.Count, maxCount)
	refuse(p.Interval.D() < minInterval || p.Interval.D() > maxInterval, "interval", "%v, want %v to %v", p.Interval, minInterval, maxInterval)
	refuse(p.Size < icmp.MinSize || p.Size > icmp.MaxSize, "size", "%d, want %d to %d", p.Size, icmp.MinSize, icmp.MaxSize)
	refuse(p.Timeout.D() < minTimeout || p.Timeout.D() > check.MaxTimeout, "timeout", "%v, want %v to %v", p.Timeout, minTimeout, check.MaxTimeout)
	refuse(p.TTL < 0 || p.TTL > 255, "ttl", "%d, want 0 (the system's) to 255", p.TTL)
	refuse(p.TOS < 0 || p.TOS > 255, "tos", "%d, want 0 to 255", p.TOS)
	refuse(noPercentage(p.LossWarn), "loss_warn", "want 0 to 100")
	refuse(noPercentage(p.LossCrit), "loss_crit", "want 0 to 100")
	refuse(p.AvgWarn < 0 || p.AvgCrit < 0, "avg_warn", "and avg_crit: want durations of 0 (off) or more")
	refuse(p.JitterWarn < 0 || p.JitterCrit < 0, "jitter_warn", "and jitter_crit: want durations of 0 (off) or more")
	if len(faults) == 1 && faults[0] == nil {
		long := p.Interval.D()*time.Duration(p.Count-1) + p.Timeout.D()
		refuse(long > check.MaxTimeout, "count", "%d packets take %v, want at most %v", p.Count, long, check.MaxTimeout)
	}
	return errors.Join(faults...)
}

func noPercentage(p *float64) bool { return p != nil && !(*p >= 0 && *p <= 100) }

// Target is the host that is asked.
func (c *command) Target() string { return c.Host }

// Run resolves the host, pings and grades.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	begin := time.Now()
	addr, err := c.tools.Resolve(ctx, c.Family, c.Host)
	if err != nil {
		return conn.Fail(ctx, begin, reasonUnreachable, err)
	}
	req := icmp.Request{
		Addr: addr, Count: c.Count, Interval: c.Interval.D(), Timeout: c.Timeout.D(), Size: c.Size, TTL: c.TTL, TOS: c.TOS,
	}
	if end, ok := ctx.Deadline(); ok {
		req.Until = end.Add(-margin)
		req.Timeout = c.fit(time.Until(req.Until))
		if req.Timeout <= 0 {
			return check.Result{}, context.DeadlineExceeded
		}
	}
	rep, err := c.engine.Ping(ctx, req)
	if err != nil {
		return check.Result{}, err
	}
	return c.grade(begin, addr, rep), nil
}

// fit gives the packets' timeout when the whole run may take no longer than
// left.
func (c *command) fit(left time.Duration) time.Duration {
	want := c.Timeout.D()
	all := left - c.Interval.D()*time.Duration(c.Count-1) - min(max(left/10, margin), spare)
	return min(left, want, max(all, shortest))
}

// Permission says whether one kind of ICMP socket can be opened here.
type Permission = icmp.Permission

// Permissions tries the kinds of ICMP sockets, in the order in which the
// command does. One that works per family is enough.
func Permissions() []Permission { return icmp.Permissions() }
