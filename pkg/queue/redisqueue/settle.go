package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var settleScript = script("settle")

// Settle ends entries of changes for a handler, at most a few thousand a call;
// false when the hold is another's, and nothing was written.
func (q *Queue) Settle(ctx context.Context, h check.DeliveryHold, done check.Settlement) (bool, error) {
	if len(done.SIDs) == 0 {
		return true, nil
	}
	args := make([]any, 0, 4+len(done.SIDs))
	args = append(args, h.Token, h.Handler, done.IncidentID, done.Ref)
	for _, sid := range done.SIDs {
		args = append(args, sid)
	}
	keys := []string{q.KeyDeliver(h.Lane, h.Handler), q.KeyChanges(h.Lane), q.KeyIncidents(h.Lane)}
	n, err := q.run(ctx, settleScript, "settle", keys, args...).Int()
	return n == 1, err
}

var buryScript = script("bury")

// Bury ends an entry of changes as a dead letter; false when the hold is
// another's, and nothing was written.
func (q *Queue) Bury(ctx context.Context, h check.DeliveryHold, l check.DeadLetter) (bool, error) {
	keys := []string{q.KeyDeliver(h.Lane, h.Handler), q.KeyChanges(h.Lane), q.KeyDead(h.Lane)}
	n, err := q.run(ctx, buryScript, "bury", keys, h.Token, h.Handler, l.Entry, l.Event, l.Reason, l.Attempts, KeepDead).Int()
	return n == 1, err
}
