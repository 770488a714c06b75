package redisqueue

import (
	"fmt"
	"sync"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// The list of zones as people and other binaries leave it.
func TestZonesReadsWhatItCan(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.client.HSet(ctx, r.KeyZones(), "default", "1 1", "fra", "3 2", "fra/lanes", "8", "ber", "2 4", "ber/lanes", "x",
			"gone", "5 0", "junk", "a b", "many", "1 99999", "Bad Name", "1 1", "lonely/lanes", "4").Err())
		zones, err := r.Zones(ctx)
		r.must(err)
		want := map[string]check.Zone{
			"default": {Version: 1, Partitions: 1}, "fra": {Version: 3, Partitions: 2, Spread: 8},
			"ber": {Version: 2, Partitions: 4}, "gone": {Version: 5},
		}
		if fmt.Sprint(zones) != fmt.Sprint(want) {
			t.Errorf("Zones = %v, want %v", zones, want)
		}
		for name, want := range map[string]int{"default": 1, "fra": 8, "ber": 4, "gone": 1, "never": 1} {
			if lanes, err := r.Lanes(ctx, name); err != nil || len(lanes) != want {
				t.Errorf("Lanes(%s) = %v %v, want %d", name, lanes, err, want)
			}
		}
		if lanes, err := r.Lanes(ctx); err != nil || len(lanes) != 13 || lanes[0].String() != "ber:0" {
			t.Errorf("Lanes() = %v %v, want the 13 of ber, default and fra", lanes, err)
		}
		r.must(r.EnterZone(ctx, "gone"))
		r.must(r.EnterZone(ctx, "fra"))
		zones, err = r.Zones(ctx)
		r.must(err)
		if zones["gone"] != (check.Zone{Version: 6, Partitions: 1}) || zones["fra"].Version != 3 {
			t.Errorf("entered again: %v", zones)
		}
	})
}

// Changes of partitions are one after the other, and each says that checks may
// be in all lanes that there were.
func TestSetPartitions(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.Require(ctx, false))
		set := func(n int, want check.Zone) {
			t.Helper()
			_, got, err := r.SetPartitions(ctx, "fra", n)
			if err != nil || got != want {
				t.Errorf("SetPartitions(%d) = %+v %v, want %+v", n, got, err, want)
			}
		}
		schema := func(want string) {
			t.Helper()
			if got := r.client.HGet(ctx, r.KeyMeta(), "schema").Val(); got != want {
				t.Errorf("schema = %s, want %s", got, want)
			}
		}
		set(4, check.Zone{Version: 1, Partitions: 4}) // a new zone: nothing to move
		set(4, check.Zone{Version: 1, Partitions: 4})
		schema("1")
		set(8, check.Zone{Version: 2, Partitions: 8, Spread: 8})
		schema("2")
		set(2, check.Zone{Version: 3, Partitions: 2, Spread: 8})
		set(3, check.Zone{Version: 4, Partitions: 3, Spread: 8})
		done, err := r.ChangeZone(ctx, "fra", check.Zone{Version: 5, Partitions: 3})
		if r.must(err); !done {
			t.Error("the end of the moves was not written")
		}
		set(1, check.Zone{Version: 6, Partitions: 1, Spread: 3})
		for _, n := range []int{0, -1, MaxPartitions + 1} {
			if _, _, err := r.SetPartitions(ctx, "fra", n); err == nil {
				t.Errorf("SetPartitions(%d) gave no error", n)
			}
		}
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				if _, _, err := r.SetPartitions(ctx, "ber", n+1); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		zones, err := r.Zones(ctx)
		if r.must(err); zones["ber"].Version != 8 {
			t.Errorf("8 changes at once ended as %+v", zones["ber"])
		}
		// What was known before a loss is not written over what came after it.
		r.must(r.RestoreZone(ctx, "fra", check.Zone{Version: 5, Partitions: 3}))
		if done, err := r.ChangeZone(ctx, "fra", check.Zone{Version: 6, Partitions: 5}); done || err != nil {
			t.Errorf("ChangeZone to the version that is there = %v %v", done, err)
		}
		set(1, check.Zone{Version: 6, Partitions: 1, Spread: 3})
	})
}

// A check is found wherever it stands while its zone's checks move.
func TestLaneOf(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		find := func(zone, id string, want check.Lane) {
			t.Helper()
			if got, err := r.LaneOf(ctx, zone, id); err != nil || got != want {
				t.Errorf("LaneOf(%s, %s) = %s %v, want %s", zone, id, got, err, want)
			}
		}
		r.must(r.EnterZone(ctx, "default"))
		find("default", "a", lane)
		find("nowhere", "a", check.Lane{Zone: "nowhere"})
		r.set("a", 1, 1)
		_, _, err := r.SetPartitions(ctx, "default", 16)
		r.must(err)
		home := check.Lane{Zone: "default", Part: check.Partition("a", 16)}
		if home == lane || home == other {
			t.Fatal("choose another id")
		}
		find("default", "a", lane)
		find("default", "new", check.Lane{Zone: "default", Part: check.Partition("new", 16)})
		f := r.freeze(lane, other, "a")
		find("default", "a", lane) // it has not arrived
		c, _ := r.arrive(lane, f)
		find("default", "a", other)
		r.depart(lane, c)
		find("default", "a", other)
		r.move(other, home, "a")
		find("default", "a", home)

		_, err = r.Plant(ctx, third, []check.Stone{{ID: "a", Rev: r.placeIn(home, "a").Record.Rev, From: home, Until: r.now() + 60_000}})
		r.must(err)
		find("fra", "a", home) // it is to come from there
		r.move(home, third, "a")
		find("fra", "a", third)
		find("default", "a", home) // where it is not any more
	})
}
