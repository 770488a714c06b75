package check

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"
)

// AllZones in Downtime.Zone stands for every zone.
const AllZones = "*"

// Bounds of a downtime.
const (
	MaxDowntimes      = 1000 // in a fleet
	MaxDowntimeChecks = 100
	MaxDowntimeLabels = 16
	// MaxDowntime is the longest one, MaxWindow the longest window of one that
	// recurs: what is to last for ever is suppress_incidents.
	MaxDowntime = 366 * 24 * time.Hour
	MaxWindow   = 7 * 24 * time.Hour
)

// Downtime is a time, or a recurring one, in which the checks that it covers
// open no incidents. It stands as JSON in the hash `downtimes`, by id.
type Downtime struct {
	// ID has the form of a check's.
	ID string `json:"id"`
	// Entry is the id of its request in the intake: the newest counts. At is
	// when that came, unix ms.
	Entry string `json:"entry,omitempty"`
	At    int64  `json:"at,omitempty"`
	// Deleted is when it was deleted, unix ms: what is left holds off older
	// requests and covers nothing. 0: it is there.
	Deleted int64 `json:"deleted,omitempty"`

	// Zone, Checks and Labels say what it covers: checks of the zone (empty:
	// DefaultZone) whose id is as one of Checks says, where * stands for any
	// text and ? for one character, and that have all of Labels. Checks or
	// Labels are given, or both.
	Zone   string            `json:"zone,omitempty"`
	Checks []string          `json:"checks,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`

	// From and Until bound one that happens once. One with a Cron begins at its
	// slots, by the wall clock of Timezone, and each time lasts for For.
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Cron     string    `json:"cron,omitempty"`
	Timezone string    `json:"timezone,omitempty"`
	For      Duration  `json:"for,omitzero"`

	By      string `json:"by,omitempty"`
	Comment string `json:"comment,omitempty"`

	cron *Cron
}

// ParseDowntime reads a downtime as it stands in Redis, as strictly as Parse
// reads a spec. What was deleted need not be valid otherwise.
func ParseDowntime(text string) (*Downtime, error) {
	if len(text) > MaxSpec {
		return nil, fieldErr("", "a downtime has at most 65536 bytes")
	}
	d := &Downtime{}
	if err := Decode(json.RawMessage(text), d); err != nil {
		return nil, err
	}
	if d.Deleted != 0 {
		return d, nil
	}
	return d, d.validate()
}

// Text gives the downtime's JSON.
func (d *Downtime) Text() string {
	text, err := compact(d)
	if err != nil {
		return "" // cannot be: texts and times in bounds
	}
	return string(text)
}

// Accept makes a request's downtime that of the intake's entry, which came at
// ms: it fills in what the request left open.
func (d *Downtime) Accept(entry string, ms int64) error {
	d.Entry, d.At = entry, ms
	if d.ID == "" {
		d.ID = entry
	}
	if d.Cron != "" {
		return d.validate()
	}
	if d.From.IsZero() {
		d.From = time.UnixMilli(ms).UTC()
	}
	if d.For > 0 && d.Until.IsZero() {
		d.Until, d.For = d.From.Add(d.For.D()), 0
	}
	err := d.validate()
	if err == nil && d.Until.UnixMilli() <= ms {
		err = fieldErr("until", d.Until.Format(time.RFC3339)+" is past")
	}
	return err
}

// validate refuses what a downtime must not be, and readies it for Touches.
func (d *Downtime) validate() error {
	var f faults
	if !validID(d.ID) {
		f.addf("id", "%s: want 1 to 128 of A-Z a-z 0-9 . _ : -", quoteShort(d.ID))
	}
	d.wantTarget(&f)
	d.wantTime(&f)
	wantTexts(&f, d.By, d.Comment)
	return f.err()
}

// wantTarget looks at what a downtime covers.
func (d *Downtime) wantTarget(f *faults) {
	if d.Zone != "" && d.Zone != AllZones && !validZone(d.Zone) {
		f.addf("zone", "%s: want 1 to 32 of a-z 0-9 -, or * for all zones", quoteShort(d.Zone))
	}
	if len(d.Checks) == 0 && len(d.Labels) == 0 {
		f.addf("checks", "is missing: want ids of checks (* stands for all of them), or labels")
	}
	if n := len(d.Checks); n > MaxDowntimeChecks {
		f.addf("checks", "%d: want at most %d", n, MaxDowntimeChecks)
	}
	for _, p := range d.Checks {
		if !match(p, 128, func(r byte) bool { return isWordByte(r) || strings.IndexByte(".:-*?", r) >= 0 }) {
			f.addf("checks", "%s: want an id, in which * and ? stand for others", quoteShort(p))
		}
	}
	if n := len(d.Labels); n > MaxDowntimeLabels {
		f.addf("labels", "%d: want at most %d", n, MaxDowntimeLabels)
	}
	for _, k := range keys(d.Labels) {
		if !validName(k) || len(d.Labels[k]) > MaxLabelValue {
			f.addf(joinPath("labels", k), "is no label that a check can have")
		}
	}
}

