package scheduler

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// lookBeyond looks for lanes behind the last one of zones that this scheduler
// has not seen before. The list was lost or changed while no scheduler ran, or
// the one that was to delete them has ended: their zone is written down as one
// whose checks move, so that they are gone through and then given up.
func (s *Scheduler) lookBeyond(ctx context.Context, list map[string]check.Zone) error {
	for name, z := range list {
		if s.lookedBeyond[name] {
			continue
		}
		if z.Spread == 0 && z.Partitions > 0 {
			lanes, err := s.q.Reach(ctx, name, z.Partitions)
			if err != nil {
				return err
			}
			if lanes > z.Partitions {
				s.log.WarnContext(ctx, "a zone has lanes behind its last one", "zone", name, "partitions", z.Partitions, "lanes", lanes)
				z.Version, z.Spread = z.Version+1, lanes
				if _, err := s.q.ChangeZone(ctx, name, z); err != nil {
					return err
				}
				s.lanes.soon()
			}
		}
		if s.lookedBeyond == nil {
			s.lookedBeyond = map[string]bool{}
		}
		s.lookedBeyond[name] = true
	}
	return nil
}
