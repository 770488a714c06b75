package scheduler

import (
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A repair pass that has read a spec before a request changed it does not take
// the new one for a hand's: a check that is to move would be put into its new
// lane, and dropped here, without a move.
func TestRequestBehindAPass(t *testing.T) {
	cases := map[string]func(t *testing.T, r *rig){}
	for request, ends := range map[string]check.Lane{"op move id a to fra": fra0, "id a command probe every 2h params.host h": lane0} {
		cases[request] = func(t *testing.T, r *rig) {
			ctx := t.Context()
			r.want(accepted, set("a", "1h")...)
			run := r.lease("w")[0]
			read, err := r.Specs(ctx, lane0, []string{"a"})
			r.must(err)
			zones, err := r.Zones(ctx)
			r.must(err)
			r.want(accepted, request)
			_, err = r.s.verify(ctx, &look{zones: zones, lane: lane0, now: time.UnixMilli(r.now())}, read)
			r.must(err)
			if p := r.place("a"); p.Spec == "" || p.Record.State != "leased" {
				t.Errorf("it runs, and is %+v", p)
			}
			r.onePlace()
			r.complete(run, check.Last{}, r.now())
			if len(r.leaseIn(lane0)) == 0 {
				r.carryOn()
			}
			r.settle()
			if p := r.in(ends, "a"); p.Spec == "" {
				t.Errorf("in the end it is %+v", p)
			}
			r.quiet()
		}
	}
	eachCase(t, cases)
}
