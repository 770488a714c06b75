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
