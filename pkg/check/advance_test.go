package check

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// play runs results through Advance, one each minute from base, and gives a
// letter for each change: o(pen), u(pdate), r(esolve) or a dot.
func play(t *testing.T, c *Check, results string) (changes string, last *Last) {
	t.Helper()
	states := map[rune]State{'O': StateOK, 'W': StateWarn, 'C': StateCrit, 'U': StateUnknown}
	letters := map[Change]string{ChangeNone: ".", ChangeOpen: "o", ChangeUpdate: "u", ChangeResolve: "r"}
	planned := at(t, "2026-05-01T10:00:00Z")
	for _, r := range results {
		res := Result{State: states[r], At: planned}
		if res.State != StateOK {
			res.Reason = "SOME_REASON"
		}
		next, change := Advance(c, last, res, planned, Circumstances{})
		changes += letters[change]
		last, planned = stored(t, next), planned.Add(time.Minute)
	}
	return changes, last
}

// stored takes a record through JSON, as the queue does.
func stored(t *testing.T, l Last) *Last {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Last)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestAdvanceSequences(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		c             Check
		results, want string
	}{
		{"all well", Check{}, "OOO", "..."},
		{"starts in trouble", Check{}, "CO", "or"},
		{"opens on the edge only", Check{}, "OCCCO", ".o..r"},
		{"escalates", Check{}, "OWCCO", ".ou.r"},
		{"eases off", Check{}, "OCWO", ".our"},
		{"unknown is not OK", Check{}, "OUO", ".or"},
		{"unknown in between", Check{}, "CUCO", "ouur"},
		{"three attempts", Check{Attempts: 3}, "OCCCCO", "...o.r"},
		{"attempts of mixed states", Check{Attempts: 3}, "WCUO", "..or"},
		{"recovers in time", Check{Attempts: 3}, "CCOCCO", "......"},
		{"attempts count anew after OK", Check{Attempts: 2}, "CCOCC", ".or.o"},
		{"suppressed", Check{SuppressIncidents: true}, "CCOCO", "....."},
	}
	for _, tt := range tests {
		tt.c.ID = "a"
		if got, _ := play(t, &tt.c, tt.results); got != tt.want {
			t.Errorf("%s: %s = %s, want %s", tt.name, tt.results, got, tt.want)
		}
	}
}

// Fault 1 of the ancestors: CRIT, one OK, CRIT opens no second incident.
func TestFault1SecondIncident(t *testing.T) {
	t.Parallel()
	c := &Check{ID: "web1", Zone: "fra"}
	base := at(t, "2026-05-01T10:00:00Z")
	var last *Last
	var ids []string
	for i, state := range []State{StateCrit, StateOK, StateCrit} {
		next, change := Advance(c, last, Result{State: state}, base.Add(time.Duration(i)*time.Second), Circumstances{})
		if change == ChangeOpen {
			ids = append(ids, next.Incident.ID)
		}
		last = stored(t, next)
	}
	if got, want := strings.Join(ids, " "), "fra/web1/1777629600000 fra/web1/1777629602000"; got != want {
		t.Errorf("incidents = %s, want %s", got, want)
	}
}

func TestAdvanceRecord(t *testing.T) {
	t.Parallel()
	c := &Check{ID: "web1", Attempts: 2}
	base := at(t, "2026-05-01T10:00:00Z")
	minute := func(n int) int64 { return base.Add(time.Duration(n) * time.Minute).UnixMilli() }
	incident := func(to State, reason, text string, updated, resolved int64) *Incident {
		return &Incident{ID: "default/web1/1777629720000", To: to, Reason: reason, Text: text, Opened: minute(2), Updated: updated, Resolved: resolved}
	}
	steps := []struct {
		res      Result
		change   Change
		since    int64
		fails    int
		soft     bool
		incident *Incident
	}{
		{Result{State: StateOK}, ChangeNone, minute(0), 0, false, nil},
		{Result{State: StateWarn, Reason: "SLOW", Text: "1 s"}, ChangeNone, minute(1), 1, true, nil},
		{Result{State: StateWarn, Reason: "SLOW", Text: "2 s"}, ChangeOpen, minute(1), 2, false, incident(StateWarn, "SLOW", "2 s", minute(2), 0)},
		{Result{State: StateWarn, Reason: "SLOW", Text: "3 s"}, ChangeNone, minute(1), 3, false, incident(StateWarn, "SLOW", "2 s", minute(2), 0)},
		{Result{State: StateCrit, Reason: "DOWN", Text: "gone"}, ChangeUpdate, minute(4), 4, false, incident(StateCrit, "DOWN", "gone", minute(4), 0)},
		{Result{State: StateCrit, Reason: "REFUSED", Text: "no"}, ChangeUpdate, minute(4), 5, false, incident(StateCrit, "REFUSED", "no", minute(5), 0)},
		{Result{State: StateOK}, ChangeResolve, minute(6), 0, false, incident(StateCrit, "REFUSED", "no", minute(6), minute(6))},
		{Result{State: StateOK}, ChangeNone, minute(6), 0, false, nil},
	}
	var last *Last
	for i, step := range steps {
		next, change := Advance(c, last, step.res, time.UnixMilli(minute(i)), Circumstances{})
		if change != step.change || next.Since != step.since || next.Fails != step.fails || next.Soft(c) != step.soft {
			t.Errorf("step %d: change %q since %d fails %d soft %v, want %q %d %d %v", i,
				change, next.Since, next.Fails, next.Soft(c), step.change, step.since, step.fails, step.soft)
		}
		if next.State != step.res.State || next.Planned != minute(i) {
			t.Errorf("step %d: state %v planned %d, want %v %d", i, next.State, next.Planned, step.res.State, minute(i))
		}
		switch {
		case (next.Incident == nil) != (step.incident == nil):
			t.Errorf("step %d: incident = %+v, want %+v", i, next.Incident, step.incident)
		case next.Incident != nil && *next.Incident != *step.incident:
			t.Errorf("step %d: incident = %+v, want %+v", i, *next.Incident, *step.incident)
		}
		last = stored(t, next)
	}
}

