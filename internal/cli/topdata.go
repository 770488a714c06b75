package cli

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

const (
	// topLanes is how many lanes one look reads: of more, the others follow
	// in turn. topResults is how many results it reads of all of them together.
	topLanes   = 64
	topResults = 2000
	// topFirst is how many pages of incidents the first look at a lane reads;
	// later ones read one each.
	topFirst = 20
	// topKept is how many results are remembered, and topFresh for how long
	// they count.
	topKept  = 5000
	topFresh = time.Minute
)

// laneGlance is what the latest look at a lane gave.
type laneGlance struct {
	check.Stats
	checks int64
	cursor uint64 // of incidents
	last   string // the newest result that was seen
	rate   float64
	// open are incidents by id; seen those of the round of pages that goes on.
	open map[string]incidentRow
	seen map[string]bool
}

// topData is what `top` knows of a fleet. Looks at Redis are bounded: none reads
// a whole hash of checks or incidents.
type topData struct {
	now     int64 // of Redis, unix ms
	zones   []string
	lanes   map[check.Lane]*laneGlance
	turn    int // where the next look at many lanes begins
	workers []workerRow
	events  []check.Event // newest first
}

func newTopData() *topData { return &topData{lanes: map[check.Lane]*laneGlance{}} }

// look reads what has changed.
func (d *topData) look(ctx context.Context, conn *connection, zone string) error {
	now, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	beats, err := conn.Workers(ctx)
	if err != nil {
		return err
	}
	lanes, err := conn.Lanes(ctx)
	if err != nil {
		return err
	}
	d.now, d.workers = now, nil
	for _, hb := range beats {
		d.workers = append(d.workers, newWorkerRow(hb, now))
	}
	lanes = d.keepLanes(lanes, zone)
	for range min(len(lanes), topLanes) {
		lane := lanes[d.turn%len(lanes)]
		d.turn++
		if err := d.lookAt(ctx, conn, lane, max(topResults/min(len(lanes), topLanes), 20)); err != nil {
			return err
		}
	}
	slices.SortStableFunc(d.events, func(x, y check.Event) int { return int(min(max(y.Finished-x.Finished, -1), 1)) })
	d.events = d.events[:min(len(d.events), topKept)]
	return nil
}

// keepLanes notes the zones that there are, forgets lanes that are gone, and
// gives those of the zone, of all without one.
func (d *topData) keepLanes(all []check.Lane, zone string) []check.Lane {
	d.zones = nil
	var lanes []check.Lane
	for _, lane := range all {
		if !slices.Contains(d.zones, lane.Zone) {
			d.zones = append(d.zones, lane.Zone)
		}
		if zone == "" || lane.Zone == zone {
			lanes = append(lanes, lane)
		}
	}
	for lane := range d.lanes {
		if !slices.Contains(lanes, lane) {
			delete(d.lanes, lane)
		}
	}
	return lanes
}

func (d *topData) lookAt(ctx context.Context, conn *connection, lane check.Lane, count int) error {
	l := d.lanes[lane]
	if l == nil {
		l = &laneGlance{open: map[string]incidentRow{}, seen: map[string]bool{}}
		d.lanes[lane] = l
	}
	since := (redisqueue.ResultEntry{SID: l.last}).Committed()
	g, err := conn.Glance(ctx, lane, l.cursor, since, count)
	if err != nil {
		return err
	}
	l.Stats, l.checks = g.Stats, g.Checks
	l.takeIncidents(lane, g)
	for page := 1; l.last == "" && l.cursor != 0 && page < topFirst; page++ {
		more, err := conn.Glance(ctx, lane, l.cursor, d.now, 1)
		if err != nil {
			return err
		}
		l.takeIncidents(lane, more)
	}
	fresh := g.Results
	if i := slices.IndexFunc(fresh, func(e redisqueue.ResultEntry) bool { return e.SID == l.last }); i >= 0 {
		fresh = fresh[:i]
	}
	l.takeRate(fresh, since, d.now, len(fresh) == count)
	if len(fresh) > 0 {
		l.last = fresh[0].SID
	}
	events := parseEvents(fresh, func(*check.Event) bool { return true })
	for _, ev := range slices.Backward(events) {
		l.takeChange(lane, &ev)
	}
	d.events = append(d.events, events...)
	return nil
}

// takeRate counts results a second: of the time since the last look, or when
// not all of it was read or there was none, of the time that the read ones cover.
func (l *laneGlance) takeRate(fresh []redisqueue.ResultEntry, since, now int64, full bool) {
	if len(fresh) == 0 {
		l.rate = 0
		return
	}
	if since == 0 || full {
		since = fresh[len(fresh)-1].Committed()
	}
	l.rate = float64(len(fresh)) / max(float64(now-since)/1000, 0.1) // the clock may have been set back
}

// takeIncidents notes a page of incidents. Those that no page of a whole round
// had are gone.
func (l *laneGlance) takeIncidents(lane check.Lane, g redisqueue.Glance) {
	for _, e := range g.Incidents {
		r, ok := newIncidentRow(lane, e)
		switch {
		case !ok && e.Incident == "" && e.Ack != "":
			if open, there := l.open[e.ID]; there && json.Valid([]byte(e.Ack)) {
				open.Ack = json.RawMessage(e.Ack)
				l.open[e.ID] = open
			}
		case !ok || r.Resolved != 0:
			delete(l.open, e.ID)
		default:
			if len(r.Ack) == 0 {
				r.Ack = l.open[e.ID].Ack
			}
			l.open[e.ID], l.seen[e.ID] = r, true
		}
	}
	if l.cursor = g.Next; l.cursor == 0 {
		for id := range l.open {
			if !l.seen[id] {
				delete(l.open, id)
			}
		}
		clear(l.seen)
	}
}

// takeChange notes at once what a result did to an incident.
func (l *laneGlance) takeChange(lane check.Lane, ev *check.Event) {
	if ev.Incident == nil || ev.Change == check.ChangeNone {
		return
	}
	if ev.Incident.Resolved != 0 {
		delete(l.open, ev.Incident.ID)
		return
	}
	l.open[ev.Incident.ID] = incidentRow{Incident: *ev.Incident, Zone: lane.Zone, Check: ev.Check.ID, Ack: l.open[ev.Incident.ID].Ack}
	l.seen[ev.Incident.ID] = true
}
