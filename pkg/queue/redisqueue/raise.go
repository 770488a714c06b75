package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var raiseScript = script("raise")

// Raise writes an incident that no run of a check stands behind, and its event
// into `changes`, unless another incident than r.Was says stands there: one that
// was lost is written.
func (q *Queue) Raise(ctx context.Context, lane check.Lane, r check.Raise) (check.AdoptOutcome, error) {
	keys := []string{q.KeyIncidents(lane), q.KeyChanges(lane)}
	out, err := q.run(ctx, raiseScript, "raise", keys, r.ID, r.Was, r.Incident, r.Change, KeepResults).Text()
	return check.AdoptOutcome(out), err
}
