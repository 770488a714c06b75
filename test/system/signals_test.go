package system

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// longLease is one that no test would wait for.
const longLease = "60s"

// nothingPending demands that a worker that is gone has left nothing behind.
func (f *fleet) nothingPending(worker string) {
	f.Helper()
	if out := f.cli("XPENDING", key("ready"), "workers", "-", "+", "100", worker); out != "" {
		f.Errorf("%s ended and still holds\n%s", worker, out)
	}
}

// A worker that is told to stop finishes what runs, and nothing waits for a
// lease.
func TestDrain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s := f.scheduler("s1")
	ws := []*proc{f.worker("w1", "-lease", longLease), f.worker("w2", "-lease", longLease)}
	f.ready(s, ws[0], ws[1])
	f.target.holdAll(800 * time.Millisecond)
	f.add(60, 2*time.Second)
	for i := range 4 {
		took := ws[0].stop()
		f.nothingPending(ws[0].Name)
		if limit := 2*time.Second + *slack; took > limit {
			t.Errorf("drained for %s, want at most %s", took, limit)
		}
		w := f.worker(fmt.Sprintf("w%d", i+3), "-lease", longLease)
		f.ready(w)
		ws = []*proc{ws[1], w}
		pass(t, 500*time.Millisecond)
	}
	if n := f.target.cuts(); n > 0 {
		t.Errorf("%d runs were cut off, want them finished", n)
	}
	f.finish(bounds{gap: 2 * time.Second})
	f.noRepairs()
}

// What does not end within the grace is cut off and handed back: another
// worker runs it at once.
func TestDrainWithoutGrace(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s := f.scheduler("s1")
	w1 := f.worker("w1", "-lease", longLease, "-grace", "500ms")
	f.ready(s, w1)
	const checks = 40
	f.add(checks, 2*time.Second)
	f.target.holdAll(30 * time.Second)
	f.eventually(3*time.Second, func() error {
		if n := f.target.waiting(); n < checks {
			return fmt.Errorf("%d of %d checks run", n, checks)
		}
		return nil
	})
	f.target.holdAll(0)
	f.ready(f.worker("w2", "-lease", longLease))
	told := time.Now()
	took := w1.stop()
	f.nothingPending("w1")
	f.goOn(told, 1, 500*time.Millisecond+time.Second)
	t.Logf("ended after %s", took.Round(time.Millisecond))
	f.eventually(time.Second, func() error { // the target hears of each by itself
		if n := f.target.cuts(); n != checks {
			return fmt.Errorf("%d runs were cut off, want all %d", n, checks)
		}
		return nil
	})
	if limit := 2*time.Second + *slack; took > limit {
		t.Errorf("ended after %s, want at most %s", took, limit)
	}
	f.finish(bounds{doubles: 1, gap: 5 * time.Second})
	f.noRepairs()
}

// Every process is replaced, one after the other, and nobody notices.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ss, ws := f.up(2, 3)
	f.target.holdAll(50 * time.Millisecond)
	f.add(150, time.Second, 2*time.Second)
	for range 2 {
		for i, w := range ws {
			w.stop()
			f.nothingPending(w.Name)
			ws[i] = f.again(w)
			f.ready(ws[i])
		}
		for i, s := range ss {
			s.stop()
			ss[i] = f.again(s)
			f.ready(ss[i])
		}
	}
	f.finish(bounds{gap: 2 * time.Second})
	f.noRepairs()
}

// One worker has too few slots for the checks: it uses them all, and no more, and
// checks miss their times. With four no check misses one.
func TestScale(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s := f.scheduler("s1")
	const checks, slots = 60, 10
	w := f.worker("w1", "-slots", fmt.Sprint(slots))
	f.ready(s, w)
	f.target.holdAll(500 * time.Millisecond) // 20 runs a second and worker
	f.add(checks, time.Second)
	most := 0
	for end := time.Now().Add(phase(4 * time.Second)); time.Now().Before(end); pass(t, 5*time.Millisecond) {
		most = max(most, f.target.waiting())
	}
	if missed := w.metric("redpoll_missed_slots_total"); most != slots || missed == 0 {
		t.Errorf("one worker made %d runs at once, want %d; %v times were missed, want some", most, slots, missed)
	}
	for i := range 3 {
		f.ready(f.worker(fmt.Sprintf("w%d", i+2), "-slots", fmt.Sprint(slots)))
	}
	since, row := time.Now(), int(phase(6*time.Second)/time.Second)
	f.eventually(10*phase(6*time.Second), func() error { return f.inARow(row, time.Second, since) })
	t.Logf("%s after there are four workers each of %d checks has run %d times in a row", time.Since(since).Round(time.Millisecond), checks, row)
	f.finish(bounds{gap: 5 * time.Second})
	share := map[string]int{}
	for _, rs := range f.results {
		for _, r := range rs {
			share[r.Worker]++
		}
	}
	t.Logf("results by worker: %v", share)
	if len(share) != 4 {
		t.Errorf("results by worker: %v, want four", share)
	}
	f.noRepairs()
}

// inARow gives an error unless the latest n runs of each check, planned since an
// instant, leave no time out.
func (f *fleet) inARow(n int, every time.Duration, since time.Time) error {
	f.Helper()
	f.readResults()
	for _, id := range f.all() {
		var row []int64
		for _, r := range f.results[id] {
			if len(row) > 0 && r.Planned != row[len(row)-1]+every.Milliseconds() {
				row = nil
			}
			if r.Planned >= since.UnixMilli() {
				row = append(row, r.Planned)
			}
		}
		if len(row) < n {
			return fmt.Errorf("%s has run %d times in a row, want %d", id, len(row), n)
		}
	}
	return nil
}

// A Redis that hangs holds up the stop of a daemon no longer than its grace and
// some seconds.
func TestStopWhileRedisHangs(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s, w := f.scheduler("s1"), f.worker("w1", "-grace", "1s")
	f.ready(s, w)
	f.add(20, time.Second)
	f.target.holdAll(200 * time.Millisecond) // some runs are on their way
	if err := syscall.Kill(f.redis.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(f.redis.Pid(), syscall.SIGCONT)
	f.eventually(15*time.Second, func() error { // both are in a call that does not come back
		if s.ready() == nil {
			return errors.New("the scheduler has not noticed")
		}
		return nil
	})
	for _, p := range []struct {
		*proc
		most time.Duration
	}{{w, 4 * time.Second}, {s, 6 * time.Second}} {
		took := p.stop()
		t.Logf("%s took %s", p.Name, took)
		if took > p.most+*slack {
			t.Errorf("%s took %s to stop, want at most %s", p.Name, took, p.most)
		}
	}
}
