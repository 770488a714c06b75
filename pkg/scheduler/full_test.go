package scheduler

import (
	"fmt"
	"testing"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// What stands in the intake when Redis is full is applied and answered: it may
// be what makes room.
func TestIntakeWhenRedisIsFull(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t).Client(t))
	const n = 250 // more than one page
	for i := range n {
		r.request("id", fmt.Sprint("c", i), "command", "probe", "every", "1h", "params.host", "a")
	}
	for range 3 {
		r.takeIn()
	}
	for i := range n {
		r.request(fmt.Sprint("op delete id c", i))
	}
	r.must(r.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	for range 3 {
		r.takeIn()
	}
	left, err := r.client.HLen(t.Context(), r.KeySpecs(lane0)).Result()
	r.must(err)
	accepted := 0
	for _, v := range r.verdicts() {
		if v.Verdict == check.VerdictAccepted {
			accepted++
		}
	}
	if left != 0 || accepted != 2*n {
		t.Errorf("%d checks left, %d verdicts, want 0 and %d", left, accepted, 2*n)
	}
	r.quiet()
}
