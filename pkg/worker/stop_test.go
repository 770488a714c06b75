package worker

import (
	"testing"
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
		w.complete(p, r, check.Completion{})
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
