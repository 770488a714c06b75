package check

import (
	"reflect"
	"strings"
	"testing"
)

func TestKin(t *testing.T) {
	t.Parallel()
	const down, started = 1000, 900
	crit := func(started int64, held string) Neighbour {
		return Neighbour{There: true, Last: &Last{Result: Result{State: StateCrit}, Started: started, Since: started, Held: held}}
	}
	ok := func(started, since int64) Neighbour {
		return Neighbour{There: true, Last: &Last{Started: started, Since: since}}
	}
	warn := crit(1100, "")
	warn.Last.State, warn.Last.Since = StateWarn, 10
	warnHeld := crit(1100, "parent:core")
	warnHeld.Last.State = StateWarn
	unknown := crit(1100, "")
	unknown.Last.State = StateUnknown
	paused, pricey := crit(1100, ""), ok(10, 10)
	paused.Paused, pricey.Crashes = true, 2
	at := func(n Neighbour, at int64) Neighbour {
		n.At = at
		return n
	}
	tests := []struct {
		name    string
		parents []string
		known   map[string]Neighbour
		want    Kinship
	}{
		{"not known yet", []string{"r", "s"}, nil, Kinship{Missing: []string{"r", "s"}}},
		{"there is none", []string{"r"}, map[string]Neighbour{"r": {}}, Kinship{}},
		{"paused", []string{"r"}, map[string]Neighbour{"r": paused}, Kinship{}},
		{"well since", []string{"r"}, map[string]Neighbour{"r": ok(1000, 10)}, Kinship{}},
		{"well, but that is old", []string{"r"}, map[string]Neighbour{"r": ok(999, 10)}, Kinship{Unsure: "r", Hurry: []string{"r"}}},
		{"well, but only since this run began", []string{"r"}, map[string]Neighbour{"r": ok(1000, 950)}, Kinship{Unsure: "r", Hurry: []string{"r"}}},
		{"never ran", []string{"r"}, map[string]Neighbour{"r": {There: true}}, Kinship{Unsure: "r", Hurry: []string{"r"}}},
		{"runs once, later", []string{"r"}, map[string]Neighbour{"r": at(Neighbour{There: true}, 901)}, Kinship{}},
		{"runs once, later, and was run by hand", []string{"r"}, map[string]Neighbour{"r": at(ok(10, 10), 901)}, Kinship{}},
		{"runs once, later, was run by hand and is in trouble", []string{"r", "s"}, map[string]Neighbour{"r": at(crit(1100, ""), 901), "s": ok(1100, 10)}, Kinship{}},
		{"runs once, and is about to", []string{"r"}, map[string]Neighbour{"r": at(Neighbour{There: true}, 900)}, Kinship{Unsure: "r", Hurry: []string{"r"}}},
		{"old, and it cost workers", []string{"r"}, map[string]Neighbour{"r": pricey}, Kinship{Unsure: "r"}},
		{"WARN can be reached", []string{"r"}, map[string]Neighbour{"r": warn}, Kinship{}},
		{"WARN and held itself", []string{"r"}, map[string]Neighbour{"r": warnHeld, "core": crit(1100, "")}, Kinship{Parent: "r"}},
		{"UNKNOWN", []string{"r"}, map[string]Neighbour{"r": unknown}, Kinship{Parent: "r"}},
		{"CRIT", []string{"r"}, map[string]Neighbour{"r": crit(1100, "")}, Kinship{Parent: "r"}},
		{"CRIT since the trouble began, and that is long ago", []string{"r"}, map[string]Neighbour{"r": crit(1100, "")}, Kinship{Parent: "r", Hurry: []string{"r"}}},
		{"CRIT, and that is old", []string{"r"}, map[string]Neighbour{"r": crit(500, "")}, Kinship{Parent: "r", Hurry: []string{"r"}}},
		{"the second is in trouble", []string{"r", "s"}, map[string]Neighbour{"r": ok(10, 10), "s": crit(1100, "")}, Kinship{Parent: "s"}},
		{"CRIT in its own downtime", []string{"r"}, map[string]Neighbour{"r": crit(1100, "downtime:x")}, Kinship{Parent: "r"}},
		{"held by one that is not known yet", []string{"r"}, map[string]Neighbour{"r": crit(1100, "parent:core")}, Kinship{Missing: []string{"core"}}},
		{"held by one that is gone", []string{"r"}, map[string]Neighbour{"r": crit(1100, "parent:core"), "core": {}}, Kinship{Parent: "r"}},
		{"held by this check", []string{"r"}, map[string]Neighbour{"r": crit(1100, "parent:me")}, Kinship{}},
		{"held by this check over another", []string{"r"}, map[string]Neighbour{"r": crit(1100, "parent:s"), "s": crit(1100, "parent:me")}, Kinship{}},
		{"held in a circle without this check", []string{"r"}, map[string]Neighbour{"r": crit(1100, "parent:s"), "s": crit(1100, "parent:r")}, Kinship{}},
		{"waits for this check", []string{"r"}, map[string]Neighbour{"r": crit(1100, "waiting:me")}, Kinship{Parent: "r"}},
	}
	for _, tt := range tests {
		now := int64(started)
		if strings.Contains(tt.name, "long ago") {
			now = 1101 + maxHoldAge
		}
		got := Kin(&Check{ID: "me", Parents: tt.parents}, tt.known, down, now)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: Kin() = %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// Holds are followed over a bounded number of parents.
func TestKinLongChain(t *testing.T) {
	t.Parallel()
	known := map[string]Neighbour{}
	name := func(i int) string { return "r" + string(rune('a'+i)) }
	for i := range 26 {
		known[name(i)] = Neighbour{There: true, Last: &Last{Result: Result{State: StateCrit}, Started: 1100, Held: HeldParent + name(i+1)}}
	}
	known[name(3)] = Neighbour{There: true, Last: &Last{Result: Result{State: StateCrit}, Started: 1100}}
	if k := Kin(&Check{ID: "me", Parents: []string{name(0)}}, known, 1000, 900); k.Parent != name(0) {
		t.Errorf("a chain of four: %+v, want it to hold", k)
	}
	if k := Kin(&Check{ID: "me", Parents: []string{name(4)}}, known, 1000, 900); k.Parent != "" || len(k.Missing) > 0 {
		t.Errorf("a chain without end: %+v, want it not to hold", k)
	}
}
