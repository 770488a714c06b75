package check

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// step is one result and what surrounds it: a state and, after a colon, one of
// d(owntime), p(arent in trouble), a(sk a parent), s(uppressed).
type step struct {
	state State
	word  string
	in    Circumstances
	quiet bool
}

// steps reads "O C:d C".
func steps(text string) []step {
	states := map[byte]State{'O': StateOK, 'W': StateWarn, 'C': StateCrit, 'U': StateUnknown}
	var out []step
	for _, word := range strings.Fields(text) {
		s := step{state: states[word[0]], word: word}
		if strings.Contains(word, ":") {
			switch word[2] {
			case 'd':
				s.in.Downtime = "maint"
			case 'p':
				s.in.Parent = "router1"
			case 'a':
				s.in.Unsure = "router1"
			case 's':
				s.quiet = true
			}
		}
		out = append(out, s)
	}
	return out
}

// walk runs steps, one each ten seconds, and gives a letter for each change and the
// words in Held.
func walk(t *testing.T, c Check, list []step) (changes string, held []string, last *Last) {
	t.Helper()
	letters := map[Change]string{ChangeNone: ".", ChangeOpen: "o", ChangeUpdate: "u", ChangeResolve: "r"}
	planned := at(t, "2026-05-01T10:00:00Z")
	for _, s := range list {
		res := Result{State: s.state, At: planned}
		if s.state != StateOK {
			res.Reason, res.Text = "DOWN", "it is down"
		}
		c.SuppressIncidents = s.quiet
		s.in.Finished = planned.UnixMilli() + 5
		next, change := Advance(&c, last, res, planned, s.in)
		again, same := Advance(&c, last, res, planned, s.in)
		if same != change || next.Incident != nil && *again.Incident != *next.Incident {
			t.Errorf("%s twice: %q %+v, then %q %+v", s.word, change, next.Incident, same, again.Incident)
		}
		changes += letters[change]
		held = append(held, next.Held)
		last, planned = stored(t, next), planned.Add(10*time.Second)
	}
	return changes, held, last
}

func TestHolds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		c           Check
		steps, want string
		held        string // of the last step but one
	}{
		{"a downtime", Check{}, "O C:d C:d C", "...o", "downtime:maint"},
		{"a downtime, well before its end", Check{}, "O C:d O:d O", "....", ""},
		{"open before a downtime: it goes on", Check{}, "W C:d O:d", "our", ""},
		{"open before a downtime, a second trouble in it", Check{}, "C O:d C:d C", "or.o", "downtime:maint"},
		{"a parent", Check{}, "O C:p C:p C O", "...or", ""},
		{"a parent, attempts go on meanwhile", Check{Attempts: 3}, "C C:p C:p C", "...o", "parent:router1"},
		{"soft: nothing is held", Check{Attempts: 3}, "C C:d C", "..o", ""},
		{"suppressed for a while", Check{}, "C:s C:s C", "..o", "suppressed"},
		{"suppressed before all else", Check{}, "C:s C:d C", "..o", "downtime:maint"},
		{"a parent is asked, for two retries", Check{}, "C:a C:a C:a O", "..or", ""},
		{"asked and in trouble", Check{}, "C:a C:p C:p O", "....", "parent:router1"},
		{"asked anew after a hold", Check{}, "C:a C:a C:p C:a C:a C:a", ".....o", "waiting:router1"},
		{"asked anew after OK", Check{}, "C:a C:a O C:a C:a C", ".....o", "waiting:router1"},
		{"one hold after another", Check{}, "C:d C:p C:s C:a C O", "....or", ""},
		{"open: no hold matters", Check{}, "C C:d W:p C:s C:a O:d", "o.uu.r", ""},
	}
	for _, tt := range tests {
		tt.c.ID = "a"
		got, held, _ := walk(t, tt.c, steps(tt.steps))
		if last := held[len(held)-2]; got != tt.want || last != tt.held {
			t.Errorf("%s: %s = %s held %q, want %s held %q", tt.name, tt.steps, got, last, tt.want, tt.held)
		}
	}
}

