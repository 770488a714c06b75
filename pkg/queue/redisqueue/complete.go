package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var completeScript = script("complete")

// Complete ends runs of one lane, at most a few hundred a call: results are
// written and checks put back in one step, item by item. A repeated item with
// the token that was committed last is done, not stale.
func (q *Queue) Complete(ctx context.Context, lane check.Lane, items []check.Completion) ([]check.Outcome, error) {
	if len(items) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 2+11*len(items))
	args = append(args, GroupWorkers, KeepResults)
	for i := range items {
		c := &items[i]
		crashed := 0
		if c.KeepCrashes {
			crashed = 1
		}
		args = append(args, c.SID, c.ID, c.Token, c.Rev, c.Next, crashed, c.Last, c.Event, c.IncidentID, c.Incident, c.Change)
	}
	keys := []string{
		q.KeyReady(lane), q.KeyRuns(lane), q.KeyDue(lane), q.KeyLast(lane),
		q.KeyResults(lane), q.KeyIncidents(lane), q.KeyChanges(lane),
	}
	reply, err := q.words(ctx, completeScript, "complete", keys, args...)
	if err != nil {
		return nil, err
	}
	return outcomes(reply), nil
}
