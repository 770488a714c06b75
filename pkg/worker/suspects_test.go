package worker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A check that kills its workers takes what was leased with it along: all of
// that is suspect then, is run one by one, and does not wait for one reclaim
// after the other.
func TestManySuspectsAreTriedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		const n = 150
		for i := range n {
			id := fmt.Sprint("s", i)
			q.reclaimed = append(q.reclaimed, check.Lease{
				Entry: check.Entry{Lane: lane, SID: "1-" + id, ID: id, Planned: q.now()}, Rev: "1", Crashes: 2, Spec: specOf(id, "fine", ""),
			})
			q.crashes[id] = 2
		}
		w := start(t, q, nil)
		pass(2 * time.Second)
		if got := len(q.completions()); got != n || q.most != 1 {
			t.Errorf("%d completions within 2 s and %d suspects at once, want %d and 1", got, q.most, n)
		}
		w.stop()
	})
}

func TestParkedOnlyOnce(t *testing.T) {
	t.Parallel()
	var s suspects
	s.init()
	a, b := check.Entry{Lane: lane, SID: "1-1", ID: "a"}, check.Entry{Lane: check.Lane{Zone: "eu"}, SID: "1-1", ID: "b"}
	for range 3 {
		s.park([]check.Entry{a, b})
	}
	if len(s.parked) != 2 {
		t.Errorf("%v are parked, want each once", s.parked)
	}
	if e, ok := s.next(); !ok || e != a {
		t.Errorf("next() = %v, %v, want %v", e, ok, a)
	}
	s.park([]check.Entry{a})
	if rest := s.drain(); len(rest) != 2 || len(s.known) != 0 {
		t.Errorf("drain() = %v, want b and a; %d are still known", rest, len(s.known))
	}
}
