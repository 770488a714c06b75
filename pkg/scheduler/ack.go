package scheduler

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// acknowledgement is what stands beside an incident, as JSON. The entry makes
// it the request's own: a repeated one is known by it.
type acknowledgement struct {
	Entry   string    `json:"entry"`
	At      int64     `json:"at"`
	By      string    `json:"by,omitempty"`
	Comment string    `json:"comment,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// ack writes an acknowledgement beside the incident that the request names, or
// the one that is open. One that is resolved is left as it is.
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
	if id == "" {
		r.reject("there is no open incident on the check")
		return check.AdoptMissing, nil
	}
	text, err := b.s.q.Incident(ctx, lane, id)
	if err != nil {
		return "", err
	}
	inc := openIncident(r, id, text)
	if inc == nil {
		return check.AdoptMissing, nil
	}
	ack, err := json.Marshal(acknowledgement{
		Entry: r.entry, At: entryMS(r.entry), By: r.req.By, Comment: r.req.Comment, Until: r.req.Until,
	})
	if err != nil {
		return "", err
	}
	change, err := json.Marshal(eventOf(lane, st, &last, check.ChangeAck, inc))
	if err != nil {
		return "", err
	}
	out, err := b.s.q.Ack(ctx, lane, id, text, string(ack), string(change))
	if out == check.AdoptUnchanged {
		out = check.AdoptRepeated // the entry is in it: it was this very request
	}
	return out, err
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
