package scheduler

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// beatsBack is after how long a worker that lives has told of itself, and of what
// it has raised: it beats every 3 s, and may be slow to come back from an outage.
const beatsBack = 15 * time.Second

// resolveLostWorkers resolves those of kept that workers have opened about
// themselves and can resolve no more: they are gone, or were started anew and
// know nothing of them.
func (s *Scheduler) resolveLostWorkers(ctx context.Context, lane check.Lane, kept []check.IncidentEntry, now int64) error {
	var beats []check.Heartbeat
	for _, e := range kept {
		_, id, _, err := check.ParseIncidentID(e.ID)
		worker, about := check.WorkerOf(id)
		var inc check.Incident
		if err != nil || !about || json.Unmarshal([]byte(e.Incident), &inc) != nil || inc.Resolved != 0 || now-inc.Updated < beatsBack.Milliseconds() {
			continue
		}
		if beats == nil {
			if beats, err = s.q.Workers(ctx); err != nil {
				return err
			}
		}
		held := slices.ContainsFunc(beats, func(hb check.Heartbeat) bool {
			return slices.Contains(hb.Incidents, e.ID) && hb.LiveAt(now)
		})
		if held {
			continue
		}
		inc.Updated, inc.Resolved, inc.Text = now, now, "the worker is gone"
		raise, err := check.NewRaise(lane.Zone, worker, inc, e.Incident, check.ChangeResolve)
		if err != nil {
			return err
		}
		if _, err := s.q.Raise(ctx, lane, raise); err != nil {
			return err
		}
	}
	return nil
}
