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

// laneSet holds the zones and lanes that this scheduler has seen. A lane that
// is no longer listed keeps its loop, since checks may still be in it: while
// its zone is being moved, or when the list of zones was lost.
type laneSet struct {
	look chan struct{} // asks for a look at the list before its time

	mu    sync.Mutex
	zones map[string]check.Zone // guarded by mu
	known map[check.Lane]bool   // guarded by mu; false: not in the list now
}

func newLaneSet() laneSet {
	return laneSet{look: make(chan struct{}, 1), zones: map[string]check.Zone{}, known: map[check.Lane]bool{}}
}

// soon has the list of lanes read at once.
func (l *laneSet) soon() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// update takes the list over. It gives the lanes that were not known before,
// in order, and the zones that were lost: they are missing, or stand there
// otherwise without a newer version.
func (l *laneSet) update(list map[string]check.Zone) (added []check.Lane, lost map[string]check.Zone) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, z := range list {
		if old, ok := l.zones[name]; !ok || z.Version > old.Version {
			l.zones[name] = z
		}
	}
	for lane := range l.known {
		l.known[lane] = false
	}
	lost = map[string]check.Zone{}
	for name, z := range l.zones {
		if list[name] != z {
			lost[name] = z
		}
		for part := range max(z.Partitions, 1) {
			lane := check.Lane{Zone: name, Part: part}
			if _, ok := l.known[lane]; !ok {
				added = append(added, lane)
			}
			l.known[lane] = true
		}
	}
	slices.SortFunc(added, compareLanes)
	return added, lost
}

// listed tells whether a lane is in the list, and how many are known.
func (l *laneSet) listed(lane check.Lane) (listed bool, known int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[lane], len(l.known)
}

// zone tells whether a zone is known, and how many are.
func (l *laneSet) zone(name string) (known bool, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known = l.zones[name]
	return known, len(l.zones)
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
	t := s.trouble("lanes")
	for ctx.Err() == nil {
		added, err := s.findLanes(work)
		for _, lane := range added {
			s.log.InfoContext(ctx, "lane found", "lane", lane.String())
			wg.Go(func() { s.dispatchLane(ctx, work, lane) })
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
		if !live(&beats[i], time.UnixMilli(now)) {
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

// findLanes reads the list of zones and writes back what was lost from it. It
// gives the lanes that were not known before, with an error too.
func (s *Scheduler) findLanes(ctx context.Context) ([]check.Lane, error) {
	list, err := s.q.Zones(ctx)
	if err != nil {
		return nil, err
	}
	s.alive()
	if len(list) == 0 && len(s.lanes.all()) == 0 {
		// A new fleet: its first stream is to be there before an autoscaler looks.
		if err := s.q.EnterZone(ctx, check.DefaultZone); err != nil {
			return nil, err
		}
		if list, err = s.q.Zones(ctx); err != nil {
			return nil, err
		}
	}
	added, lost := s.lanes.update(list)
	for name, z := range lost {
		s.log.ErrorContext(ctx, "zone was lost from the list of zones", "zone", name, "partitions", z.Partitions)
		s.hooks.Repaired(check.Lane{Zone: name}, "", kindZoneLost)
		if err := s.q.RestoreZone(ctx, name, z); err != nil {
			return added, err
		}
	}
	return added, s.enterNews(ctx)
}
