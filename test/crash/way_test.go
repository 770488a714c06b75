package crash_test

import (
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// stand is how a check stands that can run.
type stand struct {
	lane    check.Lane
	rev     string
	planned int64
}

// keepBeside says that from now on fields of incidents have to be where a check
// is.
func (w *watch) keepBeside(id string, fields ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beside[id] = fields
}

// judgeWay: each arrival raises the revision of a check, and nothing takes back
// its revision or its planned time.
func (w *watch) judgeWay(all map[check.Lane]*glance, here map[string][]check.Lane) {
	for id, lanes := range here {
		rec, err := redisqueue.ParseRecord(all[lanes[0]].runs[id])
		if err != nil || len(lanes) > 1 {
			continue // a fault that was told
		}
		is := stand{lanes[0], rec.Rev, rec.Planned}
		was, seen := w.stood[id]
		w.stood[id] = is
		if !seen {
			continue
		}
		newer := check.CompareRevs(is.rev, was.rev)
		if newer < 0 || newer == 0 && is.lane != was.lane {
			w.fault(id, "has an old revision", "it is %+v, was %+v", is, was)
		}
		if is.planned < was.planned {
			w.fault(id, "has an old planned time", "it is %+v, was %+v", is, was)
		}
	}
}

// judgeIncidents: what belongs to an open incident is where the check can run,
// or is on its way from. One look may miss it, when the check comes back to a
// lane while what it once left there is carried after it.
func (w *watch) judgeIncidents(all map[check.Lane]*glance, here, away map[string][]check.Lane) {
	for id, fields := range w.beside {
		lanes := here[id]
		if len(lanes) == 0 {
			lanes = away[id]
		}
		for _, field := range fields {
			there := false
			for _, lane := range lanes {
				there = there || all[lane].incidents[field] != ""
			}
			if !there && w.lacking[field] {
				w.fault(id, "has lost of its incident", "%s is not in %v", field, lanes)
			}
			w.lacking[field] = !there
		}
	}
}
