package scheduler

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// interrupted is a queue beside which others get to work, once: when a carrier
// has found checks frozen, or when it is about to read what goes with them.
type interrupted struct {
	*redisqueue.Queue
	others func()
	late   bool
}

func (q *interrupted) interrupt() {
	others := q.others
	q.others = nil
	others()
}

func (q *interrupted) Freeze(ctx context.Context, lane check.Lane, items []check.Freezing) ([]check.Frozen, error) {
	found, err := q.Queue.Freeze(ctx, lane, items)
	if q.others != nil && !q.late {
		q.interrupt()
	}
	return found, err
}

func (q *interrupted) Cargo(ctx context.Context, lane check.Lane, frozen []check.Frozen, handlers []string) ([]check.Cargo, error) {
	if q.others != nil && q.late {
		q.interrupt()
	}
	return q.Queue.Cargo(ctx, lane, frozen, handlers)
}

// Two carry the same checks: what one of them has let go the other one does not
// take for removed by hand, whether it had arrived before or not.
func TestTwoCarriers(t *testing.T) {
	cases := map[string]func(t *testing.T, r *rig){}
	for name, late := range map[string]bool{"arrived": false, "frozen": true} {
		cases[name] = func(t *testing.T, r *rig) {
			u := r.fallsBehind()
			u.falls[lane0] = late
			r.s = r.scheduler(u)
			r.want(accepted, set("a", "1h")...)
			r.want(accepted, "op move id a to fra")
			r.age()
			u.catchUp()
			q := &interrupted{Queue: r.Queue, late: late, others: func() { r.pass(lane0); r.pass(lane0) }}
			r.must(r.scheduler(q).RepairOnce(t.Context(), lane0))
			if q.others != nil {
				t.Error("nobody else got to work")
			}
			if left := r.place("a"); left.Record.State != "moved" {
				t.Errorf("left behind: %+v", left)
			}
			if is := r.in(fra0, "a"); is.Spec == "" || is.Record.State != "waiting" {
				t.Errorf("in fra it is %+v", is)
			}
			r.settle()
		}
	}
	eachCase(t, cases)
}

// A record that a binary left which did not raise the revision says nothing of
// a check that is frozen later: this one arrives before it departs.
func TestEqualRevisions(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		u := r.fallsBehind()
		r.s = r.scheduler(u)
		r.want(accepted, set("a", "1h")...)
		r.want(accepted, "op move id a to fra")
		frozen := r.place("a")
		if frozen.Record.State != "frozen" {
			t.Fatalf("it is %+v, want it frozen", frozen)
		}
		old := "t - 0 - - 0 0 " + frozen.Record.Rev + " >default:0/z/1/- - 99999999999999"
		r.must(r.client.HSet(t.Context(), r.KeyRuns(fra0), "a", old).Err())
		r.age()
		u.catchUp()
		r.settle()
		if is := r.in(fra0, "a"); !strings.Contains(is.Spec, `"1h"`) || is.Record.State != "waiting" {
			t.Errorf("in fra it is %+v", is)
		}
	})
}

// A move that is applied twice is one move also when the first lane of the check
// has yet to let it go: there it stands with the text that it had before.
func TestMoveIsRepeatedBetweenLanes(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.want(accepted, set("b", "1h")...)
		r.partitions(8)
		r.learned()
		r.passes()
		home := check.Lane{Zone: "default", Part: check.Partition("b", 8)}
		if was, is := r.place("b").Record.State, r.in(home, "b").Record.State; was != "frozen" || is != "waiting" {
			t.Fatalf("it is %s in the lane that it was in, %s in its own", was, is)
		}
		entry := r.request("op move id b to fra")
		found, err := r.IntakeNew(t.Context(), 9, 0)
		r.must(err)
		for range 2 {
			_, err := r.s.apply(t.Context(), found, true)
			r.must(err)
			if r.place("b").Record.State != "frozen" || r.in(fra0, "b").Record.State != "waiting" {
				t.Errorf("it is %+v in its first lane, %+v in fra", r.place("b"), r.in(fra0, "b"))
			}
		}
		for _, v := range r.verdicts() {
			if v.Entry == entry && v.Verdict != accepted {
				t.Errorf("verdict = %+v", v)
			}
		}
		r.settle()
	})
}

// A scheduler that takes over carries on first what the one before it has left
// frozen; only then it begins with others.
func TestFrozenChecksGoFirst(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		u := r.fallsBehind()
		r.s = r.scheduler(u)
		r.want(accepted, set("a", "1h")...)
		r.want(accepted, "op move id a to fra") // and stays frozen: no replica knows it
		r.want(accepted, set("b", "1h")...)
		r.partitions(8)
		if check.Partition("b", 8) == 0 {
			t.Fatal("choose another id")
		}

		u.catchUp()
		r.s = r.scheduler(u)
		r.learned()
		for _, want := range []string{"waiting", "frozen"} {
			r.wholePass(lane0)
			if is := r.in(fra0, "a"); is.Record.State != "waiting" {
				t.Errorf("a is %+v in fra", is)
			}
			if st := r.place("b").Record.State; st != want {
				t.Errorf("b is %s, want it %s", st, want)
			}
		}
	})
}

// wholePass makes the pass over a lane that the repair loop would make next.
func (r *rig) wholePass(lane check.Lane) {
	r.t.Helper()
	for range 1000 {
		p := r.s.nextPass(time.Now().Add(time.Hour))
		r.must(r.s.repairPage(r.t.Context(), p))
		if p.lane == lane && p.cursor == 0 && !p.sweeps {
			p.version = 0
			return
		}
		p.served = time.Now()
	}
	r.t.Fatal("the pass does not end")
}
