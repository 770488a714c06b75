package redisqueue

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// arriveOver has a check arrive where a record stands already.
func (r *rig) arriveOver(have, rev string) check.MoveOutcome {
	r.t.Helper()
	ctx := r.t.Context()
	rec := strings.Replace(frozenRecord, "1001-0", rev, 1)
	r.must(r.client.HSet(ctx, r.KeyRuns(lane), "a", have).Err())
	out, err := r.Arrive(ctx, lane, []check.Cargo{{Frozen: check.Frozen{ID: "a", Record: rec}, Spec: "carried"}})
	r.must(err)
	return out[0]
}

// Of two records that say where a check is, the one with the higher revision is
// right. It rises with each arrival: what a slow hand carries once more is old.
func TestArriveComparesWhatIsThere(t *testing.T) {
	const tail = " - 0123456789abcdef 0"
	way := func(state, rev, kind string) string {
		return state + " - 9 - - 0 0 " + rev + " >default:9/" + kind + "/1000/x 0123456789abcdef 1"
	}
	later := func(rec string) string { return strings.Replace(rec, "/1000/", "/9000/", 1) }
	for _, tt := range []struct {
		name, have, rev string
		want            check.MoveOutcome
	}{
		{"waits, came before", "w - 9 - - 0 0 1001-0.1" + tail, "1001-0", check.MoveKept},
		{"waits, as new", "w - 9 - - 0 0 1001-0" + tail, "1001-0", check.MoveKept},
		{"waits, newer", "w - 9 - - 0 0 1002-0" + tail, "1001-0", check.MoveKept},
		{"waits, older", "w - 9 - - 0 0 1000-0" + tail, "1001-0", check.MoveBehind},
		{"runs, older", "l - 9 5-0 w/x 9 0 1000-0" + tail, "1001-0", check.MoveBehind},
		{"bad, older", "b - 9 - - 0 0 1000-0" + tail, "1001-0", check.MoveBehind},
		{"removed before", "t - 9 - - 0 0 1000-0 - - 9", "1001-0", check.MoveTaken},
		{"removed since", "t - 9 - - 0 0 1002-0 - - 9", "1001-0", check.MoveKept},
		{"removed since by hand", "t - 9 - - 0 0 1001-0.2 - - 9", "1001-0", check.MoveKept},
		{"removed, and still runs", "t - 9 5-0 w/x 9 0 1000-0 - - 9", "1001-0", check.MoveBusy},
		{"left, and comes back", way("t", "1001-0", "m"), "1001-0.1", check.MoveTaken},
		{"leaves, and comes back", way("b", "1001-0.4", "p"), "1001-0.5", check.MoveTaken},
		{"came and went on", way("t", "1001-0.1", "z"), "1001-0", check.MoveKept},
		{"came and goes on", way("b", "1001-0.1", "w"), "1001-0", check.MoveKept},
		{"left with no counter, and comes back", way("t", "1001-0", "m"), "1001-0", check.MoveTaken},
		{"left the zone with no counter, and comes back", way("t", "1001-0", "z"), "1001-0", check.MoveTaken},
		{"leaves with no counter, and comes back", way("b", "1001-0", "w"), "1001-0", check.MoveTaken},
		{"came and went on with no counter", later(way("t", "1001-0", "m")), "1001-0", check.MoveKept},
		{"came and goes on with no counter", later(way("b", "1001-0", "p")), "1001-0", check.MoveKept},
		{"is expected", way("t", "1001-0", "c"), "1001-0", check.MoveTaken},
		{"a newer one is expected", way("t", "1002-0", "c"), "1001-0", check.MoveBusy},
		{"was expected, and set since", way("t", "1001-0", "c"), "1003-0", check.MoveTaken},
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
				if again := r.arriveOver(r.rec(lane, "a"), tt.rev); again != check.MoveKept {
					t.Errorf("Arrive once more = %s", again)
				}
			})
		})
	}
}
