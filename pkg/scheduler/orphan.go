package scheduler

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// EndIncidents looks once at the incidents of a lane and ends what is to end
// there, as repair does from time to time. It is for tools: any number of
// schedulers may do it at once.
func (s *Scheduler) EndIncidents(ctx context.Context, lane check.Lane) error {
	for c := (check.SweepCursor{Part: check.SweepIncidents}); !c.Done; {
		findings, next, err := s.q.Sweep(ctx, lane, c, pageSize, true)
		if err != nil {
			return err
		}
		if err := s.endIncidents(ctx, lane, findings); err != nil {
			return err
		}
		c = next
	}
	return nil
}

// endIncidents acts on what a sweep found in a lane's incidents: it resolves
// those that their checks know nothing of, and tells handlers of
// acknowledgements that are over.
func (s *Scheduler) endIncidents(ctx context.Context, lane check.Lane, findings []check.Finding) error {
	for _, f := range findings {
		var err error
		switch f.Kind {
		case check.FindingIncident:
			err = s.endOrphan(ctx, lane, f)
		case check.FindingAckOver:
			err = s.endAck(ctx, lane, f.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stored reads the check of an incident; false when the incident is of another
// lane, where it is somebody else's to judge.
func (s *Scheduler) stored(ctx context.Context, lane check.Lane, incident string) (check.Stored, bool, error) {
	_, id, _, err := check.ParseIncidentID(incident)
	if err != nil {
		return check.Stored{}, false, nil
	}
	zones, err := s.q.Zones(ctx)
	if err != nil || zones[lane.Zone].Home(lane.Zone, id) != lane {
		return check.Stored{}, false, err
	}
	found, err := s.q.Specs(ctx, lane, []string{id})
	if err != nil {
		return check.Stored{}, false, err
	}
	return found[0], true, nil
}

// endOrphan resolves an incident if it is open and its check knows it not. When
// one of both is another one by then, the next pass looks again.
func (s *Scheduler) endOrphan(ctx context.Context, lane check.Lane, f check.Finding) error {
	text, _, err := s.q.Incident(ctx, lane, f.ID)
	if err != nil {
		return err
	}
	st, ours, err := s.stored(ctx, lane, f.ID)
	if err != nil || !ours {
		return err
	}
	var inc check.Incident
	var last check.Last
	_ = json.Unmarshal([]byte(st.Last), &last) // what cannot be read knows nothing
	if open := last.Open(); json.Unmarshal([]byte(text), &inc) != nil || inc.Resolved != 0 || open != nil && open.ID == f.ID {
		return nil
	}
	now, err := s.q.Now(ctx)
	if err != nil {
		return err
	}
	inc.Resolved, inc.Updated = now, now
	inc.Reason, inc.Text = check.ReasonIncidentLost, "the record of the check knows nothing of this incident"
	gone := check.Orphan{Check: st.ID, Last: st.Last, ID: f.ID, Incident: text}
	if gone.Resolved, gone.Change, err = changeTexts(inc, eventOf(lane, st, &last, check.ChangeResolve, &inc)); err != nil {
		return err
	}
	out, err := s.q.EndOrphan(ctx, lane, gone)
	if err == nil && out == check.AdoptChanged {
		s.found(ctx, lane, check.Finding{ID: st.ID, Kind: f.Kind})
	}
	return err
}

// changeTexts makes the texts of an incident and of an event about it.
func changeTexts(inc check.Incident, ev check.Event) (incident, change string, err error) {
	i, err := json.Marshal(inc)
	if err != nil {
		return "", "", err
	}
	e, err := json.Marshal(ev)
	return string(i), string(e), err
}

// endAck tells handlers, once, that the acknowledgement of an open incident is
// over: the incident is updated.
func (s *Scheduler) endAck(ctx context.Context, lane check.Lane, id string) error {
	text, old, err := s.q.Incident(ctx, lane, id)
	if err != nil {
		return err
	}
	st, ours, err := s.stored(ctx, lane, id)
	if err != nil || !ours {
		return err
	}
	var inc check.Incident
	var ack check.Ack
	if json.Unmarshal([]byte(text), &inc) != nil || inc.Resolved != 0 || json.Unmarshal([]byte(old), &ack) != nil {
		return nil
	}
	now, err := s.q.Now(ctx)
	if err != nil || ack.Ended || ack.Removed || ack.Holds(now) {
		return err
	}
	var last check.Last
	_ = json.Unmarshal([]byte(st.Last), &last) // an event of nothing tells of the incident all the same
	ack.Ended = true
	a := check.Acking{ID: id, Incident: text, Old: old}
	ev := eventOf(lane, st, &last, check.ChangeUpdate, &inc)
	if worker, ok := check.WorkerOf(st.ID); ok {
		ev = check.WorkerEvent(lane.Zone, worker, &inc, check.ChangeUpdate)
	}
	if a.Ack, a.Change, err = ackTexts(ack, ev, ack.Until.UnixMilli()); err != nil {
		return err
	}
	out, err := s.q.Ack(ctx, lane, a)
	if err == nil && out == check.AdoptChanged {
		s.log.InfoContext(ctx, "acknowledgement is over", "incident", id, "until", ack.Until.Format(time.RFC3339))
	}
	return err
}
