package redisqueue

import (
	"fmt"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// A check is elsewhere from the moment on in which it arrives there, also when
// it was there before.
func TestElsewhere(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		for _, id := range []string{"a", "stays"} {
			r.set(id, 1, 1)
		}
		want := func(when string, in check.Lane, want ...bool) {
			t.Helper()
			got, err := r.Elsewhere(t.Context(), in, []string{"a", "stays", "nobody"})
			r.must(err)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, in %s: elsewhere %v, want %v", when, in, got, want)
			}
		}
		want("at first", lane, false, false, false)
		f := r.freeze(lane, other, "a")
		want("frozen", lane, false, false, false)
		c, _ := r.arrive(lane, f)
		want("arrived", lane, true, false, false)
		want("arrived", other, false, false, false)
		r.depart(lane, c)
		want("gone", lane, true, false, false)
		back := r.freeze(other, lane, "a")
		want("frozen for the way back", other, false, false, false)
		r.arrive(other, back)
		want("back", other, true, false, false)
		want("back", lane, false, false, false)
	})
}

// What stood in the new lane before a check came there is no arrival, and what
// has gone on from there is one: the revision tells.
func TestElsewhereComparesRevisions(t *testing.T) {
	const tail = " 0123456789abcdef 0"
	for _, tt := range []struct {
		name, there string
		want        bool
	}{
		{"an older one of that name", "w - 9 - - 0 0 1000-0 -" + tail, false},
		{"an older one of that name, removed", "t - 9 - - 0 0 1000-0 -" + tail, false},
		{"an older one that went on", "t - 9 - - 0 0 1000-0 >fra:0/z/5/x" + tail, false},
		{"it is there", "w - 9 - - 0 0 1001-0.1 -" + tail, true},
		{"removed there", "t - 9 - - 0 0 1002-0 -" + tail, true},
		{"goes on", "b - 9 - - 0 0 1001-0.1 >fra:0/w/5/x" + tail, true},
		{"comes back", "b - 9 - - 0 0 1001-0.1 >default:0/w/5/x" + tail, true},
		{"comes back, removed and set there", "b - 9 - - 0 0 1005-0 >default:0/p/5/x" + tail, true},
		{"expected", "t - 9 - - 0 0 1001-0 >default:0/c/0/-" + tail, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				r.set("a", 1, 1)
				if f := r.freeze(lane, other, "a"); f.Rev != "1001-0" || f.To != other {
					t.Fatalf("Freeze = %+v", f)
				}
				r.must(r.client.HSet(t.Context(), r.KeyRuns(other), "a", tt.there).Err())
				if st := standing(tt.there); st.Kind == check.StandsNot {
					t.Fatalf("%q is no record", tt.there)
				}
				got, err := r.Elsewhere(t.Context(), lane, []string{"a"})
				r.must(err)
				if got[0] != tt.want {
					t.Errorf("elsewhere %v, want %v", got[0], tt.want)
				}
			})
		})
	}
}
