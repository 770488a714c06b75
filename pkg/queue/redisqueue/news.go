package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// News waits up to block, and MaxBlock at most, until one of the lanes in from
// has changes behind the entry that from knows of it, tells which have, and
// brings from up to date. A lane without an entry in from is news at once. With
// a block of 0 it only looks, each lane by itself, as a cluster needs it. A lane
// whose stream is none is left out.
func (q *Queue) News(ctx context.Context, from map[check.Lane]string, block time.Duration) ([]check.Lane, error) {
	var fresh []check.Lane
	for lane, sid := range from {
		if sid == "" {
			fresh = append(fresh, lane)
		}
	}
	var err error
	switch {
	case len(from) == 0 || len(fresh) > 0:
	case block > 0:
		fresh, err = q.awaitNews(ctx, from, block)
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			fresh, err = q.lookForNews(ctx, from)
		}
	default:
		fresh, err = q.lookForNews(ctx, from)
	}
	if err != nil || len(fresh) == 0 {
		return nil, err
	}
	return fresh, q.tips(ctx, from, fresh)
}

// awaitNews is one blocking read of all lanes.
func (q *Queue) awaitNews(ctx context.Context, from map[check.Lane]string, block time.Duration) (news []check.Lane, err error) {
	streams, ids := make([]string, 0, 2*len(from)), make([]string, 0, len(from))
	byKey := make(map[string]check.Lane, len(from))
	for lane, sid := range from {
		key := q.KeyChanges(lane)
		streams, ids, byKey[key] = append(streams, key), append(ids, sid), lane
	}
	found, err := q.client.XRead(ctx, &redis.XReadArgs{Streams: append(streams, ids...), Count: 1, Block: readBlock(block)}).Result()
	switch {
	case errors.Is(err, redis.Nil) || isTimeout(err):
		return nil, nil
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("wait for changes: %w", err)
	}
	for _, s := range found {
		news = append(news, byKey[s.Stream])
	}
	return news, nil
}

// lookForNews reads each lane by itself, without waiting.
func (q *Queue) lookForNews(ctx context.Context, from map[check.Lane]string) (news []check.Lane, err error) {
	pipe := q.client.Pipeline()
	cmds := make(map[check.Lane]*redis.XStreamSliceCmd, len(from))
	for lane, sid := range from {
		cmds[lane] = pipe.XRead(ctx, &redis.XReadArgs{Streams: []string{q.KeyChanges(lane), sid}, Count: 1, Block: -1})
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for lane, cmd := range cmds {
		switch e := cmd.Err(); {
		case e == nil:
			news = append(news, lane)
		case errors.Is(e, redis.Nil) || redis.HasErrorPrefix(e, "WRONGTYPE"):
		default:
			err = fmt.Errorf("look for changes in lane %s: %w", lane, e)
		}
	}
	if len(news) > 0 {
		return news, nil // a lane whose node is away holds up no other
	}
	return nil, err
}

// tips notes the latest entry of each of the lanes.
func (q *Queue) tips(ctx context.Context, from map[check.Lane]string, lanes []check.Lane) error {
	pipe := q.client.Pipeline()
	cmds := make([]*redis.XMessageSliceCmd, len(lanes))
	for i, lane := range lanes {
		cmds[i] = pipe.XRevRangeN(ctx, q.KeyChanges(lane), "+", "-", 1)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, cmd := range cmds {
		err := cmd.Err()
		switch {
		case err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE"):
			return fmt.Errorf("read %s: %w", q.KeyChanges(lanes[i]), err)
		case len(cmd.Val()) > 0:
			from[lanes[i]] = cmd.Val()[0].ID
		default:
			from[lanes[i]] = "0-0"
		}
	}
	return nil
}
