package redisqueue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

var renewScript = script("renew")

// Renew extends leases of one lane by lease from now. A lease that has run out
// is still extended as long as nobody else took the check.
func (q *Queue) Renew(ctx context.Context, lane check.Lane, lease time.Duration, items []check.Holding) ([]check.Outcome, error) {
	return q.holdings(ctx, renewScript, "renew", items, []string{q.KeyRuns(lane)}, lease.Milliseconds())
}

// holdings runs a script that answers each of items with an outcome.
func (q *Queue) holdings(ctx context.Context, s *redis.Script, name string, items []check.Holding, keys []string, first any) ([]check.Outcome, error) {
	if len(items) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 1+3*len(items))
	args = append(args, first)
	for _, it := range items {
		args = append(args, it.SID, it.ID, it.Token)
	}
	reply, err := q.words(ctx, s, name, keys, args...)
	if err != nil {
		return nil, err
	}
	return outcomes(reply), nil
}

func outcomes(reply []any) []check.Outcome {
	out := make([]check.Outcome, len(reply))
	for i, v := range reply {
		out[i] = check.Outcome(toInt(v))
	}
	return out
}
