package worker

import (
	"context"
	"errors"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// giveUpAfter is how long a command may take to obey its context: five times
// what it promises.
const giveUpAfter = 500 * time.Millisecond

// turnEvery is how often Hooks.OnTurn is called.
const turnEvery = time.Second

// tidyEvery is how often waiting runs are looked at.
const tidyEvery = 500 * time.Millisecond

// errGivenUp stands for the result of a command that did not end.
var errGivenUp = errors.New("the command did not end when its time was over")

// findings are what a look at all runs found.
type findings struct {
	renew  map[check.Lane][]*run
	giveUp []*run
	long   []*run
}

// monitor looks at all runs many times a lease, until p.queue ends: it renews
// leases, ends runs whose lease is about to end, gives up commands that do not
// obey, and reports long runs.
func (w *Worker) monitor(p phases) {
	tick := time.NewTicker(max(min(w.cfg.Lease/30, 100*time.Millisecond), 20*time.Millisecond))
	defer tick.Stop()
	var turned, tidied time.Time
	for {
		now := time.Now()
		found := w.look(now)
		for lane, runs := range found.renew {
			w.endings.Go(func() { w.renew(p, lane, runs) })
		}
		for _, r := range found.giveUp {
			w.slots.stick()
			w.log.Error("command does not end", "check", r.lease.ID, "command", r.spec.check.Command)
			w.endings.Go(func() { w.conclude(p, r, check.Result{}, errGivenUp, false) })
		}
		for _, r := range found.long {
			w.onSlow(r.lease.ID, SlowRun, LongAfter)
		}
		if now.Sub(tidied) >= tidyEvery {
			tidied = now
			w.tidyGate(p, now)
		}
		w.flushHandBacks(p, false)
		if _, _, stuck := w.slots.counts(); now.Sub(turned) >= turnEvery && stuck < w.cfg.Slots {
			turned = now
			if w.cfg.Hooks.OnTurn != nil {
				w.hook("OnTurn", w.cfg.Hooks.OnTurn)
			}
		}
		select {
		case <-tick.C:
		case <-p.queue.Done():
			return
		}
	}
}

// look finds what is to be done about the runs now.
func (w *Worker) look(now time.Time) (found findings) {
	lease := w.cfg.Lease
	margin := max(lease/10, giveUpAfter)
	w.runs.mu.Lock()
	defer w.runs.mu.Unlock()
	for _, r := range w.runs.list {
		age := now.Sub(r.held)
		if age >= lease-margin {
			r.end(fateLost, now)
		}
		if age >= lease/3 && !r.renews && !w.overdue(r, now) {
			r.renews = true
			if found.renew == nil {
				found.renew = map[check.Lane][]*run{}
			}
			found.renew[r.lease.Lane] = append(found.renew[r.lease.Lane], r)
		}
		if !r.giveUp.IsZero() && now.After(r.giveUp) {
			r.taken, r.giveUp = true, time.Time{}
			found.giveUp = append(found.giveUp, r)
		}
		if !r.long && !r.began.IsZero() && now.Sub(r.began) >= LongAfter {
			r.long = true
			found.long = append(found.long, r)
		}
	}
	return found
}

// beginLimit is how long a run without a command may take. Only one whose
// command cannot be made, since its constructor hangs, takes longer.
const beginLimit = check.MaxTimeout

// overdue says that the run has had all the time that it can need: its lease
// is not renewed any more.
func (w *Worker) overdue(r *run, now time.Time) bool {
	if r.began.IsZero() {
		return now.Sub(r.asked) > beginLimit
	}
	return now.Sub(r.began) > r.spec.longest
}

// renew extends the leases of runs of one lane.
func (w *Worker) renew(p phases, lane check.Lane, runs []*run) {
	for len(runs) > 0 {
		part := runs[:min(len(runs), batch)]
		runs = runs[len(part):]
		holdings := make([]check.Holding, len(part))
		for i, r := range part {
			holdings[i] = r.holding()
		}
		asked := time.Now()
		outcomes, err := w.cfg.Queue.Renew(p.queue, lane, w.cfg.Lease, holdings)
		if err != nil {
			w.away.missed(lane.String(), err)
			w.away.note("renew", err)
		} else {
			w.away.passed("renew")
		}
		w.renewed(part, outcomes, asked)
	}
}

// renewed notes the answers to a renewal; outcomes is nil when there was none.
func (w *Worker) renewed(runs []*run, outcomes []check.Outcome, asked time.Time) {
	w.runs.mu.Lock()
	defer w.runs.mu.Unlock()
	for i, r := range runs {
		r.renews = false
		switch {
		case i >= len(outcomes):
		case outcomes[i] == check.OutcomeDone:
			r.held = asked
		case outcomes[i] == check.OutcomeRemoved:
			r.end(fateRemoved, asked)
		case outcomes[i] != check.OutcomeBad: // repair will mend a bad record
			r.end(fateLost, asked)
		}
	}
}

// holds makes sure that the run's lease is still the worker's before anybody
// gets to see its result: a process that was stopped for a while may find
// that it was declared lost.
func (w *Worker) holds(ctx context.Context, r *run, until time.Time) bool {
	if time.Now().Before(until) {
		return true
	}
	asked := time.Now()
	outcomes, err := w.cfg.Queue.Renew(ctx, r.lease.Lane, w.cfg.Lease, []check.Holding{r.holding()})
	if err != nil {
		w.away.note("renew", err)
		return false
	}
	w.renewed([]*run{r}, outcomes, asked)
	return len(outcomes) == 1 && outcomes[0] == check.OutcomeDone
}