func TestAdvanceLeavesLastAlone(t *testing.T) {
	t.Parallel()
	open := Incident{ID: "default/a/1", To: StateWarn, Opened: 1, Updated: 1}
	kept := open
	last := &Last{Result: Result{State: StateWarn}, Incident: &open, Fails: 1}
	for _, state := range []State{StateOK, StateWarn, StateCrit} {
		Advance(&Check{ID: "a"}, last, Result{State: state}, time.UnixMilli(5), Circumstances{})
		if open != kept {
			t.Fatalf("after %v the incident of last = %+v, want %+v", state, open, kept)
		}
	}
}

func TestAdvanceWhenTheCheckChanges(t *testing.T) {
	t.Parallel()
	plain, quiet, patient := &Check{ID: "a"}, &Check{ID: "a", SuppressIncidents: true}, &Check{ID: "a", Attempts: 5}
	_, open := play(t, plain, "C")
	_, suppressed := play(t, quiet, "CC")
	_, soft := play(t, patient, "CC")
	tests := []struct {
		name  string
		c     *Check
		last  *Last
		state State
		want  Change
	}{
		{"suppressed while open: it stays", quiet, open, StateCrit, ChangeNone},
		{"suppressed while open: it is updated", quiet, open, StateWarn, ChangeUpdate},
		{"suppressed while open: it resolves", quiet, open, StateOK, ChangeResolve},
		{"no longer suppressed and still in trouble", plain, suppressed, StateCrit, ChangeOpen},
		{"more attempts while open: it stays", patient, open, StateCrit, ChangeNone},
		{"fewer attempts than were made", plain, soft, StateCrit, ChangeOpen},
	}
	for _, tt := range tests {
		next, got := Advance(tt.c, tt.last, Result{State: tt.state, Reason: "SOME_REASON"}, time.UnixMilli(1_790_000_000_000), Circumstances{})
		if got != tt.want {
			t.Errorf("%s: change %q, want %q", tt.name, got, tt.want)
		}
		if next.Soft(tt.c) {
			t.Errorf("%s: soft, want not", tt.name)
		}
	}
}

// Each hard edge from OK to not OK opens exactly one incident, each edge back
// resolves it, and ids never repeat.
func TestAdvanceRandomSequences(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		c := &Check{ID: "a", Attempts: r.IntN(5)}
		var results strings.Builder
		for range 1 + r.IntN(60) {
			results.WriteByte("OOOWCU"[r.IntN(6)])
		}
		got, last := play(t, c, results.String())
		opens, resolves, fails, inTrouble := 0, 0, 0, false
		for _, s := range results.String() {
			if s == 'O' {
				if inTrouble {
					resolves++
				}
				fails, inTrouble = 0, false
				continue
			}
			if fails++; fails >= max(1, c.Attempts) && !inTrouble {
				opens++
				inTrouble = true
			}
		}
		if strings.Count(got, "o") != opens || strings.Count(got, "r") != resolves || (last.Open() != nil) != inTrouble {
			t.Fatalf("attempts %d: %s = %s, want %d opened, %d resolved, open at the end: %v", c.Attempts, results.String(), got, opens, resolves, inTrouble)
		}
	}
}

func TestIncidentID(t *testing.T) {
	t.Parallel()
	id := IncidentID("fra", "web1:a.b", 1777629600000)
	zone, check, planned, err := ParseIncidentID(id)
	if err != nil || zone != "fra" || check != "web1:a.b" || planned != 1777629600000 {
		t.Errorf("ParseIncidentID(%q) = %s, %s, %d, %v", id, zone, check, planned, err)
	}
	for _, bad := range []string{"", "a", "a/b", "a/b/c", "a/b/1/2", "A/b/1", "a/b c/1", "/b/1"} {
		if _, _, _, err := ParseIncidentID(bad); err == nil {
			t.Errorf("ParseIncidentID(%q) = nil, want an error", bad)
		}
	}
}
