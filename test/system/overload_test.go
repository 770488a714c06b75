package system

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// addChecks adds checks with ids of a prefix, spread over their grid, whose
// command has at most timeout.
func (f *fleet) addChecks(prefix, host string, n int, every, timeout time.Duration) {
	f.Helper()
	lines := make([]string, n)
	for i := range lines {
		id := fmt.Sprintf("%s%03d", prefix, i)
		lines[i] = fmt.Sprintf(`XADD redpoll:intake * id %s command tcp every %s timeout %s params.timeout 40s params.host %s params.port %d params.send "%s\n" params.expect ok first spread`,
			id, every, timeout, host, f.target.port, id)
	}
	f.lines(lines...)
}

// finished gives the results of the checks with a prefix that were planned from
// an instant on.
func (f *fleet) finished(prefix string, from time.Time) (list []check.Event) {
	f.Helper()
	f.readResults()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, results := range f.results {
		for _, r := range results {
			if strings.HasPrefix(id, prefix) && r.Planned >= from.UnixMilli() {
				list = append(list, r)
			}
		}
	}
	return list
}

// lateness gives a quantile of how late runs started.
func lateness(list []check.Event, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	var late []int64
	for _, r := range list {
		late = append(late, r.Started-r.Planned)
	}
	slices.Sort(late)
	return time.Duration(late[int(q*float64(len(late)-1))]) * time.Millisecond
}

// Half of all checks run into their timeouts, which would take more slots than
// there are: the other half does not notice, and the dead ones take turns.
func TestDeadTargets(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	const checks, every, timeout, window = 80, 3 * time.Second, 2 * time.Second, 10 * time.Second
	w := f.worker("w1", "-slots", "40")
	f.ready(f.scheduler("s1"), w)
	f.addChecks("live", "127.0.0.1", checks, every, timeout)
	f.addChecks("dead", "127.0.0.1", checks, every, timeout)
	atLeastOnce := func(prefix string, from time.Time, good func(check.Event) bool) {
		t.Helper()
		f.eventually(2*window, func() error {
			seen := map[string]bool{}
			for _, r := range f.finished(prefix, from) {
				if good(r) {
					seen[r.Check.ID] = true
				}
			}
			if len(seen) < checks {
				return fmt.Errorf("%d of %d %s checks", len(seen), checks, prefix)
			}
			return nil
		})
	}
	anyway := func(check.Event) bool { return true }
	timedOut := func(r check.Event) bool { return r.Result.State != check.StateOK }
	atLeastOnce("dead", time.Time{}, anyway)
	begun := time.Now()
	pass(t, window)
	healthy := f.finished("live", begun)

	for i := range checks {
		f.target.holdOne(fmt.Sprintf("dead%03d", i), time.Minute)
	}
	atLeastOnce("dead", begun, timedOut) // now it is known that they are slow
	missed, died := w.metric("redpoll_missed_slots_total"), time.Now()
	pass(t, window)
	beside := f.finished("live", died)
	before, after := lateness(healthy, 0.9), lateness(beside, 0.9)
	t.Logf("nine of ten runs of the live half start within %s, beside the dead half within %s; %d and %d runs; %v missed slots", before, after,
		len(healthy), len(beside), w.metric("redpoll_missed_slots_total")-missed)
	if limit := 10*before + 500*time.Millisecond; after > limit {
		t.Errorf("nine of ten runs start within %s beside the dead half, want at most %s", after, limit)
	}
	if len(beside) < len(healthy)*8/10 {
		t.Errorf("%d runs of the live half beside the dead one, %d without it", len(beside), len(healthy))
	}
	if w.metric("redpoll_missed_slots_total") == missed {
		t.Error("no slot was missed: the slots bear all that is dead, and the test shows nothing")
	}
	atLeastOnce("dead", died, timedOut) // nobody starves

	for i := range checks {
		f.target.holdOne(fmt.Sprintf("dead%03d", i), 0)
	}
	atLeastOnce("dead", time.Now(), func(r check.Event) bool { return r.Result.State == check.StateOK })
	f.verify()
	w.stop()
}

