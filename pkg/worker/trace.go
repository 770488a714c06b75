package worker

import (
	"strconv"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// traced counts where the time of a run went until its handlers were through,
// and gives its event with a Trace if it is to have one. That is a copy: a
// handler that does not end may still look at the event.
func (w *Worker) traced(r *run, ev *check.Event, handled time.Time) *check.Event {
	late := time.Duration(ev.Started-ev.Planned) * time.Millisecond
	wanted := check.Traced(ev.Result.State, late, ev.Check.ID, ev.Planned, w.cfg.TraceSample)
	if !wanted && w.spent == nil {
		return ev
	}
	t := check.Trace{Queued: queuedAt(r.lease.SID), Leased: r.lease.Now, Handled: r.server(handled), Crashes: r.lease.Crashes}
	if w.spent != nil {
		w.spend(r, ev, t)
	}
	if !wanted {
		return ev
	}
	full, kept := *ev, t
	full.Trace = &kept
	return &full
}

// spend counts the phases of a run up to its commit, as Event.Phases has them.
func (w *Worker) spend(r *run, ev *check.Event, t check.Trace) {
	at := ev.Planned
	step := func(phase string, end int64) {
		w.spent.Spent(phase, time.Duration(max(end-at, 0))*time.Millisecond)
		at = max(at, end)
	}
	step(check.PhaseDispatch, t.Queued)
	step(check.PhaseQueue, t.Leased)
	step(check.PhaseStart, ev.Started)
	if at = max(at, ev.Finished); len(r.spec.handlers) > 0 {
		step(check.PhaseHandlers, t.Handled)
	}
}

// traceOf gives the event if somebody wants to know about its trace.
func (w *Worker) traceOf(ev *check.Event) *check.Event {
	if ev.Trace == nil || w.cfg.Hooks.OnTrace == nil {
		return nil
	}
	return ev
}

// queuedAt is when an entry came into its stream: its id begins with that.
func queuedAt(sid string) int64 {
	ms, _, _ := strings.Cut(sid, "-")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return 0 // Redis gives no such ids; the phase takes no time then
	}
	return at
}

// tell counts how long the first results of a lane waited for their commit, and
// hands over traces. Nobody else touches those while they fly.
func (c *commits) tell(l *laneCommits, outcomes []check.Outcome) {
	hook := c.w.cfg.Hooks.OnTrace
	if c.w.spent == nil && hook == nil {
		return
	}
	c.mu.Lock()
	flown := l.queue[:l.flying]
	c.mu.Unlock()
	now := time.Now()
	for i := range flown {
		done := &flown[i]
		if outcomes[i] != check.OutcomeDone || done.handled.IsZero() {
			continue
		}
		took := now.Sub(done.handled)
		if c.w.spent != nil {
			c.w.spent.Spent(check.PhaseCommit, took)
		}
		if done.event != nil {
			c.w.hook("OnTrace", func() { hook(done.event, done.event.Trace.Handled+took.Milliseconds()) })
		}
	}
}
