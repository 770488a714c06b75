package scheduler

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestLanesAppearAndAreRestored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		seen := map[string]int{}
		var restored check.Zone
		f := &fakeQueue{
			zones: func() (map[string]check.Zone, error) {
				list := map[string]check.Zone{"default": {Version: 1, Partitions: 1}}
				switch at := time.Since(start); {
				case at > 6*time.Second && restored.Partitions == 0: // lost, and entered anew
					list["eu"] = check.Zone{Version: 1, Partitions: 1}
				case at > 3*time.Second:
					list["eu"] = check.Zone{Version: 1, Partitions: 2}
				}
				return list, nil
			},
			restoreZone: func(zone string, z check.Zone) error { restored = z; return nil },
			dispatch: func(lane check.Lane, _ int) (check.Dispatched, error) {
				mu.Lock()
				defer mu.Unlock()
				if time.Since(start) > 8*time.Second {
					seen[lane.String()]++
				}
				return check.Dispatched{Now: 1, Next: -1}, nil
			},
		}
		runFor(t, New(f, Config{}), 10*time.Second)
		for _, lane := range []string{"default:0", "eu:0", "eu:1"} {
			if seen[lane] < 30 {
				t.Errorf("lane %s was looked after %d times in 2 s", lane, seen[lane])
			}
		}
		if restored != (check.Zone{Version: 1, Partitions: 2}) {
			t.Errorf("restored %+v, want what was known", restored)
		}
	})
}

// Workers have no right to write the list of zones: schedulers do, for live ones
// and within bounds.
func TestZonesOfWorkersAreEntered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		entered := map[string]int{}
		list := map[string]check.Zone{"default": {Version: 1, Partitions: 1}}
		many := []string{"default", "fra", "No Zone", ""}
		for i := range 3 * maxZones {
			many = append(many, fmt.Sprintf("z%d", i))
		}
		f := &fakeQueue{
			zones: func() (map[string]check.Zone, error) {
				mu.Lock()
				defer mu.Unlock()
				return maps.Clone(list), nil
			},
			workers: func() ([]check.Heartbeat, error) {
				now := time.Now().UnixMilli()
				return []check.Heartbeat{
					{Name: "w1", Zones: many, At: now, Every: 3000}, {Name: "dead", Zones: []string{"gone"}, At: now - 60_000, Every: 3000},
				}, nil
			},
			enterZone: func(zone string) error {
				mu.Lock()
				defer mu.Unlock()
				entered[zone]++
				list[zone] = check.Zone{Version: 1, Partitions: 1}
				return nil
			},
		}
		s := New(f, Config{})
		for range 3 {
			if _, err := s.findLanes(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-time.After(lookForWorkers)
		}
		if entered["fra"] != 1 || entered["gone"]+entered["default"]+entered["No Zone"]+entered[""] != 0 {
			t.Errorf("entered %v, want fra once and neither default nor what is no zone of a live worker", entered)
		}
		if n := len(list); n > maxZones {
			t.Errorf("%d zones, want at most %d", n, maxZones)
		}
	})
}

func TestStraysAreReportedAfterAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		dropped := []string{"typo", "late", "bad\xff\n"}
		var verdicts []check.Verdict
		var at time.Duration
		f := &fakeQueue{
			dispatch: func(check.Lane, int) (check.Dispatched, error) {
				d := check.Dispatched{Now: 1, Next: -1, Dropped: dropped}
				dropped = nil
				return d, nil
			},
			specs: func(_ check.Lane, ids []string) ([]check.Stored, error) {
				out := make([]check.Stored, len(ids))
				for i, id := range ids {
					if out[i].ID = id; id == "late" {
						out[i].Spec = "{}"
					}
				}
				return out, nil
			},
			done: func(vs []check.Verdict) error {
				at = time.Since(start)
				verdicts = append(verdicts, vs...)
				return nil
			},
		}
		strays := 0
		s := New(f, Config{Hooks: Hooks{Dispatched: func(_ check.Lane, _, n int) { strays += n }}})
		runFor(t, s, 3*time.Minute)
		if strays != 3 {
			t.Errorf("counted %d strays, want 3", strays)
		}
		if len(verdicts) != 2 || at < strayGrace || at > strayGrace+2*strayLook {
			t.Fatalf("verdicts %+v after %s, want two after a minute", verdicts, at)
		}
		for _, v := range verdicts {
			if v.Verdict != check.VerdictRejected || v.ID == "late" || v.Entry != "" || v.Zone != "default" {
				t.Errorf("verdict = %+v", v)
			}
		}
		if len(s.strays.seen) != 0 {
			t.Errorf("%d strays are still remembered", len(s.strays.seen))
		}
	})
}

func TestStraysAreBounded(t *testing.T) {
	t.Parallel()
	var st strays
	ids := make([]string, 300)
	for n := range 100 {
		for i := range ids {
			ids[i] = string(rune('a'+n)) + string(rune('A'+i))
		}
		st.add(check.Lane{Zone: "default"}, ids, time.Unix(0, 0))
	}
	if len(st.seen) != maxStrays {
		t.Errorf("%d strays are remembered, want %d", len(st.seen), maxStrays)
	}
}

func TestGauges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type figures struct {
			overdue time.Duration
			ready   int64
		}
		got := map[string]figures{}
		f := &fakeQueue{
			zones: func() (map[string]check.Zone, error) {
				return map[string]check.Zone{"default": {Version: 1, Partitions: 2}, "eu": {Version: 1, Partitions: 1}}, nil
			},
			stats: func(lane check.Lane) (check.Stats, error) {
				if lane.Zone == "eu" {
					return check.Stats{}, errors.New("i/o timeout")
				}
				return check.Stats{Overdue: int64(lane.Part) * 1500, Ready: 7}, nil
			},
		}
		s := New(f, Config{Hooks: Hooks{Zone: func(zone string, overdue time.Duration, ready int64) {
			got[zone] = figures{overdue, ready}
		}}})
		runFor(t, s, 12*time.Second)
		if want := (figures{1500 * time.Millisecond, 14}); len(got) != 1 || got["default"] != want {
			t.Errorf("figures = %v, want default %v alone", got, want)
		}
	})
}
