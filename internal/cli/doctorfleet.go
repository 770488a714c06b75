package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// lateFrom is for how long a check may be due before doctor calls it late.
const lateFrom = 5 * time.Second

// fleet looks for live schedulers and workers and for checks that wait.
func (d *doctor) fleet(ctx context.Context) {
	d.schedulers(ctx)
	lanes, err := d.conn.Lanes(ctx)
	if err != nil {
		return // told by keys
	}
	now, err := d.conn.Now(ctx)
	if err != nil {
		return // told by clock
	}
	beats, err := d.conn.Workers(ctx)
	if err != nil {
		d.bad("workers", advice{"nobody knows which commands there are", "RENAME " + d.conn.KeyWorkers() + " " + d.conn.KeyWorkers() + ":wrong: workers write it anew"}, "%s", errText(err))
		return
	}
	live := make(map[string][]check.Heartbeat) // by zone
	var names []string
	for _, hb := range beats {
		if !newWorkerRow(hb, now).Live {
			continue
		}
		names = append(names, hb.Name)
		for _, zone := range hb.Zones {
			live[zone] = append(live[zone], hb)
		}
	}
	if len(names) > 0 {
		d.ok("workers", "%d live: %s", len(names), shorten(strings.Join(names, ", "), 80))
	}
	if len(lanes) == 0 && len(names) == 0 {
		d.bad("workers", advice{"nothing runs", "start one: worker -redis URL"}, "no worker is live, and there is no zone yet")
	}
	for zone, part := range byZone(lanes) {
		d.zone(ctx, zone, part, live[zone], now)
		d.deliveries(ctx, zone, part, live[zone], now)
	}
}

func byZone(lanes []check.Lane) map[string][]check.Lane {
	out := make(map[string][]check.Lane)
	for _, l := range lanes {
		out[l.Zone] = append(out[l.Zone], l)
	}
	return out
}

// schedulers looks for the lock of the intake, which its holder renews.
func (d *doctor) schedulers(ctx context.Context) {
	for range 5 {
		n, err := d.conn.Client().Exists(ctx, d.conn.KeyIntakeLock()).Result()
		switch {
		case err != nil:
			d.unlooked("scheduler", err)
			return
		case n > 0:
			d.ok("scheduler", "one applies the intake")
			return
		}
		if sleep(ctx, 300*time.Millisecond) != nil {
			return
		}
	}
	d.bad("scheduler", advice{"no check becomes due, no request is answered", "start one: scheduler -redis URL"}, "no scheduler is live")
}

// zone looks at the lanes of a zone and at who serves it.
func (d *doctor) zone(ctx context.Context, zone string, lanes []check.Lane, live []check.Heartbeat, now int64) {
	c := d.conn
	var checks int64
	var late, queued time.Duration
	for _, lane := range lanes {
		n, err := c.Client().HLen(ctx, c.KeySpecs(lane)).Result()
		if err != nil {
			return // told by keys
		}
		checks += n
		if s, err := c.Stats(ctx, lane); err == nil {
			late = max(late, time.Duration(s.Overdue)*time.Millisecond)
		}
		// Without checks and workers it is what a removed check has left.
		if waited := d.group(ctx, lane, now); n > 0 || len(live) > 0 {
			queued = max(queued, waited)
		}
	}
	what := "zone " + zone
	var offered []string
	for _, hb := range live {
		offered = append(offered, hb.Commands...)
	}
	switch {
	case checks > 0 && len(live) == 0:
		d.bad(what, advice{"they do not run", "start one: worker -redis URL -zones " + zone}, "%s and no live worker", count(int(checks), "check"))
	case late > lateFrom:
		d.bad(what, advice{"what is due is found out late", "start more workers or schedulers; 'redpoll due' shows where it stands, 'redpoll trace' where time goes"}, "a check has been due for %s", roughly(late))
	case queued > lateFrom:
		d.bad(what, advice{"runs start late, those that are too late are left out", "start more workers, or give them more -slots: docs/overload.md has the sum; 'redpoll top' shows who is full"},
			"a check has been queued for %s, and no worker has a slot for it", roughly(queued))
	default:
		d.ok(what, "%s, %s, nothing is late", count(int(checks), "check"), count(len(live), "worker"))
	}
	if len(live) > 0 {
		d.commands(ctx, what, lanes, offered)
	}
}

// group looks for the consumer group of a lane, and tells for how long the
// first entry that no worker has taken waits for one.
func (d *doctor) group(ctx context.Context, lane check.Lane, now int64) time.Duration {
	ready := d.conn.KeyReady(lane)
	groups, err := d.conn.Client().XInfoGroups(ctx, ready).Result()
	if err != nil && !strings.Contains(err.Error(), "no such key") {
		return 0 // a wrong type is told by keys
	}
	for _, g := range groups {
		if g.Name != redisqueue.GroupWorkers {
			continue
		}
		first, err := d.conn.Client().XRangeN(ctx, ready, "("+g.LastDeliveredID, "+", 1).Result()
		if err != nil || len(first) == 0 {
			return 0
		}
		return time.Duration(now-redisqueue.EntryTime(first[0].ID)) * time.Millisecond
	}
	d.warn("lane "+lane.String(), advice{"nobody reads it", "schedulers and workers create it: start them"}, "the stream has no group %q", redisqueue.GroupWorkers)
	return 0
}

// commands looks for checks that no live worker of their zone can run. It
// reads some of them: this is a hint, not a proof.
func (d *doctor) commands(ctx context.Context, what string, lanes []check.Lane, offered []string) {
	missing := make(map[string]string) // command -> a check
	for _, lane := range lanes {
		specs, _, err := d.conn.ScanSpecs(ctx, lane, 0, 1000)
		if err != nil {
			return
		}
		for _, s := range specs {
			if c := parseStored(lane, s).check; c != nil && !slices.Contains(offered, c.Command) {
				missing[c.Command] = c.ID
			}
		}
	}
	for command, id := range missing {
		d.bad(what, advice{"it gives UNKNOWN, NO_COMMAND", "start a worker that offers " + command}, "no live worker offers the command %s of check %s", command, id)
	}
}
