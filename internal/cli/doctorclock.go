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

// clock compares the server's clock with ours, and with itself. Redis' clock
// alone decides, so a difference harms nothing but the reading of logs; a step
// moves every due time.
func (d *doctor) clock(ctx context.Context) {
	var first, most time.Duration // how far the server is ahead
	var took time.Duration
	begun := time.Now()
	for i := range clockLooks {
		before := time.Now()
		ms, err := d.conn.Now(ctx)
		if err != nil {
			d.unlooked("clock", err)
			return
		}
		took = time.Since(before)
		mid := begun.Add(before.Sub(begun) + took/2) // by our monotonic clock
		ahead := time.UnixMilli(ms).Sub(mid.Round(0))
		if i == 0 {
			first = ahead
		}
		most = max(most, (ahead-first).Abs()-took)
		if sleep(ctx, clockPause) != nil {
			return
		}
	}
	if most > clockStep {
		d.warn("clock", advice{"checks run early or late by every step", "look at the clock of Redis' host: NTP that slews, a hypervisor that does not freeze it"},
			"the clock of Redis moved by %s within a second", roughly(most))
	}
	if first.Abs() > time.Second+took {
		d.warn("clock", advice{"redpoll goes by Redis' clock alone, certificates and logs do not", "run NTP on both hosts"},
			"this host and Redis differ by %s", roughly(first.Abs()))
		return
	}
	d.ok("clock", "this host and Redis agree within %s", max(first.Abs().Round(time.Millisecond), time.Millisecond))
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