// A result that waits for a parent is soft: it is tried again soon.
func TestWaitingIsSoft(t *testing.T) {
	t.Parallel()
	c := Check{ID: "a", Parents: []string{"router1"}}
	_, _, last := walk(t, c, steps("O C:a"))
	if !last.Soft(&c) || !last.Waiting() || last.Asked != last.Down {
		t.Errorf("waiting: soft %v waiting %v asked %d, want true true %d", last.Soft(&c), last.Waiting(), last.Asked, last.Down)
	}
	for _, text := range []string{"O C:p", "O C:d", "C", "O"} {
		if _, _, last := walk(t, c, steps(text)); last.Soft(&c) || last.Waiting() {
			t.Errorf("%s: soft %v waiting %v, want neither", text, last.Soft(&c), last.Waiting())
		}
	}
}

// The wait for a parent ends by time: also when the clock was set back, and
// when nobody says what time it is.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	c := Check{ID: "a", Parents: []string{"router1"}}
	const now = 1_790_000_000_000
	asked := &Last{Result: Result{State: StateCrit}, Fails: 1, Down: now, Asked: now}
	for at, want := range map[int64]Change{
		now: ChangeNone, now + 14_999: ChangeNone, now + 15_000: ChangeOpen, now - 1: ChangeOpen, 0: ChangeOpen,
	} {
		in := Circumstances{Finished: at, Unsure: "router1"}
		if _, got := Advance(&c, asked, Result{State: StateCrit}, time.UnixMilli(now), in); got != want {
			t.Errorf("%d ms after the question: %q, want %q", at-now, got, want)
		}
	}
}

// Down is when the first result of the trouble was there, of checks with
// parents alone.
func TestDown(t *testing.T) {
	t.Parallel()
	first := at(t, "2026-05-01T10:00:10Z").UnixMilli() + 5
	c := Check{ID: "a", Attempts: 2, Parents: []string{"router1"}}
	if _, _, last := walk(t, c, steps("O W C C:p")); last.Down != first {
		t.Errorf("down = %d, want %d", last.Down, first)
	}
	if _, _, last := walk(t, c, steps("O W O")); last.Down != 0 {
		t.Errorf("down after OK = %d, want 0", last.Down)
	}
	if _, _, last := walk(t, Check{ID: "a"}, steps("O W C")); last.Down != 0 {
		t.Errorf("down without parents = %d, want 0", last.Down)
	}
}

// Over random states, attempts, downtimes, parents, suppression and flapping:
// each time of hard trouble opens exactly one incident, with the first result
// that nothing holds; none opens while it is held; each resolves exactly once,
// with the first OK after it that is not in flapping; ids never repeat.
func TestAdvanceRandomCircumstances(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 11))
	words := []string{"", "", "", ":d", ":p", ":a", ":s"}
	for range 400 {
		c := Check{ID: "a", Attempts: r.IntN(4)}
		if r.IntN(3) == 0 {
			c.Flap = &Flap{Window: 4 + r.IntN(8), High: 40 + r.IntN(30), Low: 1 + r.IntN(40)}
		}
		if r.IntN(2) == 0 {
			c.Parents = []string{"router1"}
		}
		var list []step
		for range 5 + r.IntN(80) {
			list = append(list, steps(string("OOOWCU"[r.IntN(6)])+words[r.IntN(len(words))])...)
		}
		m := model{t: t, c: c, ids: map[string]bool{}}
		m.run(list)
		if t.Failed() {
			var text []string
			for _, s := range list {
				text = append(text, s.word)
			}
			t.Fatalf("attempts %d flap %+v: %s", c.Attempts, c.Flap, strings.Join(text, " "))
		}
	}
}

// model looks at Advance from outside, with its own count of everything.
type model struct {
	t       *testing.T
	c       Check
	ids     map[string]bool
	fails   int
	asked   int64 // since when a parent is asked
	open    string
	history []bool
	flaps   bool
}

func (m *model) run(list []step) {
	planned := at(m.t, "2026-05-01T10:00:00Z")
	var last *Last
	for i, s := range list {
		c := m.c
		c.SuppressIncidents = s.quiet
		s.in.Finished = planned.UnixMilli()
		next, change := Advance(&c, last, Result{State: s.state, Reason: "X"}, planned, s.in)
		m.flap(last, s.state)
		want := m.want(s, planned.UnixMilli())
		if change != want && (change != ChangeUpdate || want != ChangeNone) {
			m.t.Errorf("step %d %s: change %q, want %q", i, s.word, change, want)
		}
		m.take(i, s, &next, change)
		last, planned = stored(m.t, next), planned.Add(time.Duration(1+i%11)*time.Second)
	}
}

