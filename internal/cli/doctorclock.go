package cli

import (
	"context"
	"slices"
	"time"
)

const (
	clockLooks = 6
	clockPause = 150 * time.Millisecond
	// clockStep is by how much a clock may run unevenly within a second.
	clockStep = 100 * time.Millisecond
	// slowAnswer and slowestAnswer are what checks begin to feel.
	slowAnswer    = 5 * time.Millisecond
	slowestAnswer = 100 * time.Millisecond
)

// clockGap is what looks at another host's clock have told: by how much it is ahead
// of ours, as far as the time that its answers took lets that be known.
type clockGap struct {
	least, most time.Duration
	looks       int
}

// look notes an answer that came between two instants of ours and says ms, which
// the other clock cut off.
func (g *clockGap) look(before, after time.Time, ms int64) {
	least, most := time.UnixMilli(ms).Sub(after), time.UnixMilli(ms+1).Sub(before)
	if g.looks == 0 {
		g.least, g.most = least, most
	}
	g.least, g.most = max(g.least, least), min(g.most, most)
	g.looks++
}

// moved is by how much the clock surely moved between looks; 0 or less: it may
// have stood where it was.
func (g *clockGap) moved() time.Duration { return g.least - g.most }

// apart is by how much the clocks surely differ.
func (g *clockGap) apart() time.Duration { return max(g.least, -g.most, 0) }

// clock compares the server's clock with ours, and with itself. Redis' clock
// alone decides, so a difference harms nothing but the reading of logs; a step
// moves every due time.
func (d *doctor) clock(ctx context.Context) {
	var gap clockGap
	begun := time.Now()
	now := func() time.Time { return begun.Add(time.Since(begun)).Round(0) } // by our monotonic clock
	for range clockLooks {
		before := now()
		ms, err := d.conn.Now(ctx)
		if err != nil {
			d.unlooked("clock", err)
			return
		}
		gap.look(before, now(), ms)
		if sleep(ctx, clockPause) != nil {
			return
		}
	}
	if gap.moved() > clockStep {
		d.warn("clock", advice{"checks run early or late by every step", "look at the clock of Redis' host: NTP that slews, a hypervisor that does not freeze it"},
			"the clock of Redis moved by %s within a second", roughly(gap.moved()))
	}
	if gap.apart() > time.Second {
		d.warn("clock", advice{"redpoll goes by Redis' clock alone, certificates and logs do not", "run NTP on both hosts"},
			"this host and Redis differ by %s", roughly(gap.apart()))
		return
	}
	d.ok("clock", "this host and Redis agree within %s", max(gap.most, -gap.least, time.Millisecond).Round(time.Millisecond))
}

// latency asks many times how long an answer takes.
func (d *doctor) latency(ctx context.Context) {
	var all []time.Duration
	for range 30 {
		before := time.Now()
		if err := d.conn.Client().Ping(ctx).Err(); err != nil {
			d.unlooked("latency", err)
			return
		}
		all = append(all, time.Since(before))
	}
	slices.Sort(all)
	median, slowest := all[len(all)/2], all[len(all)-1]
	if median > slowAnswer || slowest > slowestAnswer {
		d.warn("latency", advice{"checks start later by several answers; leases need many", "run Redis nearer to its workers, on a host that nothing else keeps busy; SLOWLOG GET shows who does"},
			"an answer of Redis takes %s, the slowest of %d took %s", median.Round(10*time.Microsecond), len(all), slowest.Round(10*time.Microsecond))
		return
	}
	d.ok("latency", "an answer of Redis takes %s, the slowest of %d took %s", median.Round(10*time.Microsecond), len(all), slowest.Round(10*time.Microsecond))
}
