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
	args := make([]any, 0, 3+7*len(items))
	args = append(args, GroupWorkers, KeepResults, len(items))
	for i := range items {
		c := &items[i]
		args = append(args, c.SID, c.ID, c.Token, c.Rev, c.Next, c.Last, c.Event)
	}
	for i := range items {
		c := &items[i]
		if c.KeepCrashes {
			args = append(args, i+1, "crashed", "", "")
		}
		if c.IncidentID != "" {
			args = append(args, i+1, "incident", c.IncidentID, c.Incident)
		}
		if c.Change != "" {
			args = append(args, i+1, "change", "", c.Change)
		}
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