// A device that is slow has at most as many visitors of a worker as it may
// have, whatever waits for it.
func TestPerTarget(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	const checks, most = 40, 3
	w := f.worker("w1", "-slots", "10", "-per-target", strconv.Itoa(most))
	f.ready(f.scheduler("s1"), w)
	for i := range checks {
		f.target.holdOne(fmt.Sprintf("device%03d", i), 300*time.Millisecond)
	}
	f.addChecks("device", "localhost", checks, time.Hour, 10*time.Second)
	f.addChecks("other", "127.0.0.1", checks, 2*time.Second, 10*time.Second)
	for i := range checks {
		f.lines(fmt.Sprintf("XADD redpoll:intake * op run id device%03d", i))
	}
	worst, waited := 0, 0.0
	f.eventually(20*time.Second, func() error {
		worst, waited = max(worst, f.target.visitors("device")), max(waited, w.metric("redpoll_waiting_runs"))
		if n := len(f.finished("device", time.Time{})); n < checks {
			return fmt.Errorf("%d of %d checks of the device have run", n, checks)
		}
		return nil
	})
	if worst > most || waited == 0 {
		t.Errorf("%d checks of the device ran at once, want at most %d; %v waited, want some", worst, most, waited)
	}
	t.Logf("at most %d at once, %v waited; the others started within %s", worst, waited, lateness(f.finished("other", time.Time{}), 0.9))
	f.verify()
	w.stop()
}

// Workers that were away find every check queued, long overdue: that is
// counted, not made up, and what follows is spread as ever.
func TestBacklogIsNoBurst(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	const checks, every = 200, 2 * time.Second
	w := f.worker("w1")
	f.ready(f.scheduler("s1"), w)
	f.addChecks("c", "127.0.0.1", checks, every, 10*time.Second)
	f.eventually(10*time.Second, func() error {
		if n := len(f.finished("c", time.Time{})); n < checks {
			return fmt.Errorf("%d runs", n)
		}
		return nil
	})
	w.stop()
	left := time.Now()
	f.eventually(30*time.Second, func() error {
		entries, err := f.client.XRange(t.Context(), key("ready"), "-", "+").Result()
		if err != nil {
			return err
		}
		if len(entries) < checks {
			return fmt.Errorf("%d checks are queued", len(entries))
		}
		for _, e := range entries {
			due, err := strconv.ParseInt(fmt.Sprint(e.Values["due"]), 10, 64)
			if age := time.Since(time.UnixMilli(due)); err != nil || age < 12*time.Second {
				return fmt.Errorf("%v has been due for %s", e.Values["id"], age)
			}
		}
		return nil
	})
	back := time.Now()
	w = f.again(w)
	f.ready(w)
	f.eventually(10*time.Second, func() error {
		if n := len(f.finished("c", back)); n < 2*checks {
			return fmt.Errorf("%d runs since the worker is back", n)
		}
		return nil
	})
	if got, want := w.metric("redpoll_missed_slots_total"), float64(checks*int(back.Sub(left)/every-1)); got < want {
		t.Errorf("%v missed slots were counted, want at least %v", got, want)
	}
	buckets := map[int64]int{}
	for _, r := range f.finished("c", left) {
		if r.Planned < back.UnixMilli()-every.Milliseconds() {
			t.Errorf("%s ran for %s, which had long passed", r.Check.ID, time.UnixMilli(r.Planned))
		}
		buckets[r.Planned/500]++
	}
	for at, n := range buckets {
		if n > checks*6/10 {
			t.Errorf("%d runs are planned for the half second at %s, of %d checks every %s: a burst", n, time.UnixMilli(at*500), checks, every)
		}
	}
	f.verify()
	w.stop()
}
