package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Stats counts what a lane holds. The parts are read in one pipeline, not
// atomically.
func (q *Queue) Stats(ctx context.Context, lane check.Lane) (check.Stats, error) {
	now, err := q.Now(ctx)
	if err != nil {
		return check.Stats{}, err
	}
	in := func(seconds int64) string { return strconv.FormatInt(now+seconds*1000, 10) }
	pipe := q.client.Pipeline()
	due60 := pipe.ZCount(ctx, q.KeyDue(lane), "-inf", in(60))
	due180 := pipe.ZCount(ctx, q.KeyDue(lane), "("+in(60), in(180))
	later := pipe.ZCount(ctx, q.KeyDue(lane), "("+in(180), "+inf")
	first := pipe.ZRangeByScoreWithScores(ctx, q.KeyDue(lane), &redis.ZRangeBy{Min: "100000000000", Max: in(0), Count: 1})
	ready := pipe.XLen(ctx, q.KeyReady(lane))
	pending := pipe.XPending(ctx, q.KeyReady(lane), GroupWorkers)
	if cmds, err := pipe.Exec(ctx); err != nil && !isNoGroup(err) && !errors.Is(err, redis.Nil) {
		return check.Stats{}, fmt.Errorf("stats of lane %s: %w", lane, named(cmds, err))
	}
	s := check.Stats{Due60: due60.Val(), Due180: due180.Val(), Later: later.Val(), Ready: ready.Val()}
	if due := first.Val(); len(due) > 0 {
		s.Overdue = now - int64(due[0].Score)
	}
	if p := pending.Val(); p != nil {
		s.Pending = p.Count
	}
	return s, nil
}

// DueItem is a waiting check and its due time, unix ms.
type DueItem struct {
	ID string
	At int64
}

// NextDue lists the first count waiting checks of a lane.
func (q *Queue) NextDue(ctx context.Context, lane check.Lane, count int) ([]DueItem, error) {
	zs, err := q.client.ZRangeWithScores(ctx, q.KeyDue(lane), 0, int64(count)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyDue(lane), err)
	}
	out := make([]DueItem, len(zs))
	for i, z := range zs {
		id, _ := z.Member.(string)
		out[i] = DueItem{ID: id, At: int64(z.Score)}
	}
	return out, nil
}
