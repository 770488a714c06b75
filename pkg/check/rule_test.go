package check

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestRule(t *testing.T) {
	t.Parallel()
	both := Rule{Warn: ptr(5.0), Crit: ptr(10.0), Reason: "HIGH"}
	low := Rule{Warn: ptr(10.0), Crit: ptr(5.0), Reason: "LOW"}
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name   string
		grade  func(float64) (State, string)
		value  float64
		state  State
		reason string
	}{
		{"above: well", both.Above, 4, StateOK, ""},
		{"above: at warn", both.Above, 5, StateOK, ""},
		{"above: over warn", both.Above, 5.1, StateWarn, "HIGH"},
		{"above: at crit", both.Above, 10, StateWarn, "HIGH"},
		{"above: over crit", both.Above, 10.1, StateCrit, "HIGH"},
		{"above: infinite", both.Above, inf, StateCrit, "HIGH"},
		{"above: NaN", both.Above, nan, StateUnknown, ReasonNoValue},
		{"above: warn only", Rule{Warn: ptr(5.0), Reason: "HIGH"}.Above, 100, StateWarn, "HIGH"},
		{"above: crit only", Rule{Crit: ptr(5.0), Reason: "HIGH"}.Above, 6, StateCrit, "HIGH"},
		{"above: zero is a threshold", Rule{Crit: ptr(0.0), Reason: "HIGH"}.Above, 0.1, StateCrit, "HIGH"},
		{"above: not set", Rule{Reason: "HIGH"}.Above, 100, StateOK, ""},
		{"above: not set, NaN", Rule{Reason: "HIGH"}.Above, nan, StateOK, ""},
		{"below: well", low.Below, 11, StateOK, ""},
		{"below: at warn", low.Below, 10, StateOK, ""},
		{"below: under warn", low.Below, 9.9, StateWarn, "LOW"},
		{"below: at crit", low.Below, 5, StateWarn, "LOW"},
		{"below: under crit", low.Below, 4.9, StateCrit, "LOW"},
		{"below: minus infinite", low.Below, -inf, StateCrit, "LOW"},
		{"below: NaN", low.Below, nan, StateUnknown, ReasonNoValue},
	}
	for _, tt := range tests {
		if state, reason := tt.grade(tt.value); state != tt.state || reason != tt.reason {
			t.Errorf("%s: %v = %v, %q, want %v, %q", tt.name, tt.value, state, reason, tt.state, tt.reason)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	l := Limits{
		WarnMin: ptr(10.0), WarnMax: ptr(20.0), CritMin: ptr(5.0), CritMax: ptr(25.0),
		Reason: "ODD", CritMaxReason: "FAR_TOO_HIGH", WarnMinReason: "A_BIT_LOW",
	}
	tests := []struct {
		name   string
		l      Limits
		value  float64
		state  State
		reason string
	}{
		{"inside", l, 15, StateOK, ""},
		{"at warn min", l, 10, StateOK, ""},
		{"at warn max", l, 20, StateOK, ""},
		{"under warn min", l, 9, StateWarn, "A_BIT_LOW"},
		{"over warn max", l, 21, StateWarn, "ODD"},
		{"under crit min", l, 4, StateCrit, "ODD"},
		{"over crit max", l, 26, StateCrit, "FAR_TOO_HIGH"},
		{"NaN", l, math.NaN(), StateUnknown, ReasonNoValue},
		{"one side", Limits{CritMin: ptr(0.0)}, -1, StateCrit, ""},
		{"one side, other way", Limits{CritMin: ptr(0.0)}, 1e9, StateOK, ""},
		{"none", Limits{Reason: "ODD"}, math.NaN(), StateOK, ""},
	}
	for _, tt := range tests {
		if state, reason := tt.l.Grade(tt.value); state != tt.state || reason != tt.reason {
			t.Errorf("%s: Grade(%v) = %v, %q, want %v, %q", tt.name, tt.value, state, reason, tt.state, tt.reason)
		}
	}
}

func TestGradeKeepsTheWorst(t *testing.T) {
	t.Parallel()
	type finding struct {
		state        State
		reason, text string
	}
	warn, crit, unknown := finding{StateWarn, "W", "warn"}, finding{StateCrit, "C", "crit"}, finding{StateUnknown, "U", "unknown"}
	well := finding{StateOK, "", "all well"}
	tests := []struct {
		name string
		add  []finding
		want finding
	}{
		{"nothing", nil, finding{}},
		{"OK", []finding{well, {StateOK, "", "second"}}, well},
		{"OK never has a reason", []finding{{StateOK, "X", "all well"}}, well},
		{"worst first", []finding{crit, warn, well}, crit},
		{"worst last", []finding{well, warn, crit}, crit},
		{"the first of equals", []finding{warn, {StateWarn, "W2", "other"}}, warn},
		{"unknown over OK", []finding{well, unknown}, unknown},
		{"warn over unknown", []finding{unknown, warn}, warn},
		{"a bare finding after OK", []finding{well, {StateCrit, "C", ""}}, finding{StateCrit, "C", ""}},
	}
	when := time.Unix(5, 0)
	for _, tt := range tests {
		var g Grade
		for _, f := range tt.add {
			g.Add(f.state, f.reason, f.text)
		}
		r := g.Result(when, []Metric{Gauge("a", 1, "")})
		if got := (finding{r.State, r.Reason, r.Text}); got != tt.want || g.State() != tt.want.state {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if !r.At.Equal(when) || len(r.Metrics) != 1 {
			t.Errorf("%s: Result lost its time or metrics: %+v", tt.name, r)
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	order := []State{StateOK, StateUnknown, StateWarn, StateCrit}
	for i, a := range order {
		for j, b := range order {
			if got, want := Worse(a, b), order[max(i, j)]; got != want {
				t.Errorf("Worse(%v, %v) = %v, want %v", a, b, got, want)
			}
		}
		if back, err := ParseState(a.String()); err != nil || back != a {
			t.Errorf("ParseState(%v) = %v, %v", a, back, err)
		}
	}
	if _, err := ParseState("ok"); err == nil {
		t.Error("ParseState(ok) = nil, want an error")
	}
	if _, err := State(9).MarshalText(); err == nil {
		t.Error("State(9).MarshalText = nil, want an error")
	}
}

func ExampleRule() {
	warn, crit := 80.0, 90.0
	rule := Rule{Warn: &warn, Crit: &crit, Reason: "CPU_USAGE_HIGH"}
	fmt.Println(rule.Above(85))
	// Output: WARN CPU_USAGE_HIGH
}

func ExampleGrade() {
	crit := 100.0
	var g Grade
	g.Add(StateOK, "", "3 of 3 answers")
	state, reason := Rule{Crit: &crit, Reason: "LATENCY_HIGH"}.Above(120)
	g.Add(state, reason, "120 ms on average")
	r := g.Result(time.Now(), nil)
	fmt.Println(r.State, r.Reason, r.Text)
	// Output: CRIT LATENCY_HIGH 120 ms on average
}
