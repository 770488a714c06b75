package redisqueue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
)

// DeadLetters reads a page of a lane's dead letters, oldest first: those behind
// the id after, all when it is empty.
func (q *Queue) DeadLetters(ctx context.Context, lane check.Lane, after string, count int) ([]check.DeadLetter, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	found, err := q.client.XRangeN(ctx, q.KeyDead(lane), from, "+", int64(count)).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyDead(lane), err)
	}
	out := make([]check.DeadLetter, len(found))
	for i, m := range found {
		l := check.DeadLetter{
			Lane: lane, ID: m.ID, Event: toText(m.Values["event"]), Handler: toText(m.Values["handler"]),
			Reason: toText(m.Values["reason"]), Entry: toText(m.Values["entry"]),
		}
		l.Attempts, _ = strconv.Atoi(toText(m.Values["attempts"])) // 0 in one that a hand wrote
		l.At, _ = strconv.ParseInt(toText(m.Values["at"]), 10, 64) // likewise
		out[i] = l
	}
	return out, nil
}

// DropDead removes dead letters of a lane and tells how many there were.
func (q *Queue) DropDead(ctx context.Context, lane check.Lane, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n, err := q.client.XDel(ctx, q.KeyDead(lane), ids...).Result()
	if err != nil {
		return int(n), fmt.Errorf("drop letters of %s: %w", q.KeyDead(lane), err)
	}
	return int(n), nil
}
