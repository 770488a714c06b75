package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// resending is a change that is to be sent again.
type resending struct {
	event  check.Event
	text   string // the event as it stood in the stream
	letter string // the id of its dead letter, empty without one
}

// resender puts changes of one lane into the stream again, for one handler.
type resender struct {
	conn    *connection
	lane    check.Lane
	handler string
	dry     bool // only count
	sent    int
	ends    int // states that were added
	gone    int // letters that somebody else took
}

const (
	// resendPage is how many changes one call sends.
	resendPage = 200
	// resendTries is how often a call is made anew when an incident changes
	// meanwhile.
	resendTries = 10
)

// errBusy says that an incident changes all the time.
var errBusy = errors.New("the incident changes while it is read")

// incident sends changes of one incident again, in order, in one step. Where it
// has ended or changed since the last of them, that is sent behind them: no alert
// may be left open, or as it was.
func (r *resender) incident(ctx context.Context, list []resending) error {
	id := list[0].event.Incident.ID
	for range resendTries {
		text, end, err := r.endOf(ctx, &list[len(list)-1].event)
		if err != nil {
			return err
		}
		items := make([]redisqueue.Resending, 0, len(list)+1)
		for _, it := range list {
			items = append(items, redisqueue.Resending{IncidentID: id, Incident: text, Letter: it.letter, Event: it.text})
		}
		if end != "" {
			items = append(items, redisqueue.Resending{IncidentID: id, Incident: text, Event: end})
		}
		done, err := r.send(ctx, items)
		if err != nil {
			return err
		}
		if !done {
			continue
		}
		if end != "" {
			r.ends++
			r.sent-- // it was counted
		}
		return nil
	}
	return fmt.Errorf("incident %s: %w", id, errBusy)
}

// send makes one call; false when the incident has changed: nothing was sent.
func (r *resender) send(ctx context.Context, items []redisqueue.Resending) (bool, error) {
	if r.dry {
		r.sent += len(items)
		return true, nil
	}
	got, err := r.conn.Resend(ctx, r.lane, r.handler, items)
	if err != nil {
		return false, err
	}
	for _, o := range got {
		switch o {
		case redisqueue.ResendConflict:
			return false, nil // of one incident all have the same text
		case redisqueue.ResendGone:
			r.gone++
		default:
			r.sent++
		}
	}
	return true, nil
}

// endOf reads the incident of an event, and makes the event that says how it is
// now, unless last does so.
func (r *resender) endOf(ctx context.Context, last *check.Event) (text, end string, err error) {
	alerts, err := r.conn.Alerts(ctx, r.lane, r.handler, []string{last.Incident.ID})
	if err != nil {
		return "", "", err
	}
	text = alerts[0].Incident
	if last.Change == check.ChangeResolve {
		return text, "", nil
	}
	var inc check.Incident
	if text == "" || json.Unmarshal([]byte(text), &inc) != nil {
		open, err := r.openInLast(ctx, last)
		if err != nil || open {
			return text, "", err
		}
		inc = *last.Incident // it ended so long ago that nothing is known of it any more
		inc.Resolved = inc.Updated
	}
	var now check.Event
	switch {
	case inc.Resolved != 0:
		now = resolved(last, inc)
	case inc.Updated != last.Incident.Updated:
		now = updated(last, inc)
	default:
		return text, "", nil
	}
	event, err := json.Marshal(now)
	return text, string(event), err
}

// openInLast says whether the check's last record has the event's incident open.
func (r *resender) openInLast(ctx context.Context, ev *check.Event) (bool, error) {
	stored, err := r.conn.Specs(ctx, r.lane, []string{ev.Check.ID})
	if err != nil {
		return false, err
	}
	var last check.Last
	if json.Unmarshal([]byte(stored[0].Last), &last) != nil {
		return false, nil
	}
	open := last.Open()
	return open != nil && open.ID == ev.Incident.ID, nil
}

// resolved makes the event of an incident's end from an earlier one.
func resolved(ev *check.Event, inc check.Incident) check.Event {
	return check.Event{
		Check: ev.Check, Planned: inc.Resolved, Started: inc.Resolved, Finished: inc.Resolved, Since: inc.Resolved,
		Result: check.Result{State: check.StateOK, At: timeOf(inc.Resolved)}, Previous: inc.To,
		Worker: ev.Worker, Incident: &inc, Change: check.ChangeResolve,
	}
}

// updated makes the event of an open incident's latest update from an earlier
// one.
func updated(ev *check.Event, inc check.Incident) check.Event {
	return check.Event{
		Check: ev.Check, Planned: inc.Updated, Started: inc.Updated, Finished: inc.Updated, Since: inc.Updated,
		Result: check.Result{State: inc.To, Reason: inc.Reason, Text: inc.Text, At: timeOf(inc.Updated)}, Previous: ev.Incident.To,
		Worker: ev.Worker, Incident: &inc, Change: check.ChangeUpdate,
	}
}

// told says what was done, for people.
func (r *resender) told() string {
	verb := "sent again"
	if r.dry {
		verb = "would be sent again"
	}
	text := fmt.Sprintf("%s %s to %s", count(r.sent, "change"), verb, r.handler)
	if r.ends > 0 {
		text += fmt.Sprintf(", and how it is now for %s", count(r.ends, "incident"))
	}
	if r.gone > 0 {
		text += fmt.Sprintf("; %d were gone already", r.gone)
	}
	return text
}

// add takes over what another resender of the same handler did.
func (r *resender) add(o *resender) {
	r.sent, r.ends, r.gone = r.sent+o.sent, r.ends+o.ends, r.gone+o.gone
}

// delivering tells which handlers live workers deliver to from the stream, and
// which ones had a reader in one of the lanes.
func delivering(ctx context.Context, conn *connection, lanes []check.Lane) (live, known []string, err error) {
	beats, err := conn.Workers(ctx)
	if err != nil {
		return nil, nil, err
	}
	now, err := conn.Now(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, hb := range beats {
		if newWorkerRow(hb, now).Live {
			live = append(live, hb.Delivers...)
		}
		known = append(known, hb.Delivers...)
	}
	for _, lane := range lanes {
		names, err := conn.Readers(ctx, lane)
		if err != nil {
			return nil, nil, err
		}
		known = append(known, names...)
	}
	slices.Sort(known)
	return live, slices.Compact(known), nil
}

// knownHandler refuses a handler that nobody delivers to or ever did, and says
// on stderr when nobody does now.
func (a *app) knownHandler(ctx context.Context, conn *connection, lanes []check.Lane, name string) error {
	live, known, err := delivering(ctx, conn, lanes)
	if err != nil {
		return err
	}
	if !slices.Contains(known, name) {
		text, mark := fmt.Sprintf("no worker delivers changes to a handler %s", name), ";"
		if near := check.Nearest(name, known); near != "" {
			text, mark = text+", did you mean "+near+"?", ""
		}
		if len(known) > 0 {
			text += mark + " known: " + strings.Join(known, ", ")
		}
		return errors.New(text)
	}
	if !slices.Contains(live, name) {
		fmt.Fprintf(a.Stderr, "redpoll: no live worker delivers to %s now: the changes wait for one\n", name)
	}
	return nil
}
