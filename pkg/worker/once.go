package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// errNotOver stands for the result of a command that was stopped before its
// time was over.
var errNotOver = errors.New("the run was stopped")

// Once runs a check once, as a Worker does but without a queue and without
// handlers: for trying a check out. A command that is not in commands, params
// that it refuses, a panic, an error and a timeout become the same Results. last is
// the record of the check's latest run, nil if there is none; what Once gives
// is the record of this one, on the clock of this process. log may be nil.
//
// When ctx ends Once returns soon, like a Worker whose grace is over; the
// record says that the run was stopped.
func Once(ctx context.Context, commands check.Commands, log *slog.Logger, c *check.Check, last *check.Last) check.Last {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	alone := *c
	alone.Handlers, alone.SuppressIncidents = []string{}, true
	w := &Worker{cfg: Config{Commands: commands, Logger: log, Metrics: noMetrics{}}, log: log}
	now := time.Now()
	r := &run{last: last, asked: now}
	r.lease.ID, r.lease.Planned, r.lease.Now = c.ID, now.UnixMilli(), now.UnixMilli()
	r.lease.Lane.Zone = c.ZoneName()
	r.spec = w.build(r.lease.Lane, c.ID, "", string(alone.Text()))
	res, err := r.spec.fault, error(nil)
	began := time.Now()
	if r.spec.command != nil {
		res, err = w.callOnce(ctx, r)
	}
	finished := time.Now()
	next, _ := check.Advance(r.spec.check, last, w.result(r, res, err), r.planned(), check.Circumstances{})
	next.Held = "" // nobody waits for an incident of it
	next.Started, next.Finished = r.server(began), r.server(finished)
	return next
}

// callOnce calls the command under the check's timeout and gives it up when it
// does not end.
func (w *Worker) callOnce(ctx context.Context, r *run) (check.Result, error) {
	type end struct {
		res check.Result
		err error
	}
	ended := make(chan end, 1)
	work, cancel := context.WithTimeout(ctx, r.spec.check.TimeoutOr())
	defer cancel()
	go func() { // outlives the call only with a command that does not obey
		res, err := w.call(work, r)
		ended <- end{res, err}
	}()
	select {
	case e := <-ended:
		return e.res, e.err
	case <-work.Done():
	}
	late := time.NewTimer(giveUpAfter)
	defer late.Stop()
	select {
	case e := <-ended:
		return e.res, e.err
	case <-late.C:
	}
	if ctx.Err() != nil {
		return check.Result{}, errNotOver
	}
	return check.Result{}, errGivenUp
}
