package check

import (
	"strings"
	"testing"
	"time"
)

func TestFlapSequences(t *testing.T) {
	t.Parallel()
	four := &Flap{Window: 4, High: 75, Low: 50}
	tests := []struct {
		name          string
		c             Check
		results, want string
		flapping      bool
	}{
		{"off", Check{}, "OCOCOCOCO", ".orororor", false},
		{"the third turn of four starts it, on a CRIT that opens", Check{Flap: four}, "OCOC", ".oro", true},
		{"it stays open, one OK ends nothing", Check{Flap: four}, "OCOCOCOCO", ".oro.....", true},
		{"quiet: it ends and resolves", Check{Flap: four}, "OCOCOOOOO", ".oro...r.", false},
		{"started by an OK: the incident stays and says so", Check{Flap: four}, "OWCOC", ".ouu.", true},
		{"worse is told, better is not", Check{Flap: four}, "OCOWOCW", ".oro.u.", true},
		{"ends in trouble: the reason comes back", Check{Flap: four}, "OCOCCCC", ".oro..u", false},
		{"soft trouble only: nothing opens", Check{Flap: four, Attempts: 3}, "OCOCOCOC", "........", true},
		{"hard trouble in flapping opens one", Check{Flap: four, Attempts: 2}, "OCOCOCCOO", "......o..", true},
		{"suppressed", Check{Flap: four, SuppressIncidents: true}, "OCOCOCOC", "........", true},
		{"few turns in a large window", Check{Flap: &Flap{}}, "OCOCOCOCO", ".orororor", false},
	}
	for _, tt := range tests {
		tt.c.ID = "a"
		got, last := play(t, &tt.c, tt.results)
		if got != tt.want || last.Flapping != tt.flapping {
			t.Errorf("%s: %s = %s flapping %v, want %s %v", tt.name, tt.results, got, last.Flapping, tt.want, tt.flapping)
		}
	}
}

func TestFlapRecord(t *testing.T) {
	t.Parallel()
	c := &Check{ID: "a", Flap: &Flap{Window: 4, High: 75, Low: 50}}
	_, last := play(t, c, "OCOC")
	inc := last.Open()
	if inc == nil || inc.Reason != ReasonFlapping || !strings.HasPrefix(inc.Text, "3 of the last 4 results turned the state") || inc.To != StateCrit {
		t.Errorf("incident = %+v, want CRIT, FLAPPING, 3 of 4", inc)
	}
	if last.Turns != 0b111 || last.Reason != "SOME_REASON" {
		t.Errorf("turns %b reason %s, want 111 and the result's own", last.Turns, last.Reason)
	}
	_, last = play(t, c, "OCOCO")
	if last.Held != HeldFlap || last.Open() == nil {
		t.Errorf("OK in flapping: held %q open %v, want flap and an incident", last.Held, last.Open())
	}
	// Without the field the next results are ordinary ones.
	next, change := Advance(&Check{ID: "a"}, last, Result{}, time.UnixMilli(1_790_000_000_000), Circumstances{})
	if change != ChangeResolve || next.Turns != 0 || next.Flapping {
		t.Errorf("flap taken out: %q turns %b flapping %v, want resolve, 0, false", change, next.Turns, next.Flapping)
	}
}
