package scheduler

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// A zone keeps a lane that it does not need any more until handlers have got all
// changes in it.
func TestUndeliveredChangesKeepALane(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.want(accepted, set("a", "1h")...)
		r.partitions(4)
		r.learned()
		r.settle()
		key := r.KeyChanges(check.Lane{Zone: "default", Part: 3})
		r.must(r.client.XAdd(ctx, &redis.XAddArgs{Stream: key, Values: []string{"event", "{}"}}).Err())
		r.must(r.client.XGroupCreate(ctx, key, "pager", "0").Err())
		r.partitions(1)
		r.learned()
		for range 6 {
			r.passes()
			r.age()
		}
		zones, err := r.Zones(ctx)
		if r.must(err); zones["default"].Lanes() != 4 {
			t.Fatalf("the zone is %+v, want its four lanes kept", zones["default"])
		}
		found, err := r.client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "pager", Consumer: "w", Streams: []string{key, ">"}, Block: -1}).Result()
		r.must(err)
		r.must(r.client.XAck(ctx, key, "pager", found[0].Messages[0].ID).Err())
		r.settle()
	})
}

// A lane that was given up, and is needed once more before its keys are deleted,
// keeps them.
func TestLaneThatComesBackKeepsItsKeys(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.partitions(4)
		r.learned()
		r.partitions(1)
		r.learned()
		r.settle()
		r.learned()
		key := r.KeyResults(check.Lane{Zone: "default", Part: 3})
		r.must(r.client.XAdd(ctx, &redis.XAddArgs{Stream: key, Values: []string{"event", "{}"}}).Err())
		for _, n := range []int64{1, 0} {
			if n == 1 {
				r.partitions(4)
			} else { // and is given up again
				r.partitions(1)
				r.learned()
				r.settle()
				r.learned()
			}
			r.must(r.s.dropLanes(ctx, time.Now().Add(dropAfter)))
			if got := r.client.Exists(ctx, key).Val(); got != n {
				t.Errorf("%s: %d keys, want %d", key, got, n)
			}
		}
	})
}
