package scheduler

import (
	"context"
	"time"
)

// gaugeEvery is the pace of the figures about zones.
const gaugeEvery = 5 * time.Second

// gauges tells the hooks how late and how full each zone is.
func (s *Scheduler) gauges(ctx, work context.Context) {
	t := s.trouble("gauges")
	for pause(ctx, jitter(gaugeEvery)) {
		if err := s.measure(work); err != nil {
			t.failed(ctx, err)
			continue
		}
		t.passed(ctx)
	}
}

func (s *Scheduler) measure(ctx context.Context) error {
	type figures struct{ overdue, ready int64 }
	zones := map[string]figures{}
	var failed error
	for _, lane := range s.lanes.all() {
		st, err := s.q.Stats(ctx, lane)
		if err != nil {
			failed = err // the other lanes have figures all the same
			continue
		}
		z := zones[lane.Zone]
		zones[lane.Zone] = figures{max(z.overdue, st.Overdue), z.ready + st.Ready}
	}
	for zone, f := range zones {
		s.hooks.Zone(zone, time.Duration(f.overdue)*time.Millisecond, f.ready)
	}
	return failed
}
