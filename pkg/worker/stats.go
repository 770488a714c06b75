package worker

import (
	"sync"
	"time"
)

// statsEvery is how often the run times of the last while are logged.
const statsEvery = 5 * time.Minute

// stats collects run times.
type stats struct {
	mu         sync.Mutex // guards the rest
	runs       int
	sum, max   time.Duration
	maxID      string
	late, long int
}

func (s *stats) ran(id string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	s.sum += took
	if took > s.max || s.runs == 1 {
		s.max, s.maxID = took, id
	}
}

func (s *stats) slow(kind Slow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == SlowStart {
		s.late++
	} else {
		s.long++
	}
}

// report logs the run times since the last report until p.queue ends.
func (w *Worker) report(p phases) {
	for pause(p.queue, statsEvery) {
		s := &w.stats
		s.mu.Lock()
		runs, sum, longest, id, late, long := s.runs, s.sum, s.max, s.maxID, s.late, s.long
		s.runs, s.sum, s.max, s.maxID, s.late, s.long = 0, 0, 0, "", 0, 0
		s.mu.Unlock()
		average := sum / time.Duration(max(runs, 1))
		free, busy, stuck := w.slots.counts()
		w.log.InfoContext(p.queue, "runs", "count", runs, "average", average, "max", longest, "check", id,
			"late", late, "long", long, "free", free, "busy", busy, "stuck", stuck)
	}
}
