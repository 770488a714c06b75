package scheduler

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// lookForLanes is how often the list of zones is read. A new zone whose first
// check came through this scheduler's intake is found at once.
const lookForLanes = time.Second

// lookForWorkers is how often heartbeats are read for zones that are new.
const lookForWorkers = 5 * time.Second

// laneSet holds the zones and lanes that this scheduler has seen. A zone that is
// missing from the list keeps its lanes: the list was lost. A lane that its zone
// has given up goes.
type laneSet struct {
	look chan struct{} // asks for a look at the list before its time

	mu    sync.Mutex
	zones map[string]seenZone // guarded by mu
	known map[check.Lane]bool // guarded by mu
}

// seenZone is a zone and when this scheduler first saw it as it is.
type seenZone struct {
	check.Zone
	since time.Time
}

func newLaneSet() laneSet {
	return laneSet{look: make(chan struct{}, 1), zones: map[string]seenZone{}, known: map[check.Lane]bool{}}
}

// soon has the list of lanes read at once.
func (l *laneSet) soon() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// laneChanges is what a look at the list of zones found.
type laneChanges struct {
	added, gone []check.Lane // in order
	// lost are zones that are missing, or stand there otherwise without a newer
	// version.
	lost map[string]check.Zone
	// spread are zones whose partitions a hand has changed: they stand here with
	// all the lanes in which checks may be.
	spread map[string]check.Zone
}

// update takes the list over.
func (l *laneSet) update(list map[string]check.Zone, now time.Time) laneChanges {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := laneChanges{lost: map[string]check.Zone{}, spread: map[string]check.Zone{}}
	for name, z := range list {
		old, ok := l.zones[name]
		if ok && z.Version <= old.Version {
			continue
		}
		l.zones[name] = seenZone{z, now}
		other := old.Partitions > 0 && z.Partitions > 0 && z.Partitions != old.Partitions
		if all := max(old.Lanes(), z.Partitions); other && z.Spread < all {
			z.Version, z.Spread = z.Version+1, all
			ch.spread[name] = z
		}
	}
	listed := map[check.Lane]bool{}
	for name, z := range l.zones {
		if list[name] != z.Zone {
			ch.lost[name] = z.Zone
		}
		for part := range z.Lanes() {
			if z.Partitions > 0 {
				listed[check.Lane{Zone: name, Part: part}] = true
			}
		}
	}
	for lane := range listed {
		if !l.known[lane] {
			ch.added = append(ch.added, lane)
		}
	}
	for lane := range l.known {
		if !listed[lane] {
			ch.gone = append(ch.gone, lane)
		}
	}
	l.known = listed
	slices.SortFunc(ch.added, compareLanes)
	slices.SortFunc(ch.gone, compareLanes)
	return ch
}

// count is how many lanes are known.
func (l *laneSet) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.known)
}

// age is for how long this scheduler has known a version of a zone; 0: it has
// yet to see it. A scheduler that looks at no list knows all for ever.
func (l *laneSet) age(name string, version int, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch z, ok := l.zones[name]; {
	case len(l.zones) == 0:
		return time.Hour
	case !ok || z.Version < version:
		return 0
	default:
		return now.Sub(z.since)
	}
}

// zone tells whether a zone is known, and how many are.
func (l *laneSet) zone(name string) (known bool, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.zones[name].Partitions > 0, len(l.zones)
}

// all gives every known lane, in order.
func (l *laneSet) all() []check.Lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Keys(l.known), compareLanes)
}

func compareLanes(a, b check.Lane) int {
	return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Part, b.Part))
}

// watchLanes keeps a dispatch loop going for every lane there is.
func (s *Scheduler) watchLanes(ctx, work context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	loops := map[check.Lane]context.CancelFunc{}
	defer func() {
		for _, end := range loops {
			end()
		}
	}()
	t := s.trouble("lanes")
	for ctx.Err() == nil {
		ch, err := s.findLanes(work)
		for _, lane := range ch.gone {
			s.log.InfoContext(ctx, "lane given up", "lane", lane.String())
			loops[lane]()
			delete(loops, lane)
		}
		for _, lane := range ch.added {
			s.log.InfoContext(ctx, "lane found", "lane", lane.String())
			sub, end := context.WithCancel(ctx)
			loops[lane] = end
			wg.Go(func() { s.dispatchLane(sub, work, lane) })
		}
		if err != nil {
			t.failed(ctx, err)
			continue
		}
		t.passed(ctx)
		select {
		case <-ctx.Done():
		case <-s.lanes.look:
		case <-time.After(jitter(lookForLanes)):
		}
	}
}

// maxZones bounds what heartbeats can make schedulers do.
const maxZones = 1000

// enterNews enters the zones that live workers serve and that nobody knows.
// Workers have no right to write the list.
func (s *Scheduler) enterNews(ctx context.Context) error {
	if time.Since(s.heard) < lookForWorkers {
		return nil
	}
	s.heard = time.Now()
	beats, err := s.q.Workers(ctx)
	if err != nil && replyCode(err) != wrongType {
		return err
	}
	now, err := s.q.Now(ctx)
	if err != nil {
		return err
	}
	news := 0
	for i := range beats {
		if !beats[i].LiveAt(now) {
			continue
		}
		for _, zone := range beats[i].Zones {
			if known, all := s.lanes.zone(zone); known || all+news >= maxZones || !check.ValidZone(zone) {
				continue
			}
			if err := s.q.EnterZone(ctx, zone); err != nil {
				return err
			}
			news++
			s.lanes.soon()
		}
	}
	return nil
}

// findLanes reads the list of zones and writes back what was lost from it. What
// it has found counts, with an error too.
func (s *Scheduler) findLanes(ctx context.Context) (laneChanges, error) {
	list, err := s.q.Zones(ctx)
	if err != nil {
		return laneChanges{}, err
	}
	s.alive()
	if len(list) == 0 && s.lanes.count() == 0 {
		// A new fleet: its first stream is to be there before an autoscaler looks.
		if err := s.q.EnterZone(ctx, check.DefaultZone); err != nil {
			return laneChanges{}, err
		}
		if list, err = s.q.Zones(ctx); err != nil {
			return laneChanges{}, err
		}
	}
	ch := s.lanes.update(list, time.Now())
	s.moves.giveUp(ch.gone, list, time.Now())
	for name, z := range ch.lost {
		s.log.ErrorContext(ctx, "zone was lost from the list of zones", "zone", name, "partitions", z.Partitions)
		s.hooks.Repaired(check.Lane{Zone: name}, "", kindZoneLost)
		if err := s.q.RestoreZone(ctx, name, z); err != nil {
			return ch, err
		}
	}
	for name, z := range ch.spread {
		s.log.InfoContext(ctx, "partitions of a zone were changed by hand", "zone", name, "partitions", z.Partitions, "lanes", z.Spread)
		if _, err := s.q.ChangeZone(ctx, name, z); err != nil {
			return ch, err
		}
		s.lanes.soon()
	}
	if err := s.lookBeyond(ctx, list); err != nil {
		return ch, err
	}
	return ch, s.enterNews(ctx)
}
