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

// tellUplink opens an incident about the worker when the uplink goes down, and
// resolves it when that is up again. It tries until the queue takes it.
func (w *Worker) tellUplink(p phases, u *uplink, changed <-chan struct{}) {
	for failed := false; ; {
		wait := time.Duration(1<<63 - 1)
		if failed {
			wait = jitter(longPause)
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-p.queue.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		failed = false
		for !failed {
			down, since, why := u.state()
			if _, told := w.own.get(u.zone); down == told {
				break
			}
			if err := w.raiseUplink(p.queue, u.zone, since, why); err != nil {
				w.away.note("raise", err)
				failed = true
				continue
			}
			w.away.passed("raise")
		}
	}
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
	lanes, err := w.cfg.Queue.Lanes(ctx, zone)
	if err != nil {
		return err
	}
	if len(lanes) == 0 {
		return errNoLanes
	}
	raised, err := check.NewRaise(zone, w.cfg.Name, inc, have.text, change)
	if err != nil {
		return err
	}
	// Whatever the answer: an incident that is not as it was written is somebody
	// else's business now.
	if _, err := w.cfg.Queue.Raise(ctx, lanes[check.Partition(id, len(lanes))], raised); err != nil {
		return err
	}
	w.own.set(zone, inc, raised.Incident)
	return nil
}
