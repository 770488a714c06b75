package check

import (
	"time"
	"unicode/utf8"
)

// Bounds of a spec's parts beside those in Check's file.
const (
	MaxAttempts   = 100
	MaxHandlers   = 32
	MaxParents    = 16
	MaxLabels     = 64
	MaxLabelValue = 1024 // bytes
	MaxMeta       = 64   // entries at the top
)

// ZoneName gives the check's zone.
func (c *Check) ZoneName() string {
	if c.Zone == "" {
		return DefaultZone
	}
	return c.Zone
}

// TimeoutOr gives the bound of the command's time, DefaultTimeout if none is set.
func (c *Check) TimeoutOr() time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}
	return c.Timeout.D()
}

// AttemptsOr gives how many results in a row that are not OK open an incident.
func (c *Check) AttemptsOr() int { return max(1, c.Attempts) }

// Validate refuses what a check must not be, with all faults at once. It knows
// no commands and no handlers: only the form of their names.
func (c *Check) Validate() error {
	v := validator{c: c, given: func(name string) bool {
		return map[string]bool{"every": c.Every != 0, "cron": c.Cron != "", "at": !c.At.IsZero()}[name]
	}}
	v.all()
	return v.err()
}

// validator finds the faults of a check. given says whether a field of the
// schedule was there; fields in skip have been reported already.
type validator struct {
	c     *Check
	given func(name string) bool
	skip  map[string]bool
	// size is the length of the text that the check, with its params, was read
	// from by parseTree; 0 for one made otherwise.
	size int
	faults
}

func (v *validator) all() {
	c := v.c
	v.name("id", c.ID, validID, "1 to 128 of A-Z a-z 0-9 . _ : -")
	v.name("command", c.Command, validName, "the name of a command")
	if c.Zone != "" {
		v.name("zone", c.Zone, validZone, "1 to 32 of a-z 0-9 -")
	}
	v.schedule()
	v.span("timeout", c.Timeout, time.Millisecond, MaxTimeout)
	v.span("retry_every", c.RetryEvery, MinEvery, MaxEvery)
	if c.Attempts < 0 || c.Attempts > MaxAttempts {
		v.addf("attempts", "%d: want 1 to %d", c.Attempts, MaxAttempts)
	}
	v.parents()
	v.flap()
	v.handlers()
	v.labels()
	v.maps()
	// A short text has no canonical form that is too long: an escape makes at
	// most six bytes of one.
	if len(v.list) == 0 && (v.size == 0 || v.size > MaxSpec/8) {
		if n := len(c.Text()); n > MaxSpec {
			v.addf("", "%d bytes: a spec has at most %d", n, MaxSpec)
		}
	}
}

func (v *validator) name(field, s string, ok func(string) bool, want string) {
	switch {
	case v.skip[field] || ok(s):
	case s == "":
		v.addf(field, "is missing: want %s", want)
	default:
		v.addf(field, "%s: want %s", quoteShort(s), want)
	}
}

// schedule wants exactly one of every, cron, at, and what belongs to it.
func (v *validator) schedule() {
	c := v.c
	every, cron, at := v.given("every"), v.given("cron"), v.given("at")
	n := 0
	for _, given := range []bool{every, cron, at} {
		if given {
			n++
		}
	}
	if n > 1 || n == 0 && !v.skip["schedule"] {
		v.addf("every", "want exactly one of every, cron, at: got %d of them", n)
	}
	v.span("every", c.Every, MinEvery, MaxEvery)
	if c.Phase != nil && !v.skip["phase"] {
		switch d := c.Phase.D(); {
		case !every:
			v.addf("phase", "goes with every only")
		case d < 0 || d > MaxEvery || d%time.Millisecond != 0:
			v.addf("phase", "%s: want 0s to %s, in whole milliseconds", d, Duration(MaxEvery))
		}
	}
	switch {
	case c.Timezone != "" && !cron:
		v.addf("timezone", "goes with cron only")
	case cron && !v.skip["cron"] && !v.skip["timezone"]:
		_, err := ParseCron(c.Cron, c.Timezone)
		v.add(err)
	}
	if at && !v.skip["at"] && (c.At.Year() < 1970 || c.At.Year() > 9999) {
		v.addf("at", "want a time from 1970 on")
	}
}

