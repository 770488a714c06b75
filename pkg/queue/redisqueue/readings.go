package redisqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Reading is how far a handler has got in a lane's changes.
type Reading struct {
	Handler string
	// Waiting is how many changes are not settled, at least; Oldest is when the
	// first of them was written, unix ms, 0 without one.
	Waiting int64
	Oldest  int64
}

// Readings tells of each handler that reads a lane's changes how far it has got.
func (q *Queue) Readings(ctx context.Context, lane check.Lane) ([]Reading, error) {
	key := q.KeyChanges(lane)
	groups, err := q.client.XInfoGroups(ctx, key).Result()
	if isNoKey(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", key, err)
	}
	pipe := q.client.Pipeline()
	pending := make([]*redis.XPendingCmd, len(groups))
	unread := make([]*redis.XMessageSliceCmd, len(groups))
	for i, g := range groups {
		pending[i] = pipe.XPending(ctx, key, g.Name)
		unread[i] = pipe.XRangeN(ctx, key, "("+g.LastDeliveredID, "+", 1)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) && !isNoGroup(err) {
		return nil, fmt.Errorf("who reads %s: %w", key, err)
	}
	out := make([]Reading, len(groups))
	for i, g := range groups {
		r := Reading{Handler: g.Name, Waiting: g.Pending}
		if next := unread[i].Val(); len(next) > 0 {
			r.Waiting += max(g.Lag, 1) // some servers cannot tell
			r.Oldest = sidTime(next[0].ID)
		}
		if p := pending[i].Val(); p != nil && p.Count > 0 {
			r.Oldest = sidTime(p.Lower)
		}
		out[i] = r
	}
	return out, nil
}
