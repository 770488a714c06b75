package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A check that is taken over after its worker was lost is late by a lease at
// least: its run is left out when the next slot is near. The crash must count
// all the same, or a check that kills its workers would never be put away.
func TestSkipKeepsCrashes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		pass(time.Hour)
		q.reclaimed = []check.Lease{{
			Entry: check.Entry{Lane: lane, SID: "1-poison", ID: "poison", Planned: q.now() - 31_000},
			Rev:   "1", Crashes: 1, Spec: specOf("poison", "fine", ""),
		}}
		w := start(t, q, nil)
		pass(time.Second)
		w.stop()
		done := q.completions()
		if len(done) != 1 || done[0].Last != "" || !done[0].KeepCrashes {
			t.Errorf("completions %+v, want one that was skipped and keeps the crash count", done)
		}
	})
}
