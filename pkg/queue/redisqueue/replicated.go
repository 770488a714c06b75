package redisqueue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	text, err := node.Info(ctx, "replication").Result()
	if isReply(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("replicas of lane %s: %w", lane, err)
	}
	if connectedReplicas(text) == 0 {
		return true, nil
	}
	pipe := node.Pipeline()
	pipe.Ping(ctx) // a connection waits for what was written before its own latest command
	acks := pipe.Do(ctx, "WAIT", 1, replicateTime.Milliseconds())
	_, _ = pipe.Exec(ctx) // each command has its own error
	n, err := acks.Int()
	switch {
	case isReply(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("wait for a replica of lane %s: %w", lane, err)
	}
	return n > 0, nil
}

// connectedReplicas reads how many replicas a server tells of.
func connectedReplicas(info string) int {
	_, rest, _ := strings.Cut(info, "connected_slaves:")
	text, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.Atoi(strings.TrimSpace(text))
	return n
}
