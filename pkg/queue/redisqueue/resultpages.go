package redisqueue

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// ResultsBefore reads at most count results of a lane, newest first: those that
// were committed before the entry before (empty: up to the newest) and not
// before since, unix ms.
func (q *Queue) ResultsBefore(ctx context.Context, lane check.Lane, before string, since int64, count int) ([]ResultEntry, error) {
	end := "+"
	if before != "" {
		end = "(" + before
	}
	found, err := q.client.XRevRangeN(ctx, q.KeyResults(lane), end, strconv.FormatInt(max(since, 0), 10), int64(count)).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyResults(lane), err)
	}
	out := make([]ResultEntry, len(found))
	for i, m := range found {
		out[i] = resultEntry(lane, m)
	}
	return out, nil
}

// Committed is when the result was committed, unix ms: the stream's id says so.
func (e ResultEntry) Committed() int64 {
	ms, _, _ := strings.Cut(e.SID, "-")
	at, _ := strconv.ParseInt(ms, 10, 64) // Redis makes the ids
	return at
}
