package worker

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// fleetEvery is the pace of looks at the heartbeats of all workers.
const fleetEvery = 3 * beatEvery

// share is the delivery of one lane's changes to one handler.
type share struct {
	lane    check.Lane
	handler string
}

// shares say which worker is to deliver what, so that the work is spread over
// the fleet. All workers come to the same answer from the same heartbeats; who
// really delivers is decided by the queue.
type shares struct {
	all, others map[share]string // with this worker, and without it
	seen        time.Time        // the heartbeats say so since then at least
}

// of tells who is to deliver what this worker delivers since an instant; empty
// when that is not known. Who just got it from another worker may not know yet
// that this one ends.
func (s *shares) of(lane check.Lane, handler string, since time.Time) string {
	if s == nil || s.seen.Before(since) {
		return ""
	}
	return s.all[share{lane, handler}]
}

// after tells who is to deliver when this worker ends; empty: nobody else.
func (s *shares) after(lane check.Lane, handler string) string {
	if s == nil {
		return ""
	}
	return s.others[share{lane, handler}]
}

// watchFleet keeps the shares up to date until ctx ends. They count when two
// looks in a row saw the same.
func (d *deliverer) watchFleet(ctx context.Context, p phases) {
	var before map[share]string
	var looked time.Time
	for pause(ctx, jitter(fleetEvery)) {
		if d.w.beatsOld() {
			continue
		}
		crew, err := d.w.present(p.queue, d.out)
		if err != nil {
			d.w.away.note("read heartbeats", err)
			continue
		}
		d.w.away.passed("read heartbeats")
		lanes := *d.w.lanes.Load()
		now := spread(lanes, crew)
		same := maps.Clone(now)
		maps.DeleteFunc(same, func(s share, name string) bool { return before[s] != name })
		d.fleet.Store(&shares{same, spread(lanes, without(crew, d.w.cfg.Name)), looked})
		before, looked = now, time.Now()
	}
}

// present gives the workers that are live by the queue's clock, by name.
func (w *Worker) present(ctx context.Context, r crewReader) ([]check.Heartbeat, error) {
	beats, err := r.Workers(ctx)
	if err != nil {
		return nil, err
	}
	now, err := w.cfg.Queue.Now(ctx)
	if err != nil {
		return nil, err
	}
	return live(beats, now), nil
}

// live gives those of the workers that are live at a time, unix ms, by name.
func live(beats []check.Heartbeat, now int64) []check.Heartbeat {
	out := slices.DeleteFunc(slices.Clone(beats), func(b check.Heartbeat) bool { return !b.LiveAt(now) })
	slices.SortFunc(out, func(a, b check.Heartbeat) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// without gives all workers but one.
func without(crew []check.Heartbeat, name string) []check.Heartbeat {
	return slices.DeleteFunc(slices.Clone(crew), func(b check.Heartbeat) bool { return b.Name == name })
}

// spread gives each share of the lanes to a worker that serves the zone and has
// the handler. In each zone nobody has more than his part, if others can do it.
func spread(lanes []check.Lane, workers []check.Heartbeat) map[share]string {
	out := map[share]string{}
	zones := map[string][]check.Lane{}
	for _, l := range lanes {
		zones[l.Zone] = append(zones[l.Zone], l)
	}
	for zone, lanes := range zones {
		can := candidates(zone, workers)
		able := map[string]bool{}
		for _, names := range can {
			for _, name := range names {
				able[name] = true
			}
		}
		if len(able) == 0 {
			continue
		}
		most := (len(lanes)*len(can) + len(able) - 1) / len(able)
		load := map[string]int{}
		for _, h := range slices.Sorted(maps.Keys(can)) {
			for _, l := range lanes {
				s := share{l, h}
				name := choose(s, can[h], load, most)
				load[name]++
				out[s] = name
			}
		}
	}
	return out
}

// candidates gives the workers of a zone that have each handler. One whose own
// network is down there counts only where there is no other.
func candidates(zone string, workers []check.Heartbeat) map[string][]string {
	can, cutOff := map[string][]string{}, map[string][]string{}
	for _, w := range workers {
		if !slices.Contains(w.Zones, zone) {
			continue
		}
		to := can
		if slices.ContainsFunc(w.Incidents, func(id string) bool { return strings.HasPrefix(id, zone+"/") }) {
			to = cutOff
		}
		for _, h := range w.Delivers {
			to[h] = append(to[h], w.Name)
		}
	}
	for h, names := range cutOff {
		if can[h] == nil {
			can[h] = names
		}
	}
	return can
}

// choose takes the worker with the highest hash that has less than its part,
// else the one that has least: few shares move when a worker comes or goes.
func choose(s share, names []string, load map[string]int, most int) string {
	best, high := "", uint64(0)
	least := names[0]
	for _, name := range names {
		if load[name] < load[least] {
			least = name
		}
		if h := weight(s, name); load[name] < most && (best == "" || h > high) {
			best, high = name, h
		}
	}
	if best == "" {
		return least
	}
	return best
}

// weight is a number of a share and a worker that looks like chance.
func weight(s share, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.lane.String() + "\x00" + s.handler + "\x00" + name)) // it never fails
	x := h.Sum64()
	x ^= x >> 33 // the last letters alone hardly reach the upper bits
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
