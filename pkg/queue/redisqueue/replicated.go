package redisqueue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// replicateTime is how long Replicated waits for a replica.
const replicateTime = 200 * time.Millisecond

// Replicated waits until a replica has what was written to a lane so far, so
// that a failover does not take it back, and says whether one has. A server
// without replicas, or one that knows no WAIT, needs none.
func (q *Queue) Replicated(ctx context.Context, lane check.Lane) (bool, error) {
	node, err := q.node(ctx, q.KeyRuns(lane))
	if err != nil {
		return false, fmt.Errorf("find the server of lane %s: %w", lane, err)
	}
	pipe := node.Pipeline()
	// A connection waits for what was written before its own latest command.
	info := pipe.Info(ctx, "replication")
	acks := pipe.Do(ctx, "WAIT", 1, replicateTime.Milliseconds())
	_, _ = pipe.Exec(ctx) // each command has its own error
	replicas, err := connectedReplicas(info)
	switch {
	case isReply(err), err == nil && replicas == 0:
		return true, nil
	case err != nil:
		return false, fmt.Errorf("replicas of lane %s: %w", lane, err)
	case isReply(acks.Err()):
		return true, nil
	case acks.Err() != nil:
		return false, fmt.Errorf("wait for a replica of lane %s: %w", lane, acks.Err())
	}
	n, err := acks.Int()
	return n > 0, err
}

// node gives the client of the server that has a key.
func (q *Queue) node(ctx context.Context, key string) (redis.Cmdable, error) {
	if c, ok := q.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, key)
	}
	return q.client, nil
}

func connectedReplicas(info *redis.StringCmd) (int, error) {
	text, err := info.Result()
	_, rest, found := strings.Cut(text, "connected_slaves:")
	if err != nil || !found {
		return 0, err
	}
	n, _, _ := strings.Cut(rest, "\n")
	return strconv.Atoi(strings.TrimSpace(n))
}
