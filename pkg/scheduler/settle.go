package scheduler

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// settling is what passes have found of a zone whose checks move.
type settling struct {
	version int
	clean   map[check.Lane]bool
}

// clean tells whether nothing of a lane has to move any more, while other lanes
// of its zone wait for that.
func (r *repairState) clean(lane check.Lane) bool {
	st := r.settling[lane.Zone]
	return st != nil && st.clean[lane]
}

// passed notes that a pass over a lane has ended. When every lane of a zone has
// been gone through since its partitions changed, and nothing was found that
// has to move, the zone is written down as settled.
func (s *Scheduler) passed(ctx context.Context, p *pass) error {
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return err
	}
	name := p.lane.Zone
	z := zones[name]
	followed := 0
	if p.moving > 0 || z.Spread > 0 {
		if followed, err = s.q.Follow(ctx, p.lane, z); err != nil {
			return err
		}
	}
	st := s.repairs.settling[name]
	if z.Spread == 0 || z.Partitions == 0 || p.version != z.Version || p.moving > 0 || followed > 0 {
		delete(s.repairs.settling, name) // what went may have come to a lane that was clean
		return nil
	}
	if p.lane.Part >= z.Partitions {
		if left, err := s.leftOver(ctx, p.lane); err != nil || left {
			return err
		}
	}
	if st == nil || st.version != z.Version {
		st = &settling{version: z.Version, clean: map[check.Lane]bool{}}
		if s.repairs.settling == nil {
			s.repairs.settling = map[string]*settling{}
		}
		s.repairs.settling[name] = st
	}
	if st.clean[p.lane] = true; len(st.clean) < z.Lanes() {
		return nil
	}
	return s.settle(ctx, name, z)
}

// leftOver tells whether something is left in a lane that is given up.
func (s *Scheduler) leftOver(ctx context.Context, lane check.Lane) (bool, error) {
	empty, err := s.q.Empty(ctx, lane)
	if err != nil || !empty {
		return true, err
	}
	delivered, err := s.q.Delivered(ctx, lane)
	return !delivered, err
}

// settle writes down that all checks of a zone are where they belong.
func (s *Scheduler) settle(ctx context.Context, name string, z check.Zone) error {
	delete(s.repairs.settling, name)
	done, err := s.q.ChangeZone(ctx, name, check.Zone{Version: z.Version + 1, Partitions: z.Partitions})
	if err != nil || !done {
		return err
	}
	s.log.InfoContext(ctx, "all checks of the zone are in their lanes", "zone", name, "partitions", z.Partitions)
	s.lanes.soon()
	return nil
}
