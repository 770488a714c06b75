package scheduler

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// ack writes an acknowledgement beside the incident that the request names, or
// the one that is open, or takes it back. One that is resolved is left as it
// is.
func (b *batch) ack(ctx context.Context, lane check.Lane, r *request, st check.Stored) (check.AdoptOutcome, error) {
	var last check.Last
	if st.Last != "" && json.Unmarshal([]byte(st.Last), &last) != nil {
		r.reject("the last record of the check is damaged")
		return check.AdoptBad, nil
	}
	id := r.req.Incident
	if open := last.Open(); id == "" && open != nil {
		id = open.ID
	}
	if id == "" && st.Spec == "" {
		return check.AdoptMissing, nil // there is no such check here
	}
	if id == "" {
		r.reject("there is no open incident on the check")
		return check.AdoptMissing, nil
	}
	text, old, err := b.s.q.Incident(ctx, lane, id)
	if err != nil {
		return "", err
	}
	inc := openIncident(r, id, text)
	if inc == nil {
		return check.AdoptMissing, nil
	}
	ack, out := r.ackAfter(old)
	if out != "" {
		return out, nil
	}
	change := check.ChangeAck
	if ack.Removed {
		change = check.ChangeUpdate
	}
	a := check.Acking{ID: id, Incident: text, Old: old}
	if a.Ack, a.Change, err = ackTexts(ack, eventOf(lane, st, &last, change, inc), ack.At); err != nil {
		return "", err
	}
	out, err = b.s.q.Ack(ctx, lane, a)
	if out == check.AdoptUnchanged {
		out = check.AdoptRepeated // the entry is in it: it was this very request
	}
	return out, err
}

// ackAfter makes the acknowledgement that follows the one that stands there,
// or tells why none does.
func (r *request) ackAfter(old string) (check.Ack, check.AdoptOutcome) {
	var was check.Ack
	_ = json.Unmarshal([]byte(old), &was) // what cannot be read is replaced
	switch c := compareEntries(was.Entry, r.entry); {
	case old != "" && c == 0:
		return was, check.AdoptRepeated
	case old != "" && c > 0:
		return was, check.AdoptOlder
	}
	ms := entryMS(r.entry)
	ack := check.Ack{Entry: r.entry, At: ms, By: r.req.By, Comment: r.req.Comment, Until: r.req.Until}
	if r.req.For > 0 {
		ack.Until = time.UnixMilli(ms).UTC().Add(r.req.For)
	}
	switch {
	case r.req.Op == check.OpUnack && !was.Holds(ms), r.req.Op == check.OpUnack && old == "":
		r.reject("the incident is not acknowledged")
		return ack, check.AdoptMissing
	case !ack.Until.IsZero() && !ack.Holds(ms):
		r.reject("until: " + ack.Until.Format(time.RFC3339) + " is past")
		return ack, check.AdoptBad
	}
	ack.Removed = r.req.Op == check.OpUnack
	return ack, ""
}

// ackTexts makes the texts of an acknowledgement and of its event, which no run
// stands behind: it carries the time at which it happened in Planned.
func ackTexts(ack check.Ack, ev check.Event, at int64) (ackText, change string, err error) {
	ev.Planned = at
	a, err := json.Marshal(ack)
	if err != nil {
		return "", "", err
	}
	e, err := json.Marshal(ev)
	return string(a), string(e), err
}

// openIncident reads an incident. One that cannot be acknowledged rejects the
// request.
func openIncident(r *request, id, text string) *check.Incident {
	var inc check.Incident
	switch {
	case text == "":
		r.reject("there is no incident " + id)
	case json.Unmarshal([]byte(text), &inc) != nil:
		r.reject("the record of incident " + id + " is damaged")
	case inc.Resolved != 0:
		r.reject("incident " + id + " is resolved")
	default:
		return &inc
	}
	return nil
}
