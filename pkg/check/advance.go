package check

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Circumstances are what the incident rule must know beside a result. In zero
// ones nothing keeps an incident from opening.
type Circumstances struct {
	// Finished is when the result was there, unix ms.
	Finished int64
	// Downtime is the id of a downtime that the run touched: see Downtime.
	Downtime string
	// Parent is the id of a parent in trouble, Unsure that of one of which
	// nothing is known since the check is in trouble: see Kinship.
	Parent, Unsure string
}

// maxWait is how long an incident may wait for the result of a parent, ms: long
// enough for two retries at the usual pace, and for a parent that was asked at
// once to come to the end of a usual timeout.
const maxWait = 15_000

// Advance is the incident rule: it gives the record that follows last when
// the check's run of the given planned time had the result res, and what that
// did to the check's incident. last may be nil: the check then was OK.
//
// An incident opens when Attempts results in a row were not OK and nothing
// holds it: see Last.Held. What is held opens with the first result after that
// which is not OK either. An open incident is updated when the state or the
// reason changes, and resolves on OK, whatever the circumstances; but while the
// check flaps (Flap) it stays. With ChangeResolve the returned Last.Incident is
// the resolved incident, for the event; it may be stored so, since Advance
// takes a resolved one for none.
func Advance(c *Check, last *Last, res Result, planned time.Time, in Circumstances) (Last, Change) {
	at := planned.UnixMilli()
	next := Last{Result: res, Planned: at, Since: at}
	before := Last{}
	if last != nil {
		before = *last
		if before.State == res.State {
			next.Since = before.Since
		}
	}
	next.countFlaps(c.Flap, last)
	if res.State != StateOK {
		next.Fails = before.Fails + 1
		next.Asked = before.Asked
		if len(c.Parents) > 0 {
			next.Down = before.Down
			if before.Fails == 0 || next.Down == 0 {
				next.Down = in.Finished
			}
		}
	}
	open := before.Open()
	switch {
	case open != nil:
		return next, next.goOn(c, *open)
	case res.State == StateOK || next.Fails < c.AttemptsOr():
		return next, ChangeNone
	}
	return next, next.open(c, in)
}

// open opens an incident, or says what holds it.
func (l *Last) open(c *Check, in Circumstances) Change {
	switch {
	case c.SuppressIncidents:
		l.Held = HeldSuppressed
	case in.Downtime != "":
		l.Held = HeldDowntime + in.Downtime
	case in.Parent != "":
		l.Held, l.Asked = HeldParent+in.Parent, 0
	case in.Unsure != "" && l.mayWait(in.Finished):
		l.Held = HeldWaiting + in.Unsure
	default:
		l.Asked = 0
		l.Incident = &Incident{
			ID:     IncidentID(c.ZoneName(), c.ID, l.Planned),
			From:   StateOK,
			To:     l.State,
			Reason: l.Reason,
			Text:   l.Text,
			Opened: l.Planned, Updated: l.Planned,
		}
		if l.Flapping {
			l.Incident.Reason, l.Incident.Text = ReasonFlapping, l.flapText(c.Flap)
		}
		return ChangeOpen
	}
	return ChangeNone
}

// mayWait says whether an incident may wait for a parent, and notes since when
// it does. A clock that was set back ends the wait.
func (l *Last) mayWait(now int64) bool {
	if l.Asked == 0 {
		l.Asked = now
	}
	return now > 0 && now >= l.Asked && now < l.Asked+maxWait
}

// goOn takes an open incident along.
func (l *Last) goOn(c *Check, inc Incident) Change {
	to, reason, text := l.State, l.Reason, l.Text
	switch {
	case l.Flapping:
		if to == StateOK {
			l.Held = HeldFlap
		}
		to, reason, text = Worse(inc.To, to), ReasonFlapping, l.flapText(c.Flap)
	case to == StateOK:
		inc.Updated, inc.Resolved = l.Planned, l.Planned
		l.Incident = &inc
		return ChangeResolve
	}
	l.Incident = &inc
	if inc.To == to && inc.Reason == reason {
		return ChangeNone
	}
	inc.To, inc.Reason, inc.Text, inc.Updated = to, reason, text, l.Planned
	return ChangeUpdate
}

// Open gives the open incident, nil when there is none.
func (l *Last) Open() *Incident {
	if l == nil || l.Incident == nil || l.Incident.Resolved != 0 {
		return nil
	}
	return l.Incident
}

// Soft says whether the record, as Advance gave it, is not OK and waits for
// more results before an incident opens: of the check or of a parent.
func (l *Last) Soft(c *Check) bool {
	return l.State != StateOK && l.Open() == nil && !c.SuppressIncidents && (l.Fails < c.AttemptsOr() || l.Waiting())
}

// Waiting says that a parent was asked before an incident opens.
func (l *Last) Waiting() bool { return strings.HasPrefix(l.Held, HeldWaiting) }

// IncidentID makes an incident's id from the planned time (unix ms) of the run
// that opened it.
func IncidentID(zone, id string, planned int64) string {
	return zone + "/" + id + "/" + strconv.FormatInt(planned, 10)
}

// ParseIncidentID is the reverse of IncidentID.
func ParseIncidentID(text string) (zone, id string, planned int64, err error) {
	parts := strings.Split(text, "/")
	if len(parts) == 3 && validZone(parts[0]) && validID(parts[1]) {
		if planned, err = strconv.ParseInt(parts[2], 10, 64); err == nil {
			return parts[0], parts[1], planned, nil
		}
	}
	return "", "", 0, fmt.Errorf("incident %s: want zone/check/milliseconds", quoteShort(text))
}
