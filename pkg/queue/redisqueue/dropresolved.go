package redisqueue

import (
	"context"
	"encoding/json"

	"github.com/redpoll/redpoll/pkg/check"
)

// DropResolved removes those of a lane's incidents, as they were read, that were
// resolved before a time, unix ms, with everything that stands beside them, and
// returns how many. One that is resolved never changes again.
func (q *Queue) DropResolved(ctx context.Context, lane check.Lane, kept []IncidentEntry, before int64) (int, error) {
	var ids []string
	for _, e := range kept {
		var inc check.Incident
		if json.Unmarshal([]byte(e.Incident), &inc) == nil && inc.Resolved != 0 && inc.Resolved < before {
			ids = append(ids, e.ID)
		}
	}
	return len(ids), q.DropIncidents(ctx, lane, ids)
}
