package system

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// After 20 s without anybody 10,000 checks go on as if nothing had been: on
// their grid, none for a time that has passed, so that no second sees more of
// them than usual, and most of them on time.
func TestRestartBunchesNothing(t *testing.T) { // alone: it needs the machine
	f := newFleet(t)
	const checks, every, window = 10_000, 10 * time.Second, 2 * time.Second
	steady := checks * int(window/time.Second) / int(every/time.Second) // runs in a window
	noop := func() {
		f.enlist(start(t, "w1", binary(t, "noopworker"), "-redis", f.redis.URL(), "-name", "w1", "-lease", lease.String()))
		f.enlist(start(t, "w2", binary(t, "noopworker"), "-redis", f.redis.URL(), "-name", "w2", "-lease", lease.String()))
		f.ready(f.scheduler("s1"), f.scheduler("s2"))
	}
	noop()
	f.eventually(5*time.Second, func() error {
		if n := f.cli("HLEN", "redpoll:workers"); n != "2" {
			return fmt.Errorf("%s workers", n)
		}
		return nil
	})
	add := make([]string, checks)
	for i := range add {
		add[i] = fmt.Sprintf("XADD redpoll:intake * id n%04d command noop every %s first spread", i, every)
	}
	f.lines(add...)
	f.eventually(30*time.Second, func() error {
		f.readResults()
		if len(f.results) < checks {
			return fmt.Errorf("%d checks have run", len(f.results))
		}
		return nil
	})
	for _, p := range f.running("") {
		p.kill()
	}
	f.redis.Kill()
	pass(t, 20*time.Second)
	if err := f.redis.Run(t); err != nil {
		t.Fatal(err)
	}
	up := time.Now()
	noop()
	pass(t, 21*time.Second)
	f.readResults()
	f.verify()

	counts := map[int]int{}
	var late []int64
	for id, rs := range f.results {
		place := rs[0].Planned % every.Milliseconds()
		after := 0
		for i, r := range rs {
			if r.Planned%every.Milliseconds() != place || i > 0 && r.Planned <= rs[i-1].Planned {
				t.Fatalf("%s: planned for %d after %d: not on its grid", id, r.Planned, rs[0].Planned)
			}
			if r.Started <= up.UnixMilli() {
				continue
			}
			if r.Planned < up.UnixMilli() || r.Started < r.Planned {
				t.Fatalf("%s, planned for %d, started at %d after the restart at %d", id, r.Planned, r.Started, up.UnixMilli())
			}
			counts[int((r.Planned-up.UnixMilli())/window.Milliseconds())]++
			late = append(late, r.Started-r.Planned)
			after++
		}
		if after == 0 {
			t.Errorf("%s has not run after the restart", id)
		}
	}
	slices.Sort(late)
	var list []int
	for w := range 10 {
		list = append(list, counts[w])
		if limit := steady*12/10 + 100; counts[w] > limit {
			t.Errorf("%d runs are planned for the %s after %s, want at most %d", counts[w], window, time.Duration(w)*window, limit)
		}
	}
	t.Logf("runs for each %s after the restart: %v, steady %d; late p50 %d ms, p99 %d ms, max %d ms", window, list, steady,
		late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
	if most := window / 2; late[len(late)/2] > most.Milliseconds() {
		t.Errorf("half of the runs started %d ms after their times or later, want at most %s", late[len(late)/2], most)
	}
}
