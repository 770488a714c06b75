package redisqueue

import (
	"context"
	"encoding/json"

	"github.com/redpoll/redpoll/pkg/check"
)

// DropResolved removes the incidents of a lane that were resolved before a
// time, unix ms, with everything that stands beside them, and returns how many.
func (q *Queue) DropResolved(ctx context.Context, lane check.Lane, before int64) (int, error) {
	all, err := q.Incidents(ctx, lane)
	if err != nil {
		return 0, err
	}
	var ids []string
	for _, e := range all {
		var inc check.Incident
		if json.Unmarshal([]byte(e.Incident), &inc) == nil && inc.Resolved != 0 && inc.Resolved < before {
			ids = append(ids, e.ID)
		}
	}
	return len(ids), q.DropIncidents(ctx, lane, ids)
}
