package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var releaseScript = script("release")

// Release hands runs back to the lane's stream, with the planned times they
// had; another worker may take them at once.
func (q *Queue) Release(ctx context.Context, lane check.Lane, items []check.Holding) ([]check.Outcome, error) {
	return q.holdings(ctx, releaseScript, "release", items, []string{q.KeyReady(lane), q.KeyRuns(lane)}, GroupWorkers)
}
