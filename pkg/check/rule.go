package check

import (
	"math"
	"time"
)

// ReasonNoValue is the reason of a value that is NaN where a threshold asks
// for one.
const ReasonNoValue = "NO_VALUE"

// Rule grades a value by thresholds. A nil threshold is not set; a Rule with
// neither asks for nothing and finds all values OK. Else NaN is UNKNOWN with
// ReasonNoValue: a command leaves out what it cannot measure, or says so.
//
// In params a Rule is {"warn": 80, "crit": 90}.
type Rule struct {
	Warn *float64 `json:"warn,omitempty"`
	Crit *float64 `json:"crit,omitempty"`
	// Reason is given with WARN and CRIT.
	Reason string `json:"-"`
}

// Above grades a value that is bad when high: over Warn, over Crit.
func (r Rule) Above(v float64) (State, string) {
	return r.grade(v, func(limit float64) bool { return v > limit })
}

// Below grades a value that is bad when low: under Warn, under Crit.
func (r Rule) Below(v float64) (State, string) {
	return r.grade(v, func(limit float64) bool { return v < limit })
}

func (r Rule) grade(v float64, bad func(limit float64) bool) (State, string) {
	switch {
	case r.Warn == nil && r.Crit == nil:
		return StateOK, ""
	case math.IsNaN(v):
		return StateUnknown, ReasonNoValue
	case r.Crit != nil && bad(*r.Crit):
		return StateCrit, r.Reason
	case r.Warn != nil && bad(*r.Warn):
		return StateWarn, r.Reason
	}
	return StateOK, ""
}

// Limits grades a value that must lie in a range: OK from min to max, both
// included. Any of the four may be missing; NaN is graded as by Rule.
type Limits struct {
	WarnMin *float64 `json:"warn_min,omitempty"`
	WarnMax *float64 `json:"warn_max,omitempty"`
	CritMin *float64 `json:"crit_min,omitempty"`
	CritMax *float64 `json:"crit_max,omitempty"`
	// Reason is given where the limit that is broken has none of its own.
	Reason        string `json:"reason,omitempty"`
	WarnMinReason string `json:"warn_min_reason,omitempty"`
	WarnMaxReason string `json:"warn_max_reason,omitempty"`
	CritMinReason string `json:"crit_min_reason,omitempty"`
	CritMaxReason string `json:"crit_max_reason,omitempty"`
}

// IsZero says that no limit is set.
func (l Limits) IsZero() bool {
	return l.WarnMin == nil && l.WarnMax == nil && l.CritMin == nil && l.CritMax == nil
}

// Grade grades a value; the worst broken limit decides.
func (l Limits) Grade(v float64) (State, string) {
	reason := func(own string) string {
		if own != "" {
			return own
		}
		return l.Reason
	}
	switch {
	case l.IsZero():
		return StateOK, ""
	case math.IsNaN(v):
		return StateUnknown, ReasonNoValue
	case l.CritMax != nil && v > *l.CritMax:
		return StateCrit, reason(l.CritMaxReason)
	case l.CritMin != nil && v < *l.CritMin:
		return StateCrit, reason(l.CritMinReason)
	case l.WarnMax != nil && v > *l.WarnMax:
		return StateWarn, reason(l.WarnMaxReason)
	case l.WarnMin != nil && v < *l.WarnMin:
		return StateWarn, reason(l.WarnMinReason)
	}
	return StateOK, ""
}

// Grade keeps the worst of several findings. The zero value is OK.
type Grade struct {
	state        State
	reason, text string
}

// Add adds a finding. Of two that are equally bad the first stays; the first
// OK text stands while nothing is wrong.
func (g *Grade) Add(state State, reason, text string) {
	worse := state.rank() > g.state.rank()
	if worse || state == StateOK && g.state == StateOK && g.text == "" {
		g.state, g.reason, g.text = state, reason, text
	}
	if g.state == StateOK {
		g.reason = ""
	}
}

// State gives the worst state so far.
func (g *Grade) State() State { return g.state }

// Result makes the Result of what was found.
func (g *Grade) Result(at time.Time, metrics []Metric) Result {
	return Result{State: g.state, Reason: g.reason, Text: g.text, Metrics: metrics, At: at}
}
