package scheduler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// What stands in lanes that the list of zones does not tell of is found when a
// scheduler starts: the list was lost or changed while none ran.
func TestLanesBehindTheLastOne(t *testing.T) {
	cases := map[string]func(t *testing.T, r *rig){}
	for name, change := range map[string]func(r *rig){
		"lost":    func(r *rig) { r.must(r.client.Del(r.t.Context(), r.KeyZones()).Err()) },
		"by hand": func(r *rig) { r.must(r.client.HSet(r.t.Context(), r.KeyZones(), "default", "99 2").Err()) },
	} {
		cases[name] = func(t *testing.T, r *rig) {
			ctx := t.Context()
			r.partitions(12)
			r.settleKnown()
			r.fill(60)
			change(r)
			r.s = r.scheduler(r.Queue)
			r.settleKnown()
			specs := int64(0)
			for _, lane := range r.lanesOf() {
				specs += r.client.HLen(ctx, r.KeySpecs(lane)).Val()
			}
			if specs != 60 {
				t.Errorf("%d specs are in %v, want 60", specs, r.lanesOf())
			}
			r.must(r.s.dropLanes(ctx, time.Now().Add(dropAfter)))
			if keys := r.client.Keys(ctx, "redpoll:{default:1*").Val(); slices.ContainsFunc(keys, func(key string) bool { return !strings.Contains(key, "{default:1}") }) {
				t.Errorf("left over: %v", keys)
			}
		}
	}
	// The scheduler that had to delete the keys of lanes ended before.
	cases["keys"] = func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.client.XAdd(ctx, &redis.XAddArgs{Stream: r.KeyResults(check.Lane{Zone: "default", Part: 7}), Values: []string{"event", "{}"}}).Err())
		r.s = r.scheduler(r.Queue)
		r.settleKnown()
		r.must(r.s.dropLanes(ctx, time.Now().Add(dropAfter)))
		if keys := r.client.Keys(ctx, "redpoll:{default:7}*").Val(); len(keys) > 0 {
			t.Errorf("left over: %v", keys)
		}
	}
	eachCase(t, cases)
}
