package check

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Op is what a Request asks for.
type Op string

// The operations of the intake.
const (
	OpSet    Op = "set"
	OpDelete Op = "delete"
	OpPause  Op = "pause"
	OpResume Op = "resume"
	OpRun    Op = "run"
	OpAck    Op = "ack"
	OpUnack  Op = "unack"
	// OpDowntime makes a downtime or replaces the one of that id.
	OpDowntime       Op = "downtime"
	OpDowntimeDelete Op = "downtime-delete"
	// OpMove moves a check to another zone.
	OpMove Op = "move"
)

// Request is an entry of the intake, read and valid in itself.
type Request struct {
	Op Op
	// Zone and ID name the check, or ID a downtime (empty: the entry's id).
	Zone, ID string
	// Check is the whole spec, for OpSet only; it is valid.
	Check *Check
	// Spread puts the first run of a new check on its grid ("first spread").
	Spread bool
	// To is the zone that OpMove moves the check to.
	To string
	// Incident is the incident that OpAck and OpUnack name; empty means the one
	// that is open on the check.
	Incident string
	// By and Comment belong to OpAck, OpUnack and OpDowntimeDelete. Until or For, from
	// the request on, is when an OpAck ends; zero: with the incident.
	By, Comment string
	Until       time.Time
	For         time.Duration
	// Downtime is that of an OpDowntime; Downtime.Accept makes it whole.
	Downtime *Downtime
}

// opFields lists the fields of the requests other than set.
var opFields = map[Op][]string{
	OpDelete: {"op", "id", "zone"},
	OpPause:  {"op", "id", "zone"},
	OpResume: {"op", "id", "zone"},
	OpRun:    {"op", "id", "zone"},
	OpAck:    {"op", "id", "zone", "incident", "by", "comment", "until", "for"},
	OpUnack:  {"op", "id", "zone", "incident", "by", "comment"},

	OpDowntime:       {"op", "id", "zone", "checks", "labels", "from", "until", "for", "cron", "timezone", "by", "comment"},
	OpDowntimeDelete: {"op", "id", "by", "comment"},
	OpMove:           {"op", "id", "zone", "to"},
}

// ParseRequest reads the fields of an intake entry: the flat fields of a spec
// (params.x, params.a.b, labels.x and meta.x fill the maps, a value that
// begins with { or [ is JSON), or the whole spec in the field spec. What it
// returns with an error names the check as far as that could be read, for the
// verdict.
func ParseRequest(fields map[string]string) (Request, error) {
	r := Request{Op: OpSet, Zone: DefaultZone, ID: fields["id"]}
	if !validID(r.ID) {
		r.ID = ""
	}
	if validZone(fields["zone"]) {
		r.Zone = fields["zone"]
	}
	if err := wellFormed(fields); err != nil {
		return r, err
	}
	if op, ok := fields["op"]; ok {
		r.Op = Op(op)
	}
	if r.Op == OpSet {
		err := r.set(fields)
		return r, err
	}
	if opFields[r.Op] == nil {
		err := unknownOp(r.Op)
		r.Op = ""
		return r, err
	}
	if r.Op == OpDowntime {
		err := r.downtime(fields)
		return r, err
	}
	err := r.other(fields)
	return r, err
}

// other reads a request that is no set.
func (r *Request) other(fields map[string]string) error {
	var f faults
	for _, name := range keys(fields) {
		switch {
		case slices.Contains(opFields[r.Op], name):
		case knownFlat(name):
			f.addf(joinPath("", name), "does not go with op %s", r.Op)
		default:
			f.add(unknownField("", name, opFields[r.Op]))
		}
	}
	switch r.Op {
	case OpAck, OpUnack:
		for _, err := range leaves(r.ack(fields)) {
			f.add(err)
		}
	case OpDowntimeDelete:
		r.By, r.Comment = fields["by"], fields["comment"]
		wantTexts(&f, r.By, r.Comment)
	}
	r.target(fields, &f)
	if r.Op == OpMove {
		r.To = fields["to"]
		switch _, ok := fields["to"]; {
		case !ok:
			f.addf("to", "is missing: want the zone that the check moves to")
		case !validZone(r.To):
			f.addf("to", "%s: want 1 to 32 of a-z 0-9 -", quoteShort(r.To))
		}
	}
	return f.err()
}

