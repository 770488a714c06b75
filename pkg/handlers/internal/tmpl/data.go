package tmpl

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Data is what templates see. Fields are described in docs/templates.md.
type Data struct {
	ID      string // of the check
	Zone    string
	Command string
	Labels  map[string]string

	// State is the incident's while it is open, OK once it is resolved, the
	// result's where there is no incident. To is the latest state of the incident
	// that was not OK, Severity its word: warning, critical or unknown; ok where
	// there is no incident.
	State, Previous, To, Severity string
	Reason, Text                  string

	Change   string
	Incident string // its id
	// Opened, Updated and Resolved are those of the incident, Planned is when the
	// run was due.
	Opened, Updated, Resolved, Planned Time
	// Duration is how long the incident has lasted at the run, or did last.
	Duration time.Duration

	Worker  string
	Metrics []check.Metric
	// Ack is nil when nobody takes care.
	Ack *Ack

	meta map[string]any
}

// Ack is an acknowledgement.
type Ack struct {
	At, Until   Time
	By, Comment string
}

// Time is a time that prints as RFC 3339 in UTC, and as nothing when it is zero.
type Time struct{ time.Time }

// String gives the text.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// MarshalJSON writes the text, or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.String())
}

func ms(n int64) Time {
	if n == 0 {
		return Time{}
	}
	return Time{time.UnixMilli(n).UTC()}
}

// NewData gives the view of a delivery. It shares the event's maps.
func NewData(d check.Delivery) *Data {
	ev := d.Event
	v := &Data{
		ID: ev.Check.ID, Zone: ev.Check.Zone, Command: ev.Check.Command, Labels: ev.Check.Labels, meta: ev.Check.Meta,
		State: ev.State.String(), Previous: ev.Previous.String(), To: ev.State.String(), Severity: severity(ev.State),
		Reason: ev.Reason, Text: ev.Text, Change: string(ev.Change),
		Planned: ms(ev.Planned), Worker: ev.Worker, Metrics: ev.Metrics,
	}
	if inc := ev.Incident; inc != nil {
		v.State, v.To, v.Severity, v.Reason = inc.To.String(), inc.To.String(), severity(inc.To), inc.Reason
		v.Incident, v.Opened, v.Updated, v.Resolved = inc.ID, ms(inc.Opened), ms(inc.Updated), ms(inc.Resolved)
		end := ev.Planned
		switch {
		case inc.Reason == check.ReasonCheckRemoved: // no run stands behind it
			v.Text = inc.Text
		case inc.Resolved == 0 && inc.Reason != ev.Reason: // one OK in a flapping incident, say
			v.Text = inc.Text
		}
		if inc.Resolved != 0 {
			v.State, end = check.StateOK.String(), inc.Resolved
		}
		v.Duration = time.Duration(max(end-inc.Opened, 0)) * time.Millisecond
	}
	if a := d.Ack; a != nil {
		v.Ack = &Ack{At: ms(a.At), Until: Time{a.Until}, By: a.By, Comment: a.Comment}
	}
	return v
}

func severity(s check.State) string {
	switch s {
	case check.StateOK:
		return "ok"
	case check.StateWarn:
		return "warning"
	case check.StateCrit:
		return "critical"
	}
	return "unknown"
}

// Meta gives a value of the check's meta by its path, "rack.row", as a text;
// empty where there is none.
func (d *Data) Meta(path string) string {
	var v any = d.meta
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		text, _ := json.Marshal(v)
		return string(text)
	default:
		return fmt.Sprint(v)
	}
}

// Metric gives the value of a metric: a number or a text, empty where there is
// none.
func (d *Data) Metric(name string) any {
	for _, m := range d.Metrics {
		if m.Name != name {
			continue
		}
		switch m.Kind {
		case check.KindCounter:
			return m.Count
		case check.KindString:
			return m.Str
		}
		return m.Value
	}
	return ""
}

// Samples are events of every kind: with all there can be and with as little as
// there can be.
func Samples() []*Data {
	const opened = 1893553445000 // 2030-01-02 03:04:05 UTC
	full := check.Event{
		Check: check.EventCheck{
			ID: "web1", Zone: "default", Command: "http", Every: check.Duration(30 * time.Second),
			Labels: map[string]string{"site": "fra"}, Meta: map[string]any{"rack": map[string]any{"row": 7.0}},
		},
		Result: check.Result{
			Reason: "RESP_TIME_EXCEEDED", Text: "took 2.5s, want at most 2s", At: time.UnixMilli(opened).UTC(),
			Metrics: []check.Metric{check.Gauge("resp_seconds", 2.5, "seconds"), check.Counter("in", 7, 64, ""), check.String("name", "x")},
		},
		Planned: opened, Started: opened + 3, Finished: opened + 2503, Worker: "worker-1",
	}
	bare := check.Event{Check: check.EventCheck{ID: "a", Zone: "default", Command: "ping"}, Planned: opened}
	ack := &check.Ack{At: opened + 60000, By: "anna", Comment: "on it", Until: time.UnixMilli(opened + 3600000).UTC()}
	var all []*Data
	for _, state := range []check.State{check.StateWarn, check.StateCrit, check.StateUnknown} {
		for _, change := range []check.Change{check.ChangeOpen, check.ChangeUpdate, check.ChangeAck, check.ChangeResolve, check.ChangeNone} {
			for _, from := range []check.Event{full, bare} {
				ev, d := from, check.Delivery{Attempt: 1}
				ev.Change, ev.State, ev.Check.Labels = change, state, maps.Clone(from.Check.Labels)
				ev.Incident = &check.Incident{
					ID: check.IncidentID("default", ev.Check.ID, opened), From: check.StateOK, To: state,
					Reason: ev.Reason, Text: ev.Text, Opened: opened, Updated: opened,
				}
				if change == check.ChangeResolve {
					ev.State, ev.Reason, ev.Incident.Resolved = check.StateOK, "", opened+30000
				}
				if change == check.ChangeAck && from.Worker != "" {
					d.Ack = ack
				}
				d.Event = &ev
				all = append(all, NewData(d))
			}
		}
	}
	for _, from := range []check.Event{full, bare} { // inline: results without an incident
		all = append(all, NewData(check.Delivery{Event: &from}))
	}
	return all
}
