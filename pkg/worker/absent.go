package worker

import (
	"context"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// maxAbsent bounds the zones and handlers that are remembered between two
	// looks: events beyond are counted without one.
	maxAbsent = 1000
	// absentEvery is the pace of log lines about one handler.
	absentEvery = time.Minute
)

// crewReader tells who is there. A Queue that is none leaves it open who else
// delivers to a handler.
type crewReader interface {
	Workers(ctx context.Context) ([]check.Heartbeat, error)
}

// absentees are handlers that checks name and this worker does not have. Another
// worker of the zone may deliver to them: that is looked up from time to time,
// before the events count as missed.
type absentees struct {
	crew crewReader // nil: nobody can be asked
	mu   sync.Mutex // guards met
	met  map[absentee]absence
	told map[absentee]time.Time // of log lines; the watcher's own
}

type absentee struct{ zone, handler string }

// absence is how many events were for a handler, the latest of this check.
type absence struct {
	events int
	check  string
}

// lacks notes that a run's event was for handlers that are not here.
func (w *Worker) lacks(r *run) {
	a := &w.absent
	for _, name := range r.spec.missing {
		key := absentee{r.lease.Lane.Zone, name}
		a.mu.Lock()
		have, known := a.met[key]
		later := a.crew != nil && (known || len(a.met) < maxAbsent)
		if later {
			if a.met == nil {
				a.met = map[absentee]absence{}
			}
			a.met[key] = absence{have.events + 1, r.lease.ID}
		}
		a.mu.Unlock()
		if !later {
			w.cfg.Metrics.Count(CountNoHandler, 1)
		}
	}
}

// watchAbsent counts events for handlers that nobody has, until p.queue ends.
func (w *Worker) watchAbsent(p phases) {
	for pause(p.queue, jitter(beatEvery)) {
		if w.beatsOld() {
			continue
		}
		w.absent.mu.Lock()
		met := w.absent.met
		w.absent.met = nil
		w.absent.mu.Unlock()
		if len(met) > 0 {
			w.settleAbsent(p.queue, met, time.Now())
		}
	}
}

// beatsOld says that the heartbeats tell nothing: behind an outage the others have
// yet to beat again.
func (w *Worker) beatsOld() bool { return w.away.lately(heartbeats, 3*beatEvery) }

// settleAbsent counts and tells what nobody delivers. Where the heartbeats
// cannot be read that is everything.
func (w *Worker) settleAbsent(ctx context.Context, met map[absentee]absence, now time.Time) {
	crew, err := w.present(ctx, w.absent.crew)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.away.note("read heartbeats of others", err)
	} else {
		w.away.passed("read heartbeats of others")
	}
	can := map[string]map[string][]string{}
	for key, a := range met {
		if can[key.zone] == nil {
			can[key.zone] = candidates(key.zone, crew)
		}
		if len(can[key.zone][key.handler]) > 0 {
			continue
		}
		w.cfg.Metrics.Count(CountNoHandler, a.events)
		if now.Sub(w.absent.told[key]) < absentEvery {
			continue
		}
		if w.absent.told == nil || len(w.absent.told) >= maxAbsent {
			w.absent.told = map[absentee]time.Time{}
		}
		w.absent.told[key] = now
		w.log.WarnContext(ctx, "handlers are not here", "check", a.check, "zone", key.zone, "handler", key.handler, "events", a.events)
	}
}
