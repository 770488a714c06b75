package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/proctest"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// The servers that checks move between fail over together, when checks have
// arrived and when they depart: none is lost, and what ran then runs at most
// twice more.
func TestBothServersFailOver(t *testing.T) {
	t.Parallel()
	for name, instant := range map[string]func(f *proctest.Fleet) error{"arrived": arrived, "departing": departing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := redistest.StartCluster(t, 3)
			f := proctest.NewFleet(t, c.URL(), c.Client())
			_, workers := f.Up("-lease", lease.String())
			f.Add("default", "c", 800, 4*time.Second)
			f.Must("zones", "set", "default", "--partitions", "8")
			f.Eventually(60*time.Second, func() error { return instant(f) })

			begun := time.Now()
			from := c.Primary(f.Queue.KeyRuns(check.Lane{Zone: "default"}))
			to := from
			for part := 1; part < 8 && to == from; part++ {
				to = c.Primary(f.Queue.KeyRuns(check.Lane{Zone: "default", Part: part}))
			}
			c.FailOver(from, to)
			f.GoOn(begun, 3, 40*time.Second)
			f.Eventually(90*time.Second, func() error { return settled(f, "default", 8) })
			t.Logf("two of three primaries were killed; all checks were in their lanes after %s", time.Since(begun).Round(time.Millisecond))
			if out := f.Must("verify"); !strings.HasPrefix(out, "0 problems in 800 checks") {
				t.Errorf("redpoll verify: %s", out)
			}
			for _, w := range workers {
				w.Stop()
			}
			f.Judge(proctest.Bounds{Doubles: 2, Gap: 20 * time.Second, OffGrid: 2}, 0)
		})
	}
}

// departing gives an error until some checks have left their old lane.
func departing(f *proctest.Fleet) error {
	if f.Queue.Client().HLen(f.Context(), f.Queue.KeySpecs(check.Lane{Zone: "default"})).Val() == 800 {
		return errors.New("no check has departed")
	}
	return nil
}
