package worker

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// reclaim takes over the runs of lost workers: at once, then three times a
// lease, until ctx ends.
func (w *Worker) reclaim(ctx context.Context, p phases) {
	for {
		for _, lane := range shuffled(w.reachable(*w.lanes.Load())) {
			for w.reclaimLane(ctx, p, lane) {
			}
		}
		if !pause(ctx, jitter(w.cfg.Lease/3)) {
			return
		}
	}
}

// reclaimLane looks through one lane for as many runs as there are free slots
// and reports whether there may be more.
func (w *Worker) reclaimLane(ctx context.Context, p phases, lane check.Lane) (more bool) {
	n := w.slots.take(ctx, batch)
	if n == 0 {
		return false
	}
	req := w.request(lane, nil, nil)
	reserved := w.suspects.reserve()
	if reserved {
		req.Suspects = 1
	}
	asked := time.Now()
	leases, later, err := w.cfg.Queue.Reclaim(p.queue, req, n)
	w.start(p, leases, nil, asked)
	w.suspects.settle(reserved, leases)
	w.suspects.park(later)
	w.slots.giveBack(n - len(leases))
	if len(leases) > 0 {
		w.log.WarnContext(ctx, "runs of lost workers taken over", "lane", lane.String(), "count", len(leases))
	}
	if err != nil {
		w.away.missed(lane.String(), err)
		w.away.failed(ctx, "reclaim", err, 1)
		return false
	}
	w.away.passed("reclaim")
	return len(leases) == n && ctx.Err() == nil
}
