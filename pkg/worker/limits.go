package worker

import (
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// admit runs the check's command as soon as the limits let it. A suspect, of
// which there is one at a time, does not wait: others wait for it.
func (w *Worker) admit(p phases, r *run) {
	if r.spec.command == nil || r.suspect() {
		w.command(p, r)
		return
	}
	r.permit.target = r.spec.target
	if l := r.last; l != nil {
		r.permit.ran = l.Started
		r.permit.slow = time.Duration(l.Finished-l.Started)*time.Millisecond >= slowAfter
	}
	switch w.gate.enter(r, time.Now()) {
	case gateOpen:
		w.command(p, r)
	case gateWait:
		w.slots.done()
	case gateClosed:
		w.slots.done()
		w.giveAway(r)
	}
}

// left lets those go on for whom there is room now that a run's command has
// ended.
func (w *Worker) left(p phases, r *run) {
	for _, next := range w.gate.leave(r) {
		w.endings.Go(func() { w.resume(p, next) })
	}
}

// resume goes on with a run that has waited: with a slot, for which it stands in
// line.
func (w *Worker) resume(p phases, r *run) {
	if !r.permit.slot {
		if w.slots.take(p.work, 1) == 0 {
			w.left(p, r)
			w.giveAway(r)
			return
		}
		w.slots.use(1)
	}
	w.command(p, r)
}

// tidyGate ends the waiting of runs that are too late, and hands back those
// that others may have room for.
func (w *Worker) tidyGate(p phases, now time.Time) {
	dropped, back := w.gate.tired(now, func(r *run) bool {
		return check.Skip(r.spec.check, r.spec.schedule, r.planned(), r.now())
	})
	for _, r := range dropped {
		w.leaveOut(p, r)
		w.endWait(r)
	}
	w.turnAway(back)
}

// turnAway hands back runs that waited.
func (w *Worker) turnAway(runs []*run) {
	for _, r := range runs {
		w.giveAway(r)
		w.endWait(r)
	}
}

// endWait frees the slot of a run that kept it while it waited.
func (w *Worker) endWait(r *run) {
	if r.permit.slot {
		w.slots.done()
	}
}

// Waiting tells how many runs wait without a slot: for others of their target
// to end, and for others whose checks are slow as theirs.
func (w *Worker) Waiting() (target, slow int) { return w.gate.counts() }

// targetOf gives the target of a command in one form.
func targetOf(c check.Command) string {
	t, ok := c.(check.Targeted)
	if !ok {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(strings.TrimSpace(t.Target()), "[]")), ".")
}
