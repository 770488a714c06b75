package scheduler

import (
	"encoding/json"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// removal takes away the check that st shows. Its open incident is resolved
// with it, so that nobody waits for a check that no longer runs. rev is empty
// when no request stands behind it.
func removal(lane check.Lane, st check.Stored, rev string, now time.Time) check.Removal {
	rm := check.Removal{ID: st.ID, Rev: rev, Last: st.Last}
	var last check.Last
	if json.Unmarshal([]byte(st.Last), &last) != nil {
		return rm
	}
	open := last.Open()
	if open == nil {
		return rm
	}
	inc := *open
	inc.Resolved, inc.Updated = now.UnixMilli(), now.UnixMilli()
	inc.Reason, inc.Text = check.ReasonCheckRemoved, "the check was removed"
	ev := eventOf(lane, st, &last, check.ChangeResolve, &inc)
	incident, err := json.Marshal(inc)
	if err != nil {
		return rm
	}
	change, err := json.Marshal(ev)
	if err != nil {
		return rm
	}
	rm.IncidentID, rm.Incident, rm.Change = inc.ID, string(incident), string(change)
	return rm
}

// eventOf makes an event that no run stands behind, from the check's latest.
func eventOf(lane check.Lane, st check.Stored, last *check.Last, change check.Change, inc *check.Incident) check.Event {
	ev := check.Event{
		Check:  check.EventCheck{ID: st.ID, Zone: lane.Zone},
		Result: last.Result, Planned: last.Planned, Started: last.Started, Finished: last.Finished, Worker: last.Worker,
		Since: last.Since, Fails: last.Fails, Previous: last.State, Change: change, Incident: inc,
	}
	if c, err := check.Parse([]byte(st.Spec)); err == nil {
		ev.Check = check.NewEvent(c)
		ev.Check.Zone = lane.Zone
	}
	return ev
}
