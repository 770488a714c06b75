package scheduler

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// dispatchLane moves the due checks of one lane until ctx is done.
func (s *Scheduler) dispatchLane(ctx, work context.Context, lane check.Lane) {
	t := s.trouble("dispatch", "lane", lane.String())
	ready := false // stream and group are there
	for ctx.Err() == nil {
		if !ready {
			if err := s.q.Prepare(work, lane); err != nil && !t.failed(ctx, err) {
				return
			}
		}
		d, err := s.q.Dispatch(work, lane, s.cfg.Batch)
		if err != nil {
			ready = false // they may be gone when Redis is back
			t.failed(ctx, err)
			continue
		}
		ready = true
		s.alive()
		t.passed(ctx)
		s.hooks.Dispatched(lane, d.Moved, len(d.Dropped))
		s.strays.add(lane, d.Dropped, time.Now())
		s.moves.add(lane, d.Frozen)
		pause(ctx, s.nextWait(d))
	}
}

// nextWait is how long a lane rests: not at all after a full batch, else to
// its earliest due time, within bounds.
func (s *Scheduler) nextWait(d check.Dispatched) time.Duration {
	if d.Moved+len(d.Dropped) >= s.cfg.Batch {
		return 0
	}
	longest := s.cfg.MaxWait
	wait := jitter(longest)
	if d.Next >= 0 && d.Next-d.Now < longest.Milliseconds() {
		// The answer is older than Now by a little: never too early.
		wait = time.Duration(d.Next-d.Now) * time.Millisecond
	}
	return max(wait, s.leastWait(s.lanes.count()))
}

// leastWait bounds what busy lanes cost: up to 8 of them call every MinWait,
// more share those calls, each still every 4 MinWait.
func (s *Scheduler) leastWait(lanes int) time.Duration {
	return s.cfg.MinWait * time.Duration(min(max(lanes, 8), 32)) / 8
}
