package worker

import (
	"context"
	"errors"
	"sync"
	"time"
)

// endTime is how long the last results, hand-backs and farewells may take
// altogether when the grace is over or all runs have ended.
const endTime = 3 * time.Second

var (
	errNoLanes = errors.New("the zones have no lanes")
	// ErrRunning is returned by a second Run of one Worker.
	ErrRunning = errors.New("worker: Run is called once")
	// ErrStarting is what Ready gives until the worker knows its lanes.
	ErrStarting = errors.New("worker: zones are not entered yet")
)

// Ready says whether the worker takes checks: nil when it has entered its zones.
func (w *Worker) Ready() error {
	if w.lanes.Load() == nil {
		return ErrStarting
	}
	return nil
}

// Run works until ctx ends, then lets what runs end within Config.Grace, hands
// the rest back and returns nil, 3 s after the grace at the latest: a call to a
// queue that hangs is not waited for. It is called once.
func (w *Worker) Run(ctx context.Context) error {
	if !w.began.CompareAndSwap(false, true) {
		return ErrRunning
	}
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	queue, endQueue := context.WithCancel(context.WithoutCancel(ctx))
	defer endQueue()
	p := phases{work: work, queue: queue}
	started := time.Now()
	w.log.InfoContext(ctx, "worker starts", "worker", w.cfg.Name, "zones", w.cfg.Zones, "slots", w.cfg.Slots,
		"lease", w.cfg.Lease, "commands", len(w.cfg.Commands), "handlers", len(w.cfg.Handlers))

	var intake, service sync.WaitGroup
	service.Go(func() { w.monitor(p) })
	service.Go(func() { w.beat(p, started) })
	service.Go(func() { w.watchLanes(p) })
	service.Go(func() { w.report(p) })
	service.Go(func() { w.watchDowntimes(p) })
	if w.absent.crew != nil {
		service.Go(func() { w.watchAbsent(p) })
	}
	for _, u := range w.uplinks {
		service.Go(func() { w.guardUplink(p, u) })
	}
	intake.Go(func() {
		if !w.enter(ctx, p) {
			return
		}
		intake.Go(func() { w.intake(ctx, p) })
		intake.Go(func() { w.reclaim(ctx, p) })
		intake.Go(func() { w.tryParked(ctx, p) })
		if w.delivery != nil {
			intake.Go(func() { w.delivery.run(ctx, p) })
		}
	})
	<-ctx.Done()
	w.turnAway(w.gate.close())
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(w.cfg.Grace, 0)+endTime)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.stop(end, p, &intake, endWork)
		endQueue()
		w.endings.Go(service.Wait)
		w.waitEndings(end)
		w.leave(end)
	}()
	if !waitFor(end, ended) {
		w.log.WarnContext(ctx, "calls to redis hang, they are not waited for")
	}
	w.log.InfoContext(ctx, "worker ends", "took", time.Since(started).Round(time.Millisecond))
	return nil
}

// stop lets the runs end, within the grace; then it cuts them off. Results are
// written and the rest handed back, within endTime and before end.
func (w *Worker) stop(end context.Context, p phases, intake *sync.WaitGroup, endWork context.CancelFunc) {
	began := time.Now()
	_, busy, _ := w.slots.counts()
	w.log.InfoContext(p.queue, "worker stops", "busy", busy, "grace", w.cfg.Grace)
	grace, cancel := context.WithTimeout(end, max(w.cfg.Grace, 0))
	defer cancel()
	done := make(chan struct{})
	go func() {
		intake.Wait()
		close(done)
	}()
	ended := waitFor(grace, done) && w.runs.wait(grace)
	limit, cancelLimit := context.WithTimeout(end, endTime)
	defer cancelLimit()
	if !ended {
		w.runs.cut()
		endWork()
		waitFor(limit, done)
		w.runs.wait(limit)
	}
	w.commits.wait(limit, 1)
	w.releaseAll(limit, phases{work: p.work, queue: limit})
	_, _, stuck := w.slots.counts()
	w.log.InfoContext(p.queue, "worker stopped", "cut", !ended, "stuck", stuck, "took", time.Since(began).Round(time.Millisecond))
}

// waitEndings waits for what is left of the work, until ctx ends.
func (w *Worker) waitEndings(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		w.endings.Wait()
		close(done)
	}()
	waitFor(ctx, done)
}

func waitFor(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