func unknownOp(op Op) error {
	ops := []string{"set", "delete", "pause", "resume", "run", "ack", "unack", "move", "downtime", "downtime-delete"}
	msg := quoteShort(string(op)) + ": want one of " + strings.Join(ops, ", ")
	if near := Nearest(string(op), ops); near != "" {
		msg += ", did you mean " + near + "?"
	}
	return fieldErr("op", msg)
}

// wellFormed refuses what no request may contain.
func wellFormed(fields map[string]string) error {
	size := 0
	for _, name := range keys(fields) {
		value := fields[name]
		size += len(name) + len(value)
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fieldErr(joinPath("", strings.ToValidUTF8(name, "?")), "is not valid UTF-8")
		}
		if hasControl(name, "") {
			return fieldErr(joinPath("", name), "control characters are not allowed in a name")
		}
		if hasControl(value, "\t\r\n") {
			return fieldErr(joinPath("", name), "control characters are not allowed")
		}
	}
	if size > 2*MaxSpec {
		return fieldErr("", fmt.Sprintf("%d bytes: a spec has at most %d", size, MaxSpec))
	}
	return nil
}

// target reads the check that a request names.
func (r *Request) target(fields map[string]string, f *faults) {
	if zone, ok := fields["zone"]; ok && !validZone(zone) {
		f.addf("zone", "%s: want 1 to 32 of a-z 0-9 -", quoteShort(zone))
	}
	switch id, ok := fields["id"]; {
	case ok && !validID(id):
		f.addf("id", "%s: want 1 to 128 of A-Z a-z 0-9 . _ : -", quoteShort(id))
	case !ok && r.onIncident() && r.ID == "" && fields["incident"] == "":
		f.addf("incident", "is missing: want the incident's id, or id (and zone) of its check")
	case !ok && r.ID == "" && !r.onIncident():
		f.addf("id", "is missing")
	}
}

// onIncident says whether the request is about an incident.
func (r *Request) onIncident() bool { return r.Op == OpAck || r.Op == OpUnack }

// ack reads the fields of an acknowledgement, or of what takes it back.
func (r *Request) ack(fields map[string]string) error {
	var f faults
	r.By, r.Comment = fields["by"], fields["comment"]
	wantTexts(&f, r.By, r.Comment)
	if r.Op == OpAck {
		r.ackEnd(fields, &f)
	}
	text, ok := fields["incident"]
	if !ok {
		return f.err()
	}
	zone, id, _, err := ParseIncidentID(text)
	switch {
	case err != nil:
		f.addf("incident", "%s: want zone/check/milliseconds", quoteShort(text))
	case fields["id"] != "" && fields["id"] != id, fields["zone"] != "" && fields["zone"] != zone:
		f.addf("incident", "%s is of another check than id and zone say", text)
	default:
		r.Incident, r.Zone, r.ID = text, zone, id
	}
	return f.err()
}

// ackEnd reads when an acknowledgement ends.
func (r *Request) ackEnd(fields map[string]string, f *faults) {
	until, hasUntil := fields["until"]
	span, hasFor := fields["for"]
	var err error
	if hasUntil {
		if r.Until, err = time.Parse(time.RFC3339, until); err != nil {
			f.addf("until", "%s: want a time such as 2030-01-31T12:00:00Z", quoteShort(until))
		}
	}
	if hasFor {
		if r.For, err = time.ParseDuration(span); err != nil || r.For < time.Second || r.For > MaxDowntime {
			f.addf("for", "%s: want a duration of 1s to %s", quoteShort(span), Duration(MaxDowntime))
		}
	}
	if hasUntil && hasFor {
		f.addf("for", "stands beside until")
	}
}
