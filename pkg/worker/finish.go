package worker

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// finish takes a run with its result through the incident rule and the
// handlers, and puts the check back.
func (w *Worker) finish(p phases, r *run, res check.Result, finished time.Time) {
	c := r.spec.check
	began := finished
	if !r.began.IsZero() { // nobody changes it any more
		began = r.began
	}
	in := check.Circumstances{Finished: r.server(finished)}
	next, change := check.Advance(c, r.last, res, r.planned(), in)
	next.Started = r.server(began)
	if change == check.ChangeOpen {
		in = w.circumstances(p.queue, r, &next, in)
		next, change = check.Advance(c, r.last, res, r.planned(), in)
	}
	next.Started, next.Finished = r.server(began), in.Finished
	next.Worker, next.Rev = w.cfg.Name, r.lease.Rev
	ev := &check.Event{
		Check: r.spec.event, Result: res,
		Planned: next.Planned, Started: next.Started, Finished: next.Finished, Worker: next.Worker,
		Rev: next.Rev, Since: next.Since, Fails: next.Fails,
		Held: next.Held, Down: next.Down, Asked: next.Asked, Turns: next.Turns, Flapping: next.Flapping,
		Soft: next.Soft(c), Change: change, Incident: next.Incident,
	}
	if r.last != nil {
		ev.Previous = r.last.State
	}
	took := finished.Sub(began)
	w.cfg.Metrics.Finished(r.spec.label, res.State, took)
	w.stats.ran(r.lease.ID, took)
	if w.log.Enabled(p.queue, slog.LevelDebug) {
		w.log.Debug("run", "check", r.lease.ID, "state", res.State.String(), "reason", res.Reason, "took", took)
	}
	mutated, left := w.handle(p.work, r, ev)
	if left != nil {
		w.slots.hold(left) // handlers that did not obey
	}
	handled := time.Now()
	ev = w.traced(r, ev, handled)
	if w.cfg.Hooks.OnFinish != nil {
		w.hook("OnFinish", func() { w.cfg.Hooks.OnFinish(ev, took) })
	}
	if change != check.ChangeNone {
		w.log.Info("incident", "check", r.lease.ID, "change", string(change), "state", res.State.String(), "reason", res.Reason)
	}
	w.complete(p, r, commit{Completion: w.completion(r, &next, ev, mutated), handled: handled, event: w.traceOf(ev)})
}

// completion makes what is written about a run.
func (w *Worker) completion(r *run, next *check.Last, ev *check.Event, mutated bool) check.Completion {
	var done check.Completion
	done.Last, done.Event = encode(next, ev, r.spec, mutated)
	due, missed := check.NextDue(r.spec.check, r.spec.schedule, r.planned(), r.now(), ev.Soft)
	if next.Waiting() {
		due = check.WaitDue(r.spec.check, r.planned(), r.now(), due)
	}
	if due.IsZero() {
		due = check.HeldDue(next, r.until, r.now())
	}
	if r.putAway() {
		done.KeepCrashes = true
		due = check.Quarantine(r.lease.Crashes, r.spec.schedule, due, r.now())
	}
	done.Next = unixMilli(due)
	if missed > 0 {
		w.cfg.Metrics.Count(CountMissed, missed)
	}
	if next.Incident == nil {
		return done
	}
	incident, err := json.Marshal(next.Incident)
	if err != nil {
		w.log.Error("incident cannot be written", "check", r.lease.ID, "err", err) // cannot be: texts and numbers
	}
	done.IncidentID, done.Incident = next.Incident.ID, string(incident)
	if ev.Change != check.ChangeNone {
		done.Change = done.Event
		if done.Change == "" {
			done.Change = done.Last
		}
	}
	return done
}

// skip ends a run that was planned too long ago for its result to be of use
// before the next one.
func (w *Worker) skip(p phases, r *run) {
	defer w.slots.done()
	w.leaveOut(p, r)
}

// leaveOut counts a run as missed and puts its check back.
func (w *Worker) leaveOut(p phases, r *run) {
	due, missed := check.NextDue(r.spec.check, r.spec.schedule, r.planned(), r.now(), false)
	w.cfg.Metrics.Count(CountMissed, missed+1)
	// The crashes stay: they say nothing about a run that was left out, and a run
	// that was taken over is late by a lease.
	w.complete(p, r, commit{Completion: check.Completion{Next: unixMilli(due), KeepCrashes: r.lease.Crashes > 0}})
}

// complete hands the end of a run over to be written and lets the run go.
func (w *Worker) complete(p phases, r *run, done commit) {
	done.Entry, done.Token = r.lease.Entry, r.lease.Token
	done.Rev, done.Record, done.suspect = r.lease.Rev, r.lease.Record, r.suspect()
	// Counted first: a stop that sees no runs must see their results.
	w.commits.expect()
	w.runs.remove(r)
	w.commits.add(p, done)
}

// unixMilli is 0 for the zero time.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