// wantTime looks at when a downtime is.
func (d *Downtime) wantTime(f *faults) {
	if d.Cron != "" {
		for _, other := range []struct {
			name  string
			given bool
		}{{"from", !d.From.IsZero()}, {"until", !d.Until.IsZero()}} {
			if other.given {
				f.addf(other.name, "does not go with cron")
			}
		}
		if d.For.D() < time.Minute || d.For.D() > MaxWindow {
			f.addf("for", "%s: want 1m to %s, how long each time lasts", d.For, Duration(MaxWindow))
		}
		var err error
		d.cron, err = ParseCron(d.Cron, d.Timezone)
		f.add(err)
		return
	}
	if d.Timezone != "" {
		f.addf("timezone", "goes with cron only")
	}
	switch span := d.Until.Sub(d.From); {
	case d.For < 0:
		f.addf("for", "%s: want more than 0", d.For)
	case d.For != 0:
		f.addf("for", "stands beside until")
	case d.Until.IsZero():
		f.addf("until", "is missing: want until or for, or cron and for")
	case d.From.Year() < 1970 || d.Until.Year() > 9999:
		f.addf("from", "want times from 1970 on")
	case span <= 0:
		f.addf("until", "%s is not after from", d.Until.Format(time.RFC3339))
	case span > MaxDowntime:
		f.addf("until", "want at most %d days after from", MaxDowntime/(24*time.Hour))
	}
}

// wantTexts looks at who says what.
func wantTexts(f *faults, by, comment string) {
	if n := len(by); n > 128 {
		f.addf("by", "%d bytes: want at most 128", n)
	}
	if n := len(comment); n > MaxLabelValue {
		f.addf("comment", "%d bytes: want at most %d", n, MaxLabelValue)
	}
}

// ZoneName gives the zone that the downtime is of, AllZones for every one.
func (d *Downtime) ZoneName() string {
	if d.Zone == "" {
		return DefaultZone
	}
	return d.Zone
}

// Covers says whether the downtime is one of the check.
func (d *Downtime) Covers(c *Check) bool {
	if zone := d.ZoneName(); d.Deleted != 0 || zone != AllZones && zone != c.ZoneName() {
		return false
	}
	for k, v := range d.Labels {
		if have, ok := c.Labels[k]; !ok || have != v {
			return false
		}
	}
	return len(d.Checks) == 0 || slices.ContainsFunc(d.Checks, func(p string) bool {
		ok, err := path.Match(p, c.ID)
		return ok && err == nil
	})
}

// Touches says whether the downtime has a part in the time from from to to,
// unix ms, both included. Its own end is not a part of it.
func (d *Downtime) Touches(from, to int64) bool {
	begin, end := d.Window(from)
	return !begin.IsZero() && begin.UnixMilli() <= to && end.UnixMilli() > from
}

// Window gives the window of the downtime that is open at a time, unix ms, or
// the next one; zero times: there is none any more.
func (d *Downtime) Window(at int64) (begin, end time.Time) {
	switch {
	case d.Deleted != 0:
		return begin, end
	case d.Cron == "":
		if d.Until.UnixMilli() <= at {
			return begin, end
		}
		return d.From, d.Until
	case d.cron == nil:
		return begin, end // not of ParseDowntime or Accept
	}
	if begin = d.cron.Next(time.UnixMilli(at).Add(-d.For.D())); begin.IsZero() {
		return begin, end
	}
	return begin, begin.Add(d.For.D())
}

// Over says whether the downtime is past for good at a time, unix ms.
func (d *Downtime) Over(at int64) bool {
	begin, _ := d.Window(at)
	return begin.IsZero()
}

// Downtimes are those of a fleet.
type Downtimes []*Downtime

// Of gives the id of a downtime that covers the check at some time from from to
// to, unix ms, and its end, unix ms; empty: none does. Of several it is the first
// by id.
func (list Downtimes) Of(c *Check, from, to int64) (id string, until int64) {
	for _, d := range list {
		if (id == "" || d.ID < id) && d.Covers(c) && d.Touches(from, to) {
			_, end := d.Window(from)
			id, until = d.ID, end.UnixMilli()
		}
	}
	return id, until
}
