package worker

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A stop waits until there are neither runs nor results to write: a run on its
// way from one to the other must be seen by who looks at runs, then results.
func TestRunIsNeverOutOfSight(t *testing.T) {
	t.Parallel()
	w, err := New(Config{Queue: newFake(), Commands: commands(), Name: "w1"})
	if err != nil {
		t.Fatal(err)
	}
	p := phases{work: t.Context(), queue: t.Context()}
	r := &run{lease: check.Lease{Entry: check.Entry{Lane: lane, ID: "a"}}}
	w.runs.add([]*run{r})
	w.commits.mu.Lock() // nobody gets a result in now
	done := make(chan struct{})
	go func() {
		w.complete(p, r, commit{})
		close(done)
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 50 {
		if <-tick.C; !w.runs.any() {
			t.Error("the run is gone and its result is not there yet: a stop would not wait for it")
			break
		}
	}
	w.commits.mu.Unlock()
	<-done
	w.endings.Wait()
	if w.runs.any() || !w.commits.wait(t.Context(), 1) {
		t.Error("the run or its result is still there")
	}
}

// TestStopWithHangingQueue: calls that do not come back, whatever their context
// says, hold up the stop no longer than the grace and 3 s.
func TestStopWithHangingQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		var hangs atomic.Bool
		hang := func() error {
			if hangs.Load() {
				<-time.After(time.Minute)
			}
			return nil
		}
		q.onRead = func([]check.Lane, int) error { return hang() }
		q.onLease = func(check.LeaseRequest) error { return hang() }
		q.onComplete = func([]check.Completion) error { return hang() }
		q.onRenew = func([]check.Holding) error { return hang() }
		q.onRelease = q.onRenew
		q.onBeat = func(check.Heartbeat) error { return hang() }
		q.put("a", specOf("a", "s60", `,"timeout":"2m"`))
		q.put("b", specOf("b", "second", ""))
		w := start(t, q, nil)
		pass(10 * time.Millisecond)
		hangs.Store(true)
		pass(5 * time.Second)
		if took, most := w.stop(), 13*time.Second; took > most {
			t.Errorf("stop took %s, want the grace of 10 s and 3 s at most", took)
		}
		pass(5 * time.Minute) // what hangs ends before the test does
	})
}
