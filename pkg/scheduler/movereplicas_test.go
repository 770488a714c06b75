package scheduler

import (
	"context"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// unsure is a queue whose servers' replicas are behind, for some lanes; for
// those in falls as soon as something is frozen there.
type unsure struct {
	*redisqueue.Queue
	behind, falls map[check.Lane]bool
}

// fallsBehind makes an unsure queue whose replicas of lane0 miss what is frozen.
func (r *rig) fallsBehind() unsure {
	return unsure{r.Queue, map[check.Lane]bool{}, map[check.Lane]bool{lane0: true}}
}

// catchUp has the replicas of lane0 follow for good.
func (u unsure) catchUp() { u.behind[lane0], u.falls[lane0] = false, false }

func (u unsure) Freeze(ctx context.Context, lane check.Lane, items []check.Freezing) ([]check.Frozen, error) {
	u.behind[lane] = u.behind[lane] || u.falls[lane]
	return u.Queue.Freeze(ctx, lane, items)
}

func (u unsure) Replicated(ctx context.Context, lane check.Lane) (bool, error) {
	if u.behind[lane] {
		return false, nil
	}
	return u.Queue.Replicated(ctx, lane)
}

// A check is frozen only when the replicas follow, arrives only when they know
// that it was frozen, and departs only when the new lane's replicas have it: whichever servers fail over, it is in
// one of the two.
func TestMoveWaitsForReplicas(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		u := r.fallsBehind()
		u.behind[lane0] = true
		r.s = r.scheduler(u)
		r.want(accepted, set("a", "1h")...)
		r.want(accepted, "op move id a to fra")
		r.pass(lane0)
		if p := r.place("a"); p.Record.State != "waiting" || r.in(fra0, "a").Spec != "" {
			t.Errorf("the replicas are behind, and it is %+v, want it to go on where it is", p)
		}
		u.behind[lane0] = false
		r.pass(lane0)
		if p := r.in(fra0, "a"); p.Spec != "" || r.place("a").Record.State != "frozen" {
			t.Errorf("no replica knows that it was frozen, and in fra it is %+v", p)
		}
		u.catchUp()
		u.behind[fra0] = true
		r.pass(lane0)
		r.age()
		r.pass(lane0)
		if p := r.in(fra0, "a"); p.Record.State != "waiting" || r.place("a").Spec == "" {
			t.Errorf("no replica of fra has it, and it is %+v there and %+v here", p, r.place("a"))
		}
		u.behind[fra0] = false
		r.pass(lane0)
		if left := r.place("a"); left.Spec != "" || left.Record.State != "moved" {
			t.Errorf("left behind: %+v", left)
		}
		r.settle()
	})
}

// A replica that never gets there does not keep a frozen check from running.
func TestFrozenWaitsAMinute(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.s = r.scheduler(r.fallsBehind())
		r.want(accepted, set("a", "1h")...)
		r.want(accepted, "op move id a to fra")
		r.pass(lane0)
		if p := r.place("a"); p.Record.State != "frozen" || r.in(fra0, "a").Spec != "" {
			t.Errorf("it is %+v, want it frozen", p)
		}
		r.age()
		r.pass(lane0)
		if p := r.in(fra0, "a"); p.Record.State != "waiting" {
			t.Errorf("in fra it is %+v", p)
		}
	})
}
