package worker

import (
	"context"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// beatEvery is the pace of heartbeats; after three that are missing a worker
// is not live.
const beatEvery = 3 * time.Second

// enter learns the downtimes and the lanes of the zones; false when ctx ended first. Schedulers
// enter a zone into the list of zones when they hear of it in a heartbeat.
func (w *Worker) enter(ctx context.Context, p phases) bool {
	for attempt := 1; ; attempt++ {
		err := w.firstDowntimes(p.queue)
		if err == nil {
			err = w.learnLanes(p.queue)
		}
		if err == nil {
			w.away.passed("learn lanes")
			return true
		}
		if !w.away.failed(ctx, "learn lanes", err, attempt) {
			return false
		}
	}
}

// learnLanes finds the lanes of the zones, whose number may change.
func (w *Worker) learnLanes(ctx context.Context) error {
	lanes, err := w.cfg.Queue.Lanes(ctx, w.cfg.Zones...)
	if err != nil {
		return err
	}
	if len(lanes) == 0 {
		return errNoLanes
	}
	if before := w.lanes.Load(); before == nil || !slices.Equal(*before, lanes) {
		w.log.InfoContext(ctx, "lanes", "zones", w.cfg.Zones, "count", len(lanes))
		w.lanes.Store(&lanes)
	}
	return nil
}

// lookEvery is how often the list of zones is read: checks begin to move to new
// lanes four seconds after these were written there.
const lookEvery = time.Second

// watchLanes learns of new lanes until p.queue ends.
func (w *Worker) watchLanes(p phases) {
	for attempt := 1; pause(p.queue, jitter(lookEvery)); {
		if w.lanes.Load() == nil {
			continue
		}
		if err := w.learnLanes(p.queue); err != nil {
			if !w.away.failed(p.queue, "learn lanes", err, attempt) {
				return
			}
			attempt++
			continue
		}
		attempt = 1
		w.away.passed("learn lanes")
	}
}

// beat tells the fleet about this worker until p.queue ends.
func (w *Worker) beat(p phases, started time.Time) {
	beat := check.Heartbeat{
		Name: w.cfg.Name, Zones: w.cfg.Zones, Slots: w.cfg.Slots, Commands: w.cfg.Commands.Names(), Handlers: []string{},
		Delivers: delivers(w.cfg.Handlers), Version: w.cfg.Version, Started: started.UnixMilli(), Every: beatEvery.Milliseconds(),
	}
	for _, h := range w.handlers {
		beat.Handlers = append(beat.Handlers, h.Name)
	}
	for {
		_, busy, stuck := w.slots.counts()
		beat.Busy = busy + stuck
		beat.Incidents = w.own.ids()
		err := w.cfg.Queue.Beat(p.queue, beat)
		switch {
		case p.queue.Err() != nil:
			return
		case err != nil:
			w.away.missed(heartbeats, err)
			w.away.note("beat", err)
		default:
			w.away.passed("beat")
		}
		if !pause(p.queue, beatEvery) {
			return
		}
	}
}

// leave tells the fleet that this worker ends. It is a courtesy: who dies
// without it is forgotten after an hour.
func (w *Worker) leave(ctx context.Context) {
	err := w.resolveOwn(ctx)
	if err == nil {
		err = w.cfg.Queue.DropWorkers(ctx, w.cfg.Name)
	}
	if lanes := w.lanes.Load(); err == nil && lanes != nil {
		for _, lane := range *lanes {
			if err = w.cfg.Queue.LeaveLane(ctx, lane, w.cfg.Name); err != nil {
				break
			}
		}
	}
	if err != nil {
		w.log.Debug("leaving untold", "err", err)
	}
}
