package ping

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/icmp"
)

// The reasons of this command.
const (
	reasonUnreachable = conn.Unreachable
	reasonLoss        = "PKT_LOSS_HIGH"
	reasonLatency     = "LATENCY_HIGH"
	reasonJitter      = "JITTER_HIGH"
)

// figures are what is computed of the round trips.
type figures struct {
	loss                    float64 // percent
	avg, min, max, p50, p95 time.Duration
	jitter                  time.Duration // with two round trips or more
}

// compute sorts rtts. At least one packet was sent.
func compute(sent int, rtts []time.Duration) (f figures) {
	n := len(rtts)
	f.loss = 100 * float64(sent-n) / float64(sent)
	if n == 0 {
		return f
	}
	slices.Sort(rtts)
	var sum float64
	for _, d := range rtts {
		sum += float64(d)
	}
	mean := sum / float64(n)
	f.avg, f.min, f.max = time.Duration(math.Round(mean)), rtts[0], rtts[n-1]
	f.p50, f.p95 = rank(rtts, 50), rank(rtts, 95)
	if n > 1 {
		var squares float64
		for _, d := range rtts {
			squares += (float64(d) - mean) * (float64(d) - mean)
		}
		f.jitter = time.Duration(math.Round(math.Sqrt(squares / float64(n-1))))
	}
	return f
}

// rank gives the p-th percentile by nearest rank: the smallest value that p
// percent of all do not exceed.
func rank(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)*p+99)/100-1]
}

func (f figures) metrics(answered int) []check.Metric {
	ms := make([]check.Metric, 0, 7)
	ms = append(ms, check.Gauge("loss_percent", f.loss, "percent"))
	if answered > 0 {
		ms = append(ms,
			check.Seconds("rtt_avg_seconds", f.avg),
			check.Seconds("rtt_min_seconds", f.min),
			check.Seconds("rtt_max_seconds", f.max),
			check.Seconds("rtt_p50_seconds", f.p50),
			check.Seconds("rtt_p95_seconds", f.p95))
	}
	if answered > 1 {
		ms = append(ms, check.Seconds("jitter_seconds", f.jitter))
	}
	return ms
}

// grade makes the Result of what came back.
func (c *command) grade(at time.Time, addr netip.Addr, rep icmp.Report) check.Result {
	answered := len(rep.RTTs)
	f := compute(rep.Sent, rep.RTTs)
	text := c.describe(addr, rep, f)
	var g check.Grade
	add := func(rule check.Rule, v float64) {
		if state, reason := rule.Above(v); state != check.StateOK {
			g.Add(state, reason, text)
		}
	}
	if answered == 0 {
		g.Add(check.StateCrit, reasonUnreachable, text)
	}
	add(check.Rule{Warn: c.LossWarn, Crit: c.LossCrit, Reason: reasonLoss}, f.loss)
	if answered > 0 {
		add(check.Rule{Warn: seconds(c.AvgWarn), Crit: seconds(c.AvgCrit), Reason: reasonLatency}, f.avg.Seconds())
	}
	if answered > 1 {
		add(check.Rule{Warn: seconds(c.JitterWarn), Crit: seconds(c.JitterCrit), Reason: reasonJitter}, f.jitter.Seconds())
	}
	g.Add(check.StateOK, "", text)
	return g.Result(at, f.metrics(answered))
}

func seconds(d check.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := d.D().Seconds()
	return &s
}

// describe says in one line what came back. It is called for every run, so it
// does without fmt.
func (c *command) describe(addr netip.Addr, rep icmp.Report, f figures) string {
	b := make([]byte, 0, 160)
	count := func(before string, n int, after string) {
		b = append(strconv.AppendInt(append(b, before...), int64(n), 10), after...)
	}
	span := func(before string, d time.Duration) { b = append(append(b, before...), short(d).String()...) }
	count("", len(rep.RTTs), " of ")
	count("", rep.Sent, " packets answered")
	if name := addr.String(); name != c.Host {
		b = append(append(b, " by "...), name...)
	}
	if len(rep.RTTs) > 0 {
		span(", round trip ", f.avg)
		span(" (", f.min)
		span(" to ", f.max)
		b = append(b, ')')
	}
	if len(rep.RTTs) > 1 {
		span(", jitter ", f.jitter)
	}
	for _, odd := range [...]struct {
		n    int
		what string
	}{{rep.Late, " too late"}, {rep.Duplicates, " duplicate"}, {rep.Truncated, " cut short"}} {
		if odd.n > 0 {
			count(", ", odd.n, odd.what)
		}
	}
	if rep.Sent < c.Count {
		count(", ", c.Count-rep.Sent, " not sent: the check's timeout is too short")
	}
	if rep.Faults > 0 {
		b = append(append(b, ": "...), rep.Fault.String()...)
	}
	return string(b)
}

// short rounds to what is worth reading.
func short(d time.Duration) time.Duration {
	switch {
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(100 * time.Nanosecond)
}
