package redisqueue

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// TombstoneTTL is how long a removed check's revision is kept; requests older
// than that are refused, so none can bring the check back.
const TombstoneTTL = 7 * 24 * time.Hour

var removeScript = script("remove")

// Remove takes a check away and leaves its tombstone. A run that goes on is
// told so at its completion.
func (q *Queue) Remove(ctx context.Context, lane check.Lane, r check.Removal) (check.AdoptOutcome, error) {
	keys := []string{
		q.KeySpecs(lane), q.KeyRuns(lane), q.KeyDue(lane), q.KeyLast(lane), q.KeyIncidents(lane), q.KeyChanges(lane),
	}
	out, err := q.run(ctx, removeScript, "remove", keys, r.ID, r.Rev, r.Last, r.IncidentID, r.Incident, r.Change,
		KeepResults, TombstoneTTL.Milliseconds()).Text()
	return check.AdoptOutcome(out), err
}
