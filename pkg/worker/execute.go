package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// start begins the runs of leases, each in a slot that was reserved for it.
// known are the specs that the worker told the queue it has, in the order of
// the entries that it asked for.
func (w *Worker) start(p phases, leases []check.Lease, known []*spec, asked time.Time) {
	if len(leases) == 0 {
		return
	}
	runs := make([]*run, len(leases))
	block := make([]run, len(leases)) // one allocation for all
	for i := range leases {
		r := &block[i]
		*r = run{lease: leases[i], spec: pick(&known, &leases[i]), asked: asked, held: asked}
		if at := leases[i].Asked; !at.IsZero() { // a search for runs of lost workers takes its time
			r.asked, r.held = at, at
		}
		runs[i] = r
	}
	w.slots.use(len(runs))
	w.runs.add(runs)
	w.crew.take(runs, func(r *run) { w.run(p, r) })
}

// pick finds what the worker knew of a lease's check when it asked; nil when
// the lease brings another. Leases stand in the order of their entries, so each
// look goes on where the last one ended.
func pick(known *[]*spec, l *check.Lease) *spec {
	if l.Spec != "" {
		return nil
	}
	for i, s := range *known {
		if s != nil && s.check.ID == l.ID && s.rev == l.Rev {
			*known = (*known)[i+1:]
			return s
		}
	}
	return nil
}

// run makes one run, from its lease to its completion.
func (w *Worker) run(p phases, r *run) {
	if r.spec == nil {
		r.spec = w.specs.of(&r.lease)
	}
	if r.spec == nil {
		w.log.Error("lease came without its spec", "check", r.lease.ID, "rev", r.lease.Rev)
		defer w.slots.done()
		w.giveAway(r)
		return
	}
	r.last = w.parseLast(r)
	switch {
	case r.putAway():
		w.conclude(p, r, lostResult(r.lease.Crashes), nil, true)
	case w.uplinks[r.lease.Lane.Zone].isDown():
		defer w.slots.done()
		w.giveAway(r)
	case check.Skip(r.spec.check, r.spec.schedule, r.planned(), r.now()):
		w.skip(p, r)
	default:
		w.admit(p, r)
	}
}

// parseLast reads the record of the check's latest run; nil when there is none
// or it is no such record.
func (w *Worker) parseLast(r *run) *check.Last {
	if r.lease.Last == "" {
		return nil
	}
	last, err := decodeLast(r.lease.Last)
	r.lease.Last = ""
	if err != nil {
		if w.junk.first("last " + r.lease.ID) {
			w.log.Warn("last record is unreadable", "check", r.lease.ID, "err", err)
		}
		return nil
	}
	return last
}

// lostResult is that of a check that is not run since it cost too many workers.
func lostResult(crashes int) check.Result {
	return check.Result{State: check.StateUnknown, Reason: check.ReasonWorkerLost,
		Text: fmt.Sprintf("%d workers were lost while they ran this check: it is put away for a while", crashes)}
}

// command runs the check's command, unless it has none.
func (w *Worker) command(p phases, r *run) {
	late := time.Duration(r.server(time.Now())-r.lease.Planned) * time.Millisecond
	w.cfg.Metrics.Started(max(late, 0))
	if late >= LateAfter {
		w.onSlow(r.lease.ID, SlowStart, late)
	}
	if w.cfg.Hooks.OnStart != nil {
		w.hook("OnStart", func() { w.cfg.Hooks.OnStart(r.spec.check, r.planned()) })
	}
	if r.spec.command == nil {
		w.conclude(p, r, r.spec.fault, nil, true)
		return
	}
	timeout := r.spec.check.TimeoutOr()
	ctx, cancel := context.WithTimeout(p.work, timeout)
	now := time.Now()
	if !w.runs.begin(r, now, now.Add(timeout+giveUpAfter), cancel) {
		cancel()
		w.left(p, r)
		w.conclude(p, r, check.Result{}, nil, true) // its fate is decided
		return
	}
	res, err := w.call(ctx, r)
	cancel()
	w.left(p, r)
	if !w.runs.take(r) {
		w.slots.unstick() // the run went on without us
		return
	}
	w.conclude(p, r, res, err, true)
}

