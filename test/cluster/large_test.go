package cluster_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/proctest"
	"github.com/redpoll/redpoll/internal/redistest"
)

// A zone of some thousand checks grows to eight partitions and shrinks to three
// within its bounds, though a scheduler is killed on the way: many pages of
// checks move, nothing is lost, nothing runs twice.
func TestLargeZone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := proctest.NewFleet(t, server.URL(), server.Client(t))
	schedulers, workers := f.Up("-lease", "30s")
	f.Add("default", "c", 3000, 10*time.Second)

	for n, partitions := range []string{"8", "3"} {
		f.ReadResults() // all of this number of lanes
		begun := time.Now()
		f.Must("zones", "set", "default", "--partitions", partitions)
		f.Eventually(2*time.Minute, func() error { return arrived(f) })
		if n == 0 {
			schedulers[0].Signal(syscall.SIGKILL)
		}
		f.Eventually(90*time.Second, func() error { return settled(f, "default", 8-5*n) })
		f.ReadResults() // a lane that was given up takes its own along
		f.Logf("3000 checks were in their %s lanes after %s", partitions, time.Since(begun).Round(time.Millisecond))
		f.GoOn(time.Now(), 1, 20*time.Second)
		if out := f.Must("verify"); !strings.HasPrefix(out, "0 problems in 3000 checks ("+partitions+" lanes") {
			t.Errorf("redpoll verify: %s", out)
		}
	}
	for _, w := range workers {
		w.Stop()
	}
	f.Judge(proctest.Bounds{Gap: 20 * time.Second}, 0)
	if ids := f.Beside(); len(ids) > 0 {
		t.Errorf("two runs of these checks went on at once: %s", strings.Join(ids, " "))
	}
}

// arrived gives an error until some checks have come into another lane.
func arrived(f *proctest.Fleet) error {
	for _, p := range f.Procs() {
		if p.Alive() && strings.HasPrefix(p.Name, "s") && p.Metric("redpoll_moved_checks_total") > 0 {
			return nil
		}
	}
	return errors.New("no check has moved")
}