// span wants a duration that is absent or in bounds.
func (v *validator) span(field string, d Duration, low, high time.Duration) {
	if d == 0 || v.skip[field] {
		return
	}
	if d.D() < low || d.D() > high || d.D()%time.Millisecond != 0 {
		v.addf(field, "%s: want %s to %s, in whole milliseconds", d, Duration(low), Duration(high))
	}
}

func (v *validator) handlers() {
	if len(v.c.Handlers) > MaxHandlers {
		v.addf("handlers", "%d: want at most %d", len(v.c.Handlers), MaxHandlers)
		return
	}
	seen := map[string]bool{}
	for _, h := range v.c.Handlers {
		switch {
		case !validName(h):
			v.addf("handlers", "%s is no name of a handler", quoteShort(h))
		case seen[h]:
			v.addf("handlers", "%s stands twice", h)
		}
		seen[h] = true
	}
}

func (v *validator) parents() {
	if len(v.c.Parents) > MaxParents {
		v.addf("parents", "%d: want at most %d", len(v.c.Parents), MaxParents)
		return
	}
	seen := map[string]bool{}
	for _, id := range v.c.Parents {
		switch {
		case !validID(id):
			v.addf("parents", "%s is no id of a check; a parent is of the same zone", quoteShort(id))
		case id == v.c.ID:
			v.addf("parents", "%s is the check itself", id)
		case seen[id]:
			v.addf("parents", "%s stands twice", id)
		}
		seen[id] = true
	}
}

func (v *validator) flap() {
	if v.c.Flap == nil {
		return
	}
	f := v.c.Flap.Filled()
	if f.Window < MinFlapWindow || f.Window > MaxFlapWindow {
		v.addf("flap.window", "%d: want %d to %d results", f.Window, MinFlapWindow, MaxFlapWindow)
	}
	if f.High < 1 || f.High > 100 {
		v.addf("flap.high", "%d: want 1 to 100 percent", f.High)
	}
	if f.Low < 1 || f.Low > f.High {
		v.addf("flap.low", "%d: want 1 to %d percent, no more than high", f.Low, f.High)
	}
}

func (v *validator) labels() {
	if len(v.c.Labels) > MaxLabels {
		v.addf("labels", "%d: want at most %d", len(v.c.Labels), MaxLabels)
		return
	}
	for _, k := range keys(v.c.Labels) {
		value, path := v.c.Labels[k], joinPath("labels", k)
		if !validName(k) {
			v.addf(path, "want a name of 1 to 64 of A-Z a-z 0-9 . _ -")
		}
		if len(value) > MaxLabelValue || hasControl(value, "") || !utf8.ValidString(value) {
			v.addf(path, "want at most %d bytes of UTF-8 on one line", MaxLabelValue)
		}
	}
}

// maps looks at params and meta.
func (v *validator) maps() {
	if v.size == 0 {
		if _, err := canonicalParams(v.c.Params); err != nil {
			for _, e := range leaves(withPrefix("params", err)) {
				v.add(e)
			}
		}
	}
	if len(v.c.Meta) > MaxMeta {
		v.addf("meta", "%d: want at most %d", len(v.c.Meta), MaxMeta)
	}
	if _, err := compact(v.c.Meta); v.size == 0 && err != nil {
		v.add(fieldErr("meta", err.Error()))
	}
}

func validID(s string) bool {
	return match(s, 128, func(r byte) bool { return isWordByte(r) || r == '.' || r == ':' || r == '-' })
}

// ValidZone tells whether a text can be the name of a zone.
func ValidZone(s string) bool { return validZone(s) }

func validZone(s string) bool {
	return match(s, 32, func(r byte) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' })
}

func validName(s string) bool {
	return match(s, 64, func(r byte) bool { return isWordByte(r) || r == '.' || r == '-' })
}
