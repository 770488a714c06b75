package cluster_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/bintest"
	"github.com/redpoll/redpoll/internal/proctest"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait most of the time.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(bintest.Main(m))
}

// lease is that of the workers: short, so that losses are soon made good, and
// longer than busy machines let a worker wait.
const lease = 5 * time.Second

// Everything that may happen to a fleet on a cluster, one after the other, while
// its checks run: a zone grows from one partition to eight, checks move to
// another zone and back, a slot moves, a primary is killed. Nothing is lost;
// nothing runs twice before the failover, and then what was on the server that
// died at most twice more.
func TestClusterUnderLoad(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	f := proctest.NewFleet(t, c.URL(), c.Client())
	_, workers := f.Up("-zones", "default,fra", "-lease", lease.String())
	f.Target.HoldAll(50 * time.Millisecond)
	f.Add("default", "c", 120, 2*time.Second)
	f.Add("default", "move", 30, time.Second, "labels.group", "move")
	f.Add("fra", "f", 20, time.Second)

	grow(f)
	connections(f, workers[0])
	move(f)
	moveSlot(f, c)
	f.Judge(proctest.Bounds{Gap: 9 * time.Second}, 1)
	if ids := f.Beside(); len(ids) > 0 {
		t.Errorf("two runs of these checks went on at once: %s", strings.Join(ids, " "))
	}

	failover(f, c)
	if out := f.Must("verify"); !strings.HasPrefix(out, "0 problems") {
		t.Errorf("redpoll verify: %s", out)
	}
	for _, w := range workers {
		w.Stop()
	}
	f.Judge(proctest.Bounds{Doubles: 2, Gap: 20 * time.Second, OffGrid: 2}, 0)
	repairs := map[string]int{}
	for _, p := range f.Procs() {
		p.Repairs(repairs)
	}
	t.Logf("repairs after the failover: %v", repairs)
}

// grow gives the default zone eight partitions.
func grow(f *proctest.Fleet) {
	f.Helper()
	f.Must("zones", "set", "default", "--partitions", "8")
	f.Must("verify") // in the middle of it
	begun := time.Now()
	f.Eventually(90*time.Second, func() error { return settled(f, "default", 8) })
	f.Logf("150 checks were in their 8 lanes after %s", time.Since(begun).Round(time.Millisecond))
	f.GoOn(time.Now(), 2, 6*time.Second)
	if out := f.Must("verify"); !strings.HasPrefix(out, "0 problems in 170 checks (9 lanes") || strings.Contains(out, "moving") {
		f.Errorf("redpoll verify: %s", out)
	}
	f.Log("\n" + f.Must("zones"))
}

// settled gives an error while checks of a zone move.
func settled(f *proctest.Fleet, zone string, partitions int) error {
	zones, err := f.Queue.Zones(f.Context())
	if err != nil {
		return err
	}
	if z := zones[zone]; z.Spread != 0 || z.Partitions != partitions {
		return fmt.Errorf("zone %s is %+v", zone, z)
	}
	return nil
}

// connections adds a thousand idle checks: the worker needs no more for them.
func connections(f *proctest.Fleet, w *proctest.Proc) {
	f.Helper()
	files, routines := w.Metric("process_open_fds"), w.Metric("go_goroutines")
	for i := range 1000 {
		f.Request("id", fmt.Sprintf("idle%03d", i), "command", "tcp", "every", "24h", "params.host", "127.0.0.1", "params.port", "9", "first", "spread")
	}
	f.Eventually(15*time.Second, func() error {
		if n := f.Queue.Client().XLen(f.Context(), f.Queue.KeyIntake()).Val(); n > 0 {
			return fmt.Errorf("%d requests wait", n)
		}
		return nil
	})
	more, grown := w.Metric("process_open_fds")-files, w.Metric("go_goroutines")-routines
	// Runs come and go: what is more than that would be more with each check.
	if more > 60 || grown > 150 {
		f.Errorf("with 1000 checks more the worker has %v files and %v goroutines more, before it had %v and %v", more, grown, files, routines)
	}
	f.Logf("a worker with 9 lanes has %v files open and %v goroutines; with 1000 checks more %+v and %+v", files, routines, more, grown)
}

// move moves checks to another zone, and back again.
func move(f *proctest.Fleet) {
	f.Helper()
	for _, to := range []string{"fra", "default"} {
		f.Must("zones", "move", "-l", "group=move", "--to", to, "--wait", "20s")
		f.Eventually(20*time.Second, func() error {
			out, _ := f.Redpoll("get", "--zone", to, "-l", "group=move", "-o", "name")
			if n := strings.Count(out+"\n", "\n"); n != 30 {
				return fmt.Errorf("%d of 30 checks are in zone %s", n, to)
			}
			return nil
		})
		f.GoOn(time.Now(), 2, 6*time.Second)
	}
	f.Must("verify")
}

// moveSlot moves the slot of a lane to another primary.
func moveSlot(f *proctest.Fleet, c *redistest.Cluster) {
	f.Helper()
	begun := time.Now()
	c.MoveSlot(f.Queue.KeyRuns(check.Lane{Zone: "fra"}))
	f.Logf("a slot moved in %s", time.Since(begun).Round(time.Millisecond))
	f.GoOn(time.Now(), 3, 10*time.Second)
	f.Must("verify")
}

// failover kills the primary of most lanes, and waits until everything runs.
func failover(f *proctest.Fleet, c *redistest.Cluster) {
	f.Helper()
	lanes, err := f.Queue.Lanes(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	count := map[*redistest.Server]int{}
	victim := c.Primary(f.Queue.KeyRuns(lanes[0]))
	for _, lane := range lanes {
		s := c.Primary(f.Queue.KeyRuns(lane))
		if count[s]++; count[s] > count[victim] {
			victim = s
		}
	}
	begun := time.Now()
	victim.Kill()
	f.GoOn(begun, 3, 40*time.Second)
	f.Logf("a primary with %d of %d lanes was killed; all checks had run 3 times after %s", count[victim], len(lanes), time.Since(begun).Round(time.Millisecond))
}