// over says whether the time of ctx is over. A deadline that was handed on to
// a socket may fire a little before the one of ctx.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < 20*time.Millisecond
}

// errTimeout stands for a command that ended since its time was over.
var errTimeout = errors.New("timeout")

// call calls the command, whose panic is an error. One that comes when the time
// of ctx is over is errTimeout.
func (w *Worker) call(ctx context.Context, r *run) (res check.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = w.panicked(v, r)
		}
		if err != nil && over(ctx) {
			err = fmt.Errorf("%w: %w", errTimeout, err)
		}
	}()
	return r.spec.command.Run(ctx, check.Run{Check: r.spec.check, Planned: r.planned(), Last: r.last})
}

// conclude takes the run from the end of its command to its completion. ours
// says that the slot is the caller's to free.
func (w *Worker) conclude(p phases, r *run, res check.Result, err error, ours bool) {
	if ours {
		defer w.slots.done()
	}
	finished := time.Now()
	why, until := w.runs.fateOf(r, w.cfg.Lease)
	switch {
	case why == fateCut || why == fateRemoved || why == fateUplink:
		w.giveAway(r)
	case why == fateLost:
		w.stale(r, "lease ran out")
		w.giveAway(r)
	case !w.holds(p.queue, r, until):
		w.stale(r, "lease is no longer ours")
		w.giveAway(r)
	default:
		w.judge(p, r, w.result(r, res, err), finished)
	}
}

// judge lets a result through, unless it is not OK and may be the worker's own
// fault.
func (w *Worker) judge(p phases, r *run, res check.Result, finished time.Time) {
	uplink := w.uplinks[r.lease.Lane.Zone]
	if res.State != check.StateOK && !r.putAway() && !uplink.believe(p.work, r.asked, finished) {
		w.log.Info("result not believed: the uplink was down", "check", r.lease.ID, "state", res.State.String())
		w.giveAway(r)
		return
	}
	w.finish(p, r, res, finished)
}

// result makes a clean Result of what the command gave.
func (w *Worker) result(r *run, res check.Result, err error) check.Result {
	switch {
	case errors.Is(err, errTimeout) || errors.Is(err, errGivenUp):
		res = check.Result{State: check.StateUnknown, Reason: check.ReasonCmdTimeout,
			Text: fmt.Sprintf("the command took longer than the check's timeout of %s", r.spec.check.TimeoutOr())}
	case err != nil:
		res = check.Result{State: check.StateUnknown, Reason: check.ReasonCmdFailure, Text: err.Error()}
	}
	if err != nil {
		w.log.Debug("command failed", "check", r.lease.ID, "command", r.spec.check.Command, "err", err)
		w.onError(r.lease.ID, "", err)
	}
	if res.At.IsZero() {
		res.At = r.now()
	}
	if dropped := res.Clean(); dropped != nil && w.junk.first(r.spec.check.Command+" metrics") {
		w.log.Warn("metrics dropped", "check", r.lease.ID, "command", r.spec.check.Command, "metrics", dropped)
	}
	return res
}

// stale notes that the run's result is of no use to anybody.
func (w *Worker) stale(r *run, why string) {
	w.cfg.Metrics.Count(CountStale, 1)
	w.log.Warn("result dropped", "check", r.lease.ID, "reason", why)
}

// giveAway hands the run's lease back, if it still is the worker's.
func (w *Worker) giveAway(r *run) {
	w.handBack(r.lease.Lane, r.lease.Token, []check.Entry{r.lease.Entry})
	w.runs.remove(r)
	if r.suspect() {
		w.suspects.release()
	}
}
