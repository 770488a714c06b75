package redisqueue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// node gives the client of the server that has a key.
func (q *Queue) node(ctx context.Context, key string) (redis.Cmdable, error) {
	if c, ok := q.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, key)
	}
	return q.client, nil
}

// Server gives the address of the primary that has a lane on a cluster, empty
// where there is one server for all.
func (q *Queue) Server(ctx context.Context, lane check.Lane) (string, error) {
	c, ok := q.client.(*redis.ClusterClient)
	if !ok {
		return "", nil
	}
	node, err := c.MasterForKey(ctx, q.KeyRuns(lane))
	if err != nil {
		return "", fmt.Errorf("find the server of lane %s: %w", lane, err)
	}
	return node.Options().Addr, nil
}

// Primaries tells how many primaries a cluster has, 1 where there is one server
// for all.
func (q *Queue) Primaries(ctx context.Context) (int, error) {
	c, ok := q.client.(*redis.ClusterClient)
	if !ok {
		return 1, nil
	}
	slots, err := c.ClusterSlots(ctx).Result() //nolint:staticcheck // CLUSTER SHARDS came with Redis 7.0, and 6.2 is supported
	if err != nil {
		return 0, fmt.Errorf("read the slots of the cluster: %w", err)
	}
	seen := map[string]bool{}
	for _, s := range slots {
		if len(s.Nodes) > 0 {
			seen[s.Nodes[0].Addr] = true
		}
	}
	return max(len(seen), 1), nil
}
