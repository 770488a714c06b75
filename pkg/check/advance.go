package check

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Advance is the incident rule: it gives the record that follows last when
// the check's run of the given planned time had the result res, and what that
// did to the check's incident. last may be nil: the check then was OK.
//
// An incident opens when Attempts results in a row were not OK, is updated
// when the state or the reason changes, and resolves on OK. A check that
// suppresses incidents opens none, but one that is open stays and resolves.
// With ChangeResolve the returned Last.Incident is the resolved incident, for
// the event; it may be stored so, since Advance takes a resolved one for none.
func Advance(c *Check, last *Last, res Result, planned time.Time) (Last, Change) {
	at := planned.UnixMilli()
	next := Last{Result: res, Planned: at, Since: at}
	before := Last{}
	if last != nil {
		before = *last
		if before.State == res.State {
			next.Since = before.Since
		}
	}
	open := before.Open()
	if res.State == StateOK {
		if open == nil {
			return next, ChangeNone
		}
		resolved := *open
		resolved.Updated, resolved.Resolved = at, at
		next.Incident = &resolved
		return next, ChangeResolve
	}
	next.Fails = before.Fails + 1
	if open != nil {
		next.Incident = open
		if open.To == res.State && open.Reason == res.Reason {
			return next, ChangeNone
		}
		changed := *open
		changed.To, changed.Reason, changed.Text, changed.Updated = res.State, res.Reason, res.Text, at
		next.Incident = &changed
		return next, ChangeUpdate
	}
	if c.SuppressIncidents || next.Fails < c.AttemptsOr() {
		return next, ChangeNone
	}
	next.Incident = &Incident{
		ID:     IncidentID(c.ZoneName(), c.ID, at),
		From:   StateOK,
		To:     res.State,
		Reason: res.Reason,
		Text:   res.Text,
		Opened: at, Updated: at,
	}
	return next, ChangeOpen
}

// Open gives the open incident, nil when there is none.
func (l *Last) Open() *Incident {
	if l == nil || l.Incident == nil || l.Incident.Resolved != 0 {
		return nil
	}
	return l.Incident
}

// Soft says whether the record, as Advance gave it, is not OK and waits for
// more attempts before an incident opens.
func (l *Last) Soft(c *Check) bool {
	return l.State != StateOK && l.Open() == nil && !c.SuppressIncidents && l.Fails < c.AttemptsOr()
}

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
