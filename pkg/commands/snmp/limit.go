package snmp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// Limit is a threshold: a number in the unit of the value, or a percentage of
// the port speed, written "80%". The zero value is no threshold.
type Limit struct {
	Set     bool
	Percent bool
	Value   float64
}

// IsZero says that there is no threshold.
func (l Limit) IsZero() bool { return !l.Set }

// MarshalJSON writes the number, or the percentage as text.
func (l Limit) MarshalJSON() ([]byte, error) {
	if l.Percent {
		return json.Marshal(strconv.FormatFloat(l.Value, 'g', -1, 64) + "%")
	}
	return json.Marshal(l.Value)
}

// UnmarshalJSON reads a number, or a text of a number with or without %.
func (l *Limit) UnmarshalJSON(text []byte) error {
	word := string(text)
	if bytes.HasPrefix(text, []byte(`"`)) {
		if err := json.Unmarshal(text, &word); err != nil {
			return err
		}
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(word), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || percent && (v < 0 || v > 1000) {
		return fmt.Errorf("threshold %.32q: want a number, or a percentage of the port speed such as 80%%", word)
	}
	*l = Limit{Set: true, Percent: percent, Value: v}
	return nil
}

// Limits are the four thresholds of a value, each with a reason of its own. A
// value is too high above a max and too low below a min.
type Limits struct {
	WarnMin       Limit  `json:"warn_min,omitzero"`
	WarnMinReason string `json:"warn_min_reason,omitempty"`
	WarnMax       Limit  `json:"warn_max,omitzero"`
	WarnMaxReason string `json:"warn_max_reason,omitempty"`
	CritMin       Limit  `json:"crit_min,omitzero"`
	CritMinReason string `json:"crit_min_reason,omitempty"`
	CritMax       Limit  `json:"crit_max,omitzero"`
	CritMaxReason string `json:"crit_max_reason,omitempty"`
}

// Reasons that this command gives where the user names none.
const (
	ReasonIfaceDown    = "IFACE_DOWN"
	ReasonBWHigh       = "BW_UTILIZATION_HIGH"
	ReasonBWLow        = "BW_UTILIZATION_LOW"
	ReasonValueHigh    = "VALUE_HIGH"
	ReasonValueLow     = "VALUE_LOW"
	ReasonBadStatus    = "BAD_STATUS"
	ReasonErrorsHigh   = "IFACE_ERRORS_HIGH"
	ReasonDiscardsHigh = "IFACE_DISCARDS_HIGH"
)

// IsZero says that there is no threshold at all.
func (l *Limits) IsZero() bool {
	return !l.WarnMin.Set && !l.WarnMax.Set && !l.CritMin.Set && !l.CritMax.Set
}

// percent says whether any threshold needs the port speed.
func (l *Limits) percent() bool {
	return l.WarnMin.Percent || l.WarnMax.Percent || l.CritMin.Percent || l.CritMax.Percent
}

// named gives thresholds without a reason the default one.
func (l Limits) named(high, low string) Limits {
	name := func(reason *string, limit Limit, plain, percent string) {
		if *reason == "" {
			*reason = plain
			if limit.Percent {
				*reason = percent
			}
		}
	}
	name(&l.WarnMinReason, l.WarnMin, low, ReasonBWLow)
	name(&l.CritMinReason, l.CritMin, low, ReasonBWLow)
	name(&l.WarnMaxReason, l.WarnMax, high, ReasonBWHigh)
	name(&l.CritMaxReason, l.CritMax, high, ReasonBWHigh)
	return l
}

// verdict is what a value means.
type verdict struct {
	state  check.State
	reason string
	text   string
}

// grade compares value, a percentage being one of speed in bits per second.
func (l *Limits) grade(name string, value, speed float64) verdict {
	for _, t := range [...]struct {
		limit  *Limit
		above  bool
		state  check.State
		reason string
	}{
		{&l.CritMax, true, check.StateCrit, l.CritMaxReason},
		{&l.CritMin, false, check.StateCrit, l.CritMinReason},
		{&l.WarnMax, true, check.StateWarn, l.WarnMaxReason},
		{&l.WarnMin, false, check.StateWarn, l.WarnMinReason},
	} {
		if !t.limit.Set {
			continue
		}
		bound := t.limit.Value
		if t.limit.Percent {
			bound = bound / 100 * speed
		}
		if t.above && value > bound {
			return verdict{t.state, t.reason, fmt.Sprintf("%s is %s, over %s", name, figure(value), figure(bound))}
		}
		if !t.above && value < bound {
			return verdict{t.state, t.reason, fmt.Sprintf("%s is %s, under %s", name, figure(value), figure(bound))}
		}
	}
	return verdict{}
}

// figure writes a number for people.
func figure(v float64) string {
	if size := math.Abs(v); size >= 1e5 && size < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64) // nobody reads 2.01871e+08
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// validate refuses what can never be right.
func (l *Limits) validate(field string) error {
	for _, r := range []struct{ name, reason string }{
		{"warn_min_reason", l.WarnMinReason}, {"warn_max_reason", l.WarnMaxReason},
		{"crit_min_reason", l.CritMinReason}, {"crit_max_reason", l.CritMaxReason},
	} {
		if err := validReason(field+r.name, r.reason); err != nil {
			return err
		}
	}
	for _, p := range []struct {
		low, high Limit
		names     string
	}{
		{l.WarnMin, l.WarnMax, "warn_min and warn_max"}, {l.CritMin, l.CritMax, "crit_min and crit_max"},
	} {
		if p.low.Set && p.high.Set && p.low.Percent == p.high.Percent && p.low.Value > p.high.Value {
			return fmt.Errorf("%s%s: every value would be wrong", field, p.names)
		}
	}
	return nil
}

// validReason checks a reason code of the user's own.
func validReason(field, reason string) error {
	if len(reason) > 64 {
		return fmt.Errorf("%s: longer than 64 characters", field)
	}
	for _, c := range []byte(reason) {
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return fmt.Errorf("%s: want capitals, digits and _, not %.32q", field, reason)
		}
	}
	return nil
}
