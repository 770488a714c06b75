package redisqueue

import (
	"context"
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// DropConsumers deletes consumers of a lane's group that have nothing pending
// and have been idle for longer than idle, and returns how many. Those with
// pending entries stay: deleting them would drop the entries with them.
func (q *Queue) DropConsumers(ctx context.Context, lane check.Lane, idle time.Duration) (int, error) {
	key := q.KeyReady(lane)
	all, err := q.client.XInfoConsumers(ctx, key, GroupWorkers).Result()
	if isNoGroup(err) || isNoKey(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("consumers of %s: %w", key, err)
	}
	dropped := 0
	for _, c := range all {
		if c.Pending > 0 || c.Idle < idle {
			continue
		}
		if err := q.dropConsumer(ctx, key, c.Name); err != nil {
			return dropped, err
		}
		dropped++
	}
	return dropped, nil
}

var consumerScript = script("consumer")

// dropConsumer deletes a consumer unless something was delivered to it since.
func (q *Queue) dropConsumer(ctx context.Context, key, name string) error {
	return q.run(ctx, consumerScript, "consumer", []string{key}, GroupWorkers, name).Err()
}

// LeaveLane deletes a worker's own consumer when nothing is pending for it.
func (q *Queue) LeaveLane(ctx context.Context, lane check.Lane, worker string) error {
	return q.dropConsumer(ctx, q.KeyReady(lane), worker)
}
