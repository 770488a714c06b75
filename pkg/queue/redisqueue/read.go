package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// MaxBlock bounds a blocking read: a cancelled context does not interrupt one.
const MaxBlock = time.Second

// Prepare makes a lane's ready stream and its consumer group. Schedulers do so
// before anybody looks at the stream's length; it may be repeated.
func (q *Queue) Prepare(ctx context.Context, lane check.Lane) error {
	return q.makeGroup(ctx, q.KeyReady(lane), GroupWorkers)
}

// makeGroup starts at 0, never at $: what stands in the stream is to be read.
func (q *Queue) makeGroup(ctx context.Context, stream, group string) error {
	err := q.client.XGroupCreateMkStream(ctx, stream, group, "0").Err()
	if err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return fmt.Errorf("create group %s of %s: %w", group, stream, err)
	}
	return nil
}

// Read takes new entries of lanes for a worker, at most count of each lane; it
// waits up to block, and MaxBlock at most, for the first. Nothing there is an
// empty answer. A group that is missing is made. A lane whose stream somebody
// made something else of is left out, unless it is the only one. On a cluster
// the lanes must share one slot: read one lane per call there.
func (q *Queue) Read(ctx context.Context, worker string, lanes []check.Lane, count int, block time.Duration) ([]check.Entry, error) {
	entries, err := q.readNew(ctx, worker, lanes, count, block)
	if len(lanes) > 1 && redis.HasErrorPrefix(err, "WRONGTYPE") {
		good, typeErr := q.withStreams(ctx, lanes)
		if typeErr != nil || len(good) == 0 {
			return nil, err
		}
		return q.readNew(ctx, worker, good, count, block)
	}
	return entries, err
}

func (q *Queue) readNew(ctx context.Context, worker string, lanes []check.Lane, count int, block time.Duration) ([]check.Entry, error) {
	streams := make([]string, 0, 2*len(lanes))
	byKey := make(map[string]check.Lane, len(lanes))
	for _, l := range lanes {
		key := q.KeyReady(l)
		streams = append(streams, key)
		byKey[key] = l
	}
	for range lanes {
		streams = append(streams, ">")
	}
	found, err := q.client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: GroupWorkers, Consumer: worker, Streams: streams, Count: int64(count), Block: readBlock(block),
	}).Result()
	switch {
	case errors.Is(err, redis.Nil) || isTimeout(err):
		return nil, nil
	case isNoGroup(err):
		for _, l := range lanes {
			if err := q.Prepare(ctx, l); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", strings.Join(streams[:len(lanes)], ", "), err)
	}
	var entries []check.Entry
	for _, s := range found {
		lane := byKey[s.Stream]
		for _, m := range s.Messages {
			entries = append(entries, entry(lane, m))
		}
	}
	return entries, nil
}

// withStreams gives the lanes whose ready stream is one, or is not there.
func (q *Queue) withStreams(ctx context.Context, lanes []check.Lane) ([]check.Lane, error) {
	pipe := q.client.Pipeline()
	types := make([]*redis.StatusCmd, len(lanes))
	for i, l := range lanes {
		types[i] = pipe.Type(ctx, q.KeyReady(l))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("types of the ready streams: %w", err)
	}
	var good []check.Lane
	for i, l := range lanes {
		if have := types[i].Val(); have == "stream" || have == "none" {
			good = append(good, l)
		}
	}
	return good, nil
}

// readBlock bounds a wait; go-redis takes a negative one for not waiting.
func readBlock(block time.Duration) time.Duration {
	if block <= 0 {
		return -1
	}
	return max(min(block, MaxBlock), time.Millisecond)
}

// entry reads a stream entry {id, due}.
func entry(lane check.Lane, m redis.XMessage) check.Entry {
	planned, _ := strconv.ParseInt(toText(m.Values["due"]), 10, 64)
	return check.Entry{Lane: lane, SID: m.ID, ID: toText(m.Values["id"]), Planned: planned}
}
