package check

import (
	"encoding/json"
	"strings"
	"time"
)

// workerCheck begins the id under which a worker itself has incidents.
const workerCheck = "worker:"

const maxID = 128

// WorkerCheckID is the id under which incidents about a worker stand, as if it
// were a check: worker:NAME, cut to the length of an id.
func WorkerCheckID(worker string) string {
	id := workerCheck + worker
	return id[:min(len(id), maxID)]
}

// WorkerOf is the reverse of WorkerCheckID: ok is false for the id of a check.
func WorkerOf(id string) (worker string, ok bool) { return strings.CutPrefix(id, workerCheck) }

// WorkerEvent makes the event of a change of an incident about a worker. It
// goes to the handlers that are the default ones.
func WorkerEvent(zone, worker string, inc *Incident, change Change) Event {
	ev := Event{
		Check:   EventCheck{ID: WorkerCheckID(worker), Zone: zone, Command: "worker", Labels: map[string]string{"worker": worker}},
		Result:  Result{State: inc.To, Reason: inc.Reason, Text: inc.Text, At: time.UnixMilli(inc.Updated).UTC()},
		Planned: inc.Updated, Started: inc.Updated, Finished: inc.Updated, Since: inc.Opened, Worker: worker,
		Incident: inc, Change: change,
	}
	if change == ChangeResolve {
		ev.Previous, ev.State, ev.Reason = inc.To, StateOK, ""
		ev.Since = inc.Updated
	}
	return ev
}

// Raise is a change of an incident that no run of a check stands behind.
type Raise struct {
	ID string
	// Was is the incident's text as it stands in the queue, empty for a new one:
	// another text there is a conflict.
	Was string
	// Incident and Change are the new text, and the event for the changes.
	Incident, Change string
}

// NewRaise makes the change of an incident about a worker.
func NewRaise(zone, worker string, inc Incident, was string, change Change) (Raise, error) {
	incident, err := json.Marshal(inc)
	if err != nil {
		return Raise{}, err
	}
	event, err := json.Marshal(WorkerEvent(zone, worker, &inc, change))
	if err != nil {
		return Raise{}, err
	}
	return Raise{ID: inc.ID, Was: was, Incident: string(incident), Change: string(event)}, nil
}
