package system

import (
	"testing"
	"time"
)

// Where nothing happens nothing is repaired, dropped or run twice.
func TestQuiet(t *testing.T) { // alone: it needs the machine
	f := newFleet(t)
	ss, ws := f.up(2, 3)
	f.add(300, time.Second, 2*time.Second, 1500*time.Millisecond)
	pass(t, phase(15*time.Second))
	for _, s := range ss {
		if n := s.metric("redpoll_repairs_total"); n != 0 {
			t.Errorf("%s: %v repairs, want 0: %v", s.Name, n, f.repairs())
		}
		if n := s.metric("redpoll_loop_failures_total"); n != 0 {
			t.Errorf("%s: %v failures of loops, want 0", s.Name, n)
		}
	}
	for _, w := range ws {
		if n := w.metric("redpoll_stale_completions_total"); n != 0 {
			t.Errorf("%s: %v stale completions, want 0", w.Name, n)
		}
		if n := w.metric("redpoll_results_total"); n == 0 {
			t.Errorf("%s ran nothing", w.Name)
		}
	}
	f.finish(bounds{gap: time.Second})
	for _, s := range ss {
		s.stop()
	}
}
