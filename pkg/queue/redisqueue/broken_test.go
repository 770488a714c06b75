package redisqueue

import (
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A lane whose stream somebody made something else of does not keep a worker
// from the others.
func TestReadLeavesABrokenLaneOut(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		broken, fresh := check.Lane{Zone: "broken"}, check.Lane{Zone: "fresh"}
		r.set("a", 1, 1)
		if _, err := r.Dispatch(ctx, lane, 10); err != nil {
			t.Fatal(err)
		}
		r.must(r.client.Set(ctx, r.KeyReady(broken), "junk", 0).Err())
		read := func(lanes ...check.Lane) (got []check.Entry, err error) {
			for range 3 { // the group of a lane is made on the way
				if got, err = r.Read(ctx, "w1", lanes, 10, time.Millisecond); err != nil || len(got) > 0 {
					break
				}
			}
			return got, err
		}
		if got, err := read(broken, fresh, lane); err != nil || len(got) != 1 || got[0].ID != "a" {
			t.Errorf("Read(broken, fresh, default) = %v, %v, want a", got, err)
		}
		if got, err := read(broken); err == nil {
			t.Errorf("Read(broken) = %v, want an error", got)
		}
	})
}

// What is no zone in the list of zones is none: a number of partitions that
// nobody means would drown whoever lists the lanes.
func TestJunkInTheListOfZones(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.must(r.client.HSet(t.Context(), r.KeyZones(),
			"default", "1 2", "a", "1 1000000000", "b", "1 -1", "c", "1", "d", "x y", "{e}", "1 1", "Big Zone", "1 1", "", "1 1", "f", "1 4096").Err())
		zones, err := r.Zones(t.Context())
		if err != nil || len(zones) != 2 || zones["default"].Partitions != 2 || zones["f"].Partitions != MaxPartitions {
			t.Errorf("Zones() = %v, %v, want default and f", zones, err)
		}
	})
}
