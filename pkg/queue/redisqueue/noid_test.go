package redisqueue

import (
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// A script of somebody whose variable was empty puts a spec under the id "".
// It is refused like any other bad text, once: the mark must stay, whatever
// moves other checks make.
func TestSpecWithoutIDIsRefusedOnce(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx, text := t.Context(), specText("x", 1)
		r.must(r.client.HSet(ctx, r.KeySpecs(lane), "", text).Err())
		bad := []check.RepairItem{{ID: "", SHA: sha(text), Bad: true}}
		_, err := r.Repair(ctx, lane, bad, true)
		r.must(err)
		r.start("other", "w/a")
		found, err := r.Repair(ctx, lane, []check.RepairItem{{ID: "", SHA: sha(text)}}, true)
		r.must(err)
		if len(found) != 0 {
			t.Errorf("Repair() = %v, want nothing more to be told", found)
		}
	})
}
