package worker

import (
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// The rests of a lane whose results are refused: doubled each time.
const (
	firstRest = 5 * time.Second
	longRest  = time.Minute
)

// rests are the lanes that are left alone for a while: their results are
// refused for good, and to run their checks again and again is of no use.
type rests struct {
	mu    sync.Mutex // guards lanes
	lanes map[check.Lane]rest
}

type rest struct {
	until time.Time
	took  time.Duration
}

// begin lets a lane rest, for longer than the last time.
func (r *rests) begin(lane check.Lane, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lanes == nil {
		r.lanes = map[check.Lane]rest{}
	}
	took := max(firstRest, min(2*r.lanes[lane].took, longRest))
	r.lanes[lane] = rest{now.Add(took), took}
}

// over notes that the results of a lane are taken.
func (r *rests) over(lane check.Lane) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lanes) > 0 {
		delete(r.lanes, lane)
	}
}

// awake gives those of lanes that do not rest.
func (r *rests) awake(lanes []check.Lane, now time.Time) []check.Lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lanes) == 0 {
		return lanes
	}
	var out []check.Lane
	for _, l := range lanes {
		if !now.Before(r.lanes[l].until) {
			out = append(out, l)
		}
	}
	return out
}
