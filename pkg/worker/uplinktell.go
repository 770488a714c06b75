package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// ReasonUplinkLost is the reason of the incident about a worker whose uplink is
// down.
const ReasonUplinkLost = "UPLINK_LOST"

// ownIncidents are the open incidents that a worker has raised about itself,
// by zone.
type ownIncidents struct {
	mu   sync.Mutex // guards open
	open map[string]ownIncident
}

type ownIncident struct {
	check.Incident
	text string // as the queue has it
}

func (o *ownIncidents) get(zone string) (ownIncident, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	inc, ok := o.open[zone]
	return inc, ok
}

// set notes that an incident was raised; one that is resolved is forgotten.
func (o *ownIncidents) set(zone string, inc check.Incident, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = map[string]ownIncident{}
	}
	o.open[zone] = ownIncident{inc, text}
	if inc.Resolved != 0 {
		delete(o.open, zone)
	}
}

// forget drops an incident that is not the worker's any more.
func (o *ownIncidents) forget(zone string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, zone)
}

// ids gives what heartbeats tell.
func (o *ownIncidents) ids() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ids []string
	for _, zone := range slices.Sorted(maps.Keys(o.open)) {
		ids = append(ids, o.open[zone].ID)
	}
	return ids
}

// ownEvery is the pace at which a worker looks whether what it has raised is
// still open.
const ownEvery = time.Minute

// tellUplink opens an incident about the worker when the uplink goes down, and
// resolves it when that is up again. It tries until the queue takes it.
func (w *Worker) tellUplink(p phases, u *uplink, changed <-chan struct{}) {
	const forever = time.Duration(1<<63 - 1)
	for wait := forever; ; {
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-p.queue.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		open, err := w.settleUplink(p.queue, u)
		switch {
		case err != nil:
			w.away.note("raise", err)
			wait = jitter(longPause)
			continue
		case open:
			wait = jitter(ownEvery)
		default:
			wait = forever
		}
		w.away.passed("raise")
	}
}

// settleUplink makes the incident about an uplink as the uplink is, and says
// whether it is open.
func (w *Worker) settleUplink(ctx context.Context, u *uplink) (open bool, err error) {
	for raised := false; ; raised = true {
		down, since, why := u.state()
		have, told := w.own.get(u.zone)
		switch {
		case down && told && raised:
			return true, nil
		case down && told:
			kept, err := w.keepOwn(ctx, u.zone, have)
			if err != nil || kept {
				return true, err
			}
			// It was resolved: the worker was taken for gone while nobody saw it beat.
			w.own.forget(u.zone)
			since = time.Now()
		case !down && !told:
			return false, nil
		}
		if err := w.raiseUplink(ctx, u.zone, since, why); err != nil {
			return false, err
		}
	}
}

// keepOwn raises an open incident once more, as it was: one that was lost comes
// back. False: it is another by now.
func (w *Worker) keepOwn(ctx context.Context, zone string, have ownIncident) (kept bool, err error) {
	raised, err := check.NewRaise(zone, w.cfg.Name, have.Incident, have.text, check.ChangeOpen)
	if err != nil {
		return false, err
	}
	out, err := w.raise(ctx, zone, raised)
	return out == check.AdoptChanged || out == check.AdoptUnchanged, err
}

// raise writes an incident about this worker into its lane of a zone.
func (w *Worker) raise(ctx context.Context, zone string, raised check.Raise) (check.AdoptOutcome, error) {
	lanes, err := w.cfg.Queue.Lanes(ctx, zone)
	if err != nil {
		return "", err
	}
	if len(lanes) == 0 {
		return "", errNoLanes
	}
	return w.cfg.Queue.Raise(ctx, lanes[check.Partition(check.WorkerCheckID(w.cfg.Name), len(lanes))], raised)
}

// resolveOwn resolves what the worker has raised, when it ends.
func (w *Worker) resolveOwn(ctx context.Context) error {
	for zone := range w.uplinks {
		if _, open := w.own.get(zone); !open {
			continue
		}
		if err := w.raiseUplink(ctx, zone, time.Time{}, nil); err != nil {
			return err
		}
	}
	return nil
}

// raiseUplink opens the incident about a zone's uplink, or resolves the one
// that is open.
func (w *Worker) raiseUplink(ctx context.Context, zone string, since time.Time, why error) error {
	now, err := w.cfg.Queue.Now(ctx)
	if err != nil {
		return err
	}
	id, change := check.WorkerCheckID(w.cfg.Name), check.ChangeOpen
	have, open := w.own.get(zone)
	inc := have.Incident
	if open {
		inc.Updated, inc.Resolved, change = now, now, check.ChangeResolve
	} else {
		at := now - time.Since(since).Milliseconds()
		res := check.Result{Text: "the uplink of the worker is down: " + why.Error()}
		res.Clean()
		inc = check.Incident{
			ID: check.IncidentID(zone, id, at), From: check.StateOK, To: check.StateCrit, Reason: ReasonUplinkLost,
			Text: res.Text, Opened: at, Updated: at,
		}
	}
	raised, err := check.NewRaise(zone, w.cfg.Name, inc, have.text, change)
	if err != nil {
		return err
	}
	// Whatever the answer: an incident that is not as it was written is somebody
	// else's business now.
	if _, err := w.raise(ctx, zone, raised); err != nil {
		return err
	}
	w.own.set(zone, inc, raised.Incident)
	return nil
}
