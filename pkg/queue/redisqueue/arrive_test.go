package redisqueue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// arriveOver has a check arrive where a record stands already.
func (r *rig) arriveOver(have, rev string) check.MoveOutcome {
	r.t.Helper()
	ctx := r.t.Context()
	rec := strings.Replace(frozenRecord, "1001-0", rev, 1)
	rec = strings.Replace(rec, "/1000/", fmt.Sprintf("/%d/", int64(1e12)), 1)
	r.must(r.client.HSet(ctx, r.KeyRuns(lane), "a", have).Err())
	out, err := r.Arrive(ctx, lane, []check.Cargo{{Frozen: check.Frozen{ID: "a", Record: rec}, Spec: "carried"}})
	r.must(err)
	return out[0]
}

// The newer word of a check wins, by its revision; of two that say they left
// the one that left later.
func TestArriveComparesWhatIsThere(t *testing.T) {
	const tail = " - 0123456789abcdef 0"
	way := func(state, kind string, at int64) string {
		return fmt.Sprintf("%s - 9 - - 0 0 1001-0 >default:9/%s/%d/x 0123456789abcdef 1", state, kind, at)
	}
	for _, tt := range []struct {
		name, have, rev string
		want            check.MoveOutcome
	}{
		{"waits, as new", "w - 9 - - 0 0 1001-0" + tail, "1001-0", check.MoveKept},
		{"waits, newer", "w - 9 - - 0 0 1002-0" + tail, "1001-0", check.MoveKept},
		{"waits, older", "w - 9 - - 0 0 1000-0" + tail, "1001-0", check.MoveBehind},
		{"runs, older", "l - 9 5-0 w/x 9 0 1000-0" + tail, "1001-0", check.MoveBehind},
		{"bad, older", "b - 9 - - 0 0 1000-0" + tail, "1001-0", check.MoveBehind},
		{"removed before", "t - 9 - - 0 0 1000-0 - - 9", "1001-0", check.MoveTaken},
		{"removed since", "t - 9 - - 0 0 1002-0 - - 9", "1001-0", check.MoveKept},
		{"removed, and still runs", "t - 9 5-0 w/x 9 0 1000-0 - - 9", "1001-0", check.MoveBusy},
		{"left before", way("t", "m", 1e12-1), "1001-0", check.MoveTaken},
		{"left before, by a clock that is ahead", way("t", "m", 1e12+1000), "1001-0", check.MoveTaken},
		{"was here and went on", way("t", "m", 1e12+5000), "1001-0", check.MoveKept},
		{"was here, newer", way("t", "z", 1e12-9000), "1000-0", check.MoveKept},
		{"leaves this lane", way("b", "w", 1e12-1), "1001-0", check.MoveTaken},
		{"was here and goes on", way("b", "p", 1e12+5000), "1001-0", check.MoveKept},
		{"is expected", way("t", "c", 0), "1001-0", check.MoveTaken},
		{"junk", "junk", "1001-0", check.MoveBad},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				r.hand("a", "hand")
				if got := r.arriveOver(tt.have, tt.rev); got != tt.want {
					t.Fatalf("Arrive = %s, want %s", got, tt.want)
				}
				p := r.place("a")
				if tt.want != check.MoveTaken {
					if r.rec(lane, "a") != tt.have || p.Spec != "hand" || p.Due != 0 {
						t.Errorf("it changed something: %+v", p)
					}
					return
				}
				// Planned times go on to rise. A text stays that a hand wrote where
				// the check was not.
				want := map[bool]string{true: "carried", false: "hand"}[strings.HasPrefix(tt.have, "b")]
				if p.Record.State != "waiting" || p.Record.Planned != 9 || p.Due != 7000 || p.Spec != want {
					t.Errorf("it is %+v, with the text %q", p, want)
				}
			})
		})
	}
}
