package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

var holdScript = script("hold")

// HoldDelivery takes the right to deliver the changes of a lane to a handler,
// for ttl from now; false when it is another worker's.
func (q *Queue) HoldDelivery(ctx context.Context, h check.DeliveryHold, ttl time.Duration) (bool, error) {
	return q.hold(ctx, "take", h, ttl, "")
}

// KeepDelivery makes the right last for ttl from now; false when it ran out or
// is another's.
func (q *Queue) KeepDelivery(ctx context.Context, h check.DeliveryHold, ttl time.Duration) (bool, error) {
	return q.hold(ctx, "keep", h, ttl, "")
}

// GiveDelivery gives the right back; with a next worker nobody but that one may
// take it for ttl. It does nothing when the right is another's.
func (q *Queue) GiveDelivery(ctx context.Context, h check.DeliveryHold, next string, ttl time.Duration) error {
	_, err := q.hold(ctx, "give", h, ttl, next)
	return err
}

func (q *Queue) hold(ctx context.Context, what string, h check.DeliveryHold, ttl time.Duration, next string) (bool, error) {
	keys := []string{q.KeyDeliver(h.Lane, h.Handler)}
	n, err := q.run(ctx, holdScript, "hold", keys, what, h.Token, ttl.Milliseconds(), next).Int()
	return n == 1, err
}

// DeliveryOwners tells who delivers the changes of a lane to each of the
// handlers: the token of the worker, or the name of the one that is to be next
// and a slash, or nothing.
func (q *Queue) DeliveryOwners(ctx context.Context, lane check.Lane, handlers []string) ([]string, error) {
	pipe := q.client.Pipeline()
	cmds := make([]*redis.StringCmd, len(handlers))
	for i, h := range handlers {
		cmds[i] = pipe.Get(ctx, q.KeyDeliver(lane, h))
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	owners := make([]string, len(handlers))
	for i, cmd := range cmds {
		err := cmd.Err()
		if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") { // taking such a key tells
			return nil, fmt.Errorf("who delivers in lane %s: %w", lane, err)
		}
		owners[i] = cmd.Val()
	}
	return owners, nil
}
