package redisqueue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// replicateTime is how long Replicated waits for the replicas.
const replicateTime = time.Second

// Replicated waits until all replicas that are online have what was written to
// a lane so far, so that no failover takes it back, and says whether they have.
// A server without replicas, or one that knows no WAIT, needs none.
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
	connected, online := countReplicas(text)
	if connected == 0 {
		return true, nil
	}
	want := max(online, 1) // one that still loads may yet take over with what it had
	pipe := node.Pipeline()
	pipe.Ping(ctx) // a connection waits for what was written before its own latest command
	acks := pipe.Do(ctx, "WAIT", want, replicateTime.Milliseconds())
	_, _ = pipe.Exec(ctx) // each command has its own error
	n, err := acks.Int()
	switch {
	case isReply(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("wait for a replica of lane %s: %w", lane, err)
	}
	return n >= want, nil
}

// countReplicas tells how many replicas a server knows, and how many of these
// follow it.
func countReplicas(info string) (connected, online int) {
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, "slave") && strings.Contains(line, ":ip=") {
			connected++
			if strings.Contains(line, "state=online") {
				online++
			}
		}
	}
	return connected, online
}
