package scheduler

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// scanCounter counts the walks over one hash.
type scanCounter struct {
	key   string
	walks int
}

func (s *scanCounter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *scanCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *scanCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if a := cmd.Args(); cmd.Name() == "hscan" && a[1] == s.key && a[2] == uint64(0) {
			s.walks++
		}
		return next(ctx, cmd)
	}
}

// A lane that keeps many incidents, none of them old, is read once for all that
// is to be cleared.
func TestCleanLaneReadsIncidentsOnce(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		spied := redis.NewClient(r.client.Options())
		defer func() { r.must(spied.Close()) }()
		spy := &scanCounter{key: r.KeyIncidents(lane0)}
		spied.AddHook(spy)
		r.must(r.client.HSet(t.Context(), spy.key, "default/a/1", `{"id":"default/a/1","opened":1}`).Err())
		r.must(r.scheduler(redisqueue.New(spied, "")).cleanLane(t.Context(), &pass{lane: lane0}))
		if spy.walks != 1 {
			t.Errorf("incidents were read %d times, want 1", spy.walks)
		}
		if n := r.client.HLen(t.Context(), spy.key).Val(); n != 1 {
			t.Errorf("%d incidents are left, want 1", n)
		}
	})
}
