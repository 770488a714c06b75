package sentinel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/bintest"
	"github.com/redpoll/redpoll/internal/proctest"
	"github.com/redpoll/redpoll/internal/redistest"
)

func TestMain(m *testing.M) { os.Exit(bintest.Main(m)) }

// The primary is killed while checks run, checks move to more partitions and
// requests come. A replica takes over, the fleet goes on, and what Redis had
// lost of the requests is there again when they are applied once more.
func TestSentinelFailover(t *testing.T) {
	s := redistest.StartSentinels(t)
	f := proctest.NewFleet(t, s.URL(), s.Client())
	_, workers := f.Up("-zones", "default,fra", "-lease", "3s")
	f.Target.HoldAll(50 * time.Millisecond)
	f.Add("default", "c", 80, time.Second)
	f.Add("fra", "f", 20, 2*time.Second)
	f.Must("zones", "set", "default", "--partitions", "3")

	file := late(f, 60)
	var wg sync.WaitGroup
	wg.Go(func() { f.Redpoll("apply", "-f", file, "--wait", "2s", "--first", "spread") }) // some of it may be lost
	begun := time.Now()
	s.Primary().Kill()
	f.GoOn(begun, 3, 40*time.Second)
	t.Logf("the primary was killed; all checks had run 3 times after %s", time.Since(begun).Round(time.Millisecond))
	wg.Wait()
	out := f.Must("apply", "-f", file, "--wait", "20s", "--first", "spread")
	t.Log(out)
	f.Watch("late", 60, time.Second)
	f.GoOn(time.Now(), 2, 10*time.Second)

	f.Eventually(40*time.Second, func() error {
		zones, err := f.Queue.Zones(t.Context())
		if err != nil {
			return err
		}
		if z := zones["default"]; z.Spread != 0 || z.Partitions != 3 {
			return fmt.Errorf("zone default is %+v", z)
		}
		return nil
	})
	if out := f.Must("verify"); !strings.HasPrefix(out, "0 problems in 160 checks (4 lanes") {
		t.Errorf("redpoll verify: %s", out)
	}
	for _, w := range workers {
		w.Stop()
	}
	f.Judge(proctest.Bounds{Doubles: 2 * s.Failovers(), Gap: 15 * time.Second, OffGrid: 2}, 0)
}

// late writes a file of checks that are applied in the middle of the failover.
func late(f *proctest.Fleet, n int) string {
	f.Helper()
	var text strings.Builder
	for i := range n {
		id := fmt.Sprintf("late%03d", i)
		fmt.Fprintf(&text, "- {id: %s, command: tcp, every: 1s, params: {host: 127.0.0.1, port: %d, send: \"%s\\n\", expect: ok}}\n", id, f.Target.Port, id)
	}
	file := filepath.Join(f.TempDir(), "late.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		f.Fatal(err)
	}
	return file
}