// flap keeps the history of turns as a list.
func (m *model) flap(last *Last, state State) {
	if m.c.Flap == nil || last == nil {
		return
	}
	m.history = append(m.history, last.State != state)
	turns := 0
	for _, turned := range m.history[max(0, len(m.history)-m.c.Flap.Window):] {
		if turned {
			turns++
		}
	}
	percent := float64(turns) * 100 / float64(m.c.Flap.Window)
	m.flaps = percent >= float64(m.c.Flap.High) || m.flaps && percent >= float64(m.c.Flap.Low)
}

// want is what a step does, updates left out.
func (m *model) want(s step, now int64) Change {
	if s.state == StateOK {
		m.fails, m.asked = 0, 0
		if m.open != "" && !m.flaps {
			return ChangeResolve
		}
		return ChangeNone
	}
	m.fails++
	if m.open != "" || m.fails < max(1, m.c.Attempts) || s.quiet || s.in.Downtime != "" {
		return ChangeNone
	}
	if s.in.Parent != "" {
		m.asked = 0
		return ChangeNone
	}
	if s.in.Unsure != "" && m.asked == 0 {
		m.asked = now
	}
	if s.in.Unsure != "" && now-m.asked < 15_000 {
		return ChangeNone
	}
	m.asked = 0
	return ChangeOpen
}

func (m *model) take(i int, s step, next *Last, change Change) {
	switch change {
	case ChangeOpen:
		if m.open != "" || m.ids[next.Incident.ID] {
			m.t.Errorf("step %d: %s opens beside %s, seen %v", i, next.Incident.ID, m.open, m.ids[next.Incident.ID])
		}
		m.open = next.Incident.ID
		m.ids[m.open] = true
	case ChangeResolve, ChangeUpdate:
		if next.Incident.ID != m.open {
			m.t.Errorf("step %d: %q of %s, want of %s", i, change, next.Incident.ID, m.open)
		}
		if change == ChangeResolve {
			m.open = ""
		}
	}
	open := ""
	if next.Open() != nil {
		open = next.Open().ID
	}
	if open != m.open || next.Flapping != m.flaps {
		m.t.Errorf("step %d %s: open %q flapping %v, want %q %v", i, s.word, open, next.Flapping, m.open, m.flaps)
	}
	hard := s.state != StateOK && m.fails >= max(1, m.c.Attempts)
	if held := next.Held != ""; held != (hard && open == "" || s.state == StateOK && open != "") {
		m.t.Errorf("step %d %s: held %q with open %q", i, s.word, next.Held, open)
	}
}

// A circle of parents that are all down opens something, in whatever order
// their results come.
func TestCircleOfParentsOpens(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		n := 2 + r.IntN(5)
		known := map[string]Neighbour{}
		checks := make([]*Check, n)
		for i := range checks {
			checks[i] = &Check{ID: fmt.Sprint("c", i), Parents: []string{fmt.Sprint("c", (i+1)%n)}}
			ok := Last{Started: 1, Since: 1}
			known[checks[i].ID] = Neighbour{There: true, Last: &ok}
		}
		opened := 0
		for now := int64(100_000); now < int64(100_000+40_000*n); now += 1000 {
			c := checks[r.IntN(n)]
			last := known[c.ID].Last
			if last.Open() != nil {
				continue
			}
			in := Circumstances{Finished: now}
			next, change := Advance(c, last, Result{State: StateCrit}, time.UnixMilli(now), in)
			if change == ChangeOpen {
				k := Kin(c, known, next.Down, now)
				in.Parent, in.Unsure = k.Parent, k.Unsure
				next, change = Advance(c, last, Result{State: StateCrit}, time.UnixMilli(now), in)
			}
			next.Started = now
			if change == ChangeOpen {
				opened++
			}
			known[c.ID] = Neighbour{There: true, Last: &next}
		}
		if opened == 0 {
			t.Fatalf("a circle of %d: nothing opened", n)
		}
	}
}
