package scheduler

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// RepairOnce makes one whole pass of repair over a lane, without pauses and
// without the intake's lock, and tells Hooks.Repaired what it found. It is for
// tests and tools: not beside Run, and from one goroutine at a time.
func (s *Scheduler) RepairOnce(ctx context.Context, lane check.Lane) error {
	p := &pass{lane: lane, t: s.trouble("repair", "lane", lane.String()), count: pageSize}
	for p.after.IsZero() {
		if err := s.repairPage(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
