package worker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// TestIncidentModel: random results of checks with parents, in downtimes, with
// attempts, flapping and suppression, run by a worker. Each hard edge from OK to
// trouble opens exactly one incident, as soon as nothing holds it; none opens
// while it is held; each resolves once, on OK; ids never repeat.
func TestIncidentModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			q := newFake()
			m := &incidentModel{t: t, q: q, rng: rand.New(rand.NewPCG(seed, 1)), ids: map[string]bool{}, checks: map[string]*modelled{}}
			m.w = startAround(t, q)
			pass(2 * time.Second)
			for _, c := range [][2]string{ // in order: each seed is one play
				{"core", ""}, {"r1", "core"}, {"h1", "r1"}, {"h2", "r1,core"}, {"alone", ""}, {"x", "y"}, {"y", "z"}, {"z", "x"}, {"orphan", "nobody"},
			} {
				m.checks[c[0]] = m.newCheck(c[1])
			}
			for range 400 {
				m.step()
				if t.Failed() {
					t.Fatalf("seed %d: %s", seed, strings.Join(m.log[max(0, len(m.log)-40):], "\n"))
				}
			}
			m.settle()
			m.w.stop()
		})
	}
}

type incidentModel struct {
	t      *testing.T
	q      *fake
	w      *started
	rng    *rand.Rand
	checks map[string]*modelled
	ids    map[string]bool // of all incidents that were opened
	down   string          // the check that a downtime covers; *: all of them
	log    []string
}

// modelled is a check, and what is known of it.
type modelled struct {
	parents  []string
	more     string // fields of the spec
	attempts int
	quiet    bool
	flaps    bool
	fails    int
	state    check.State
	held     string
	open     string
}

func (m *incidentModel) newCheck(parents string) *modelled {
	c := &modelled{attempts: 1 + m.rng.IntN(3), quiet: m.rng.IntN(6) == 0, flaps: m.rng.IntN(3) == 0}
	c.more = fmt.Sprintf(`,"attempts":%d`, c.attempts)
	if parents != "" {
		c.parents = strings.Split(parents, ",")
		c.more += `,"parents":["` + strings.Join(c.parents, `","`) + `"]`
	}
	if c.quiet {
		c.more += `,"suppress_incidents":true`
	}
	if c.flaps {
		c.more += `,"flap":{"window":6,"high":60,"low":30}`
	}
	return c
}

func (m *incidentModel) step() {
	if m.rng.IntN(12) == 0 {
		m.down = []string{"", "", "*", "r1", "alone", "x"}[m.rng.IntN(6)]
		m.log = append(m.log, "downtime of "+m.down)
		texts := map[string]string{}
		if m.down != "" {
			now := time.Now().UTC()
			texts["d"] = fmt.Sprintf(`{"id":"d","checks":[%q],"from":%q,"until":%q}`, m.down, now.Format(time.RFC3339), now.Add(100*time.Hour).Format(time.RFC3339))
		}
		m.q.setDowntimes(texts, nil)
		pass(2 * time.Second)
	}
	names := []string{"core", "r1", "h1", "h2", "alone", "x", "y", "z", "orphan"}
	states := []check.State{check.StateOK, check.StateOK, check.StateWarn, check.StateCrit, check.StateCrit, check.StateUnknown}
	m.run(names[m.rng.IntN(len(names))], states[m.rng.IntN(len(states))])
}

// run has a check found in a state, and looks at what became of it.
func (m *incidentModel) run(id string, state check.State) {
	c := m.checks[id]
	ev, _ := m.w.ran(m.q, id, state, c.more)
	m.log = append(m.log, fmt.Sprintf("%s %v: %s held %q flapping %v", id, state, ev.Change, ev.Held, ev.Flapping))
	c.state, c.held = state, ev.Held
	c.fails++
	if state == check.StateOK {
		c.fails = 0
	}
	m.q.aroundMu.Lock()
	if m.q.near == nil {
		m.q.near = map[string]check.Nearby{}
	}
	m.q.near[id] = check.Nearby{There: true, Last: m.q.lastOf(id)}
	m.q.aroundMu.Unlock()
	switch ev.Change {
	case check.ChangeOpen:
		m.opened(id, c, &ev)
	case check.ChangeResolve:
		if ev.Incident.ID != c.open || state != check.StateOK || ev.Flapping {
			m.t.Errorf("%s resolves %s, open is %q", id, ev.Incident.ID, c.open)
		}
		c.open = ""
	case check.ChangeUpdate:
		if ev.Incident.ID != c.open {
			m.t.Errorf("%s updates %s, open is %q", id, ev.Incident.ID, c.open)
		}
	}
	hard := c.fails >= c.attempts && state != check.StateOK
	switch {
	case hard && c.open == "" && ev.Held == "":
		m.t.Errorf("%s is in trouble, has no incident, and nothing holds it", id)
	case hard && c.open != "" && ev.Held != "":
		m.t.Errorf("%s has an incident and is held by %s", id, ev.Held)
	case state == check.StateOK && (c.open != "") != (ev.Held == check.HeldFlap):
		m.t.Errorf("%s is OK, open %q, held %q", id, c.open, ev.Held)
	}
	pass(500 * time.Millisecond)
}

// opened demands that nothing held the incident that opens.
func (m *incidentModel) opened(id string, c *modelled, ev *check.Event) {
	switch {
	case c.open != "" || m.ids[ev.Incident.ID]:
		m.t.Errorf("%s opens %s beside %q, seen before %v", id, ev.Incident.ID, c.open, m.ids[ev.Incident.ID])
	case c.quiet || c.fails < c.attempts || ev.State == check.StateOK:
		m.t.Errorf("%s opens: suppressed %v, %d of %d, %v", id, c.quiet, c.fails, c.attempts, ev.State)
	case m.down == "*" || m.down == id:
		m.t.Errorf("%s opens in a downtime of %s", id, m.down)
	}
	circle := []string{"x", "y", "z"}
	for _, p := range c.parents {
		parent := m.checks[p]
		if parent == nil || slices.Contains(circle, id) {
			continue
		}
		if parent.state == check.StateCrit || parent.state == check.StateUnknown {
			m.t.Errorf("%s opens while its parent %s is %v, held %q", id, p, parent.state, parent.held)
		}
	}
	c.open = ev.Incident.ID
	m.ids[c.open] = true
}

// settle ends all holds: what is in trouble then has exactly one incident.
func (m *incidentModel) settle() {
	m.down = ""
	m.q.setDowntimes(nil, nil)
	pass(2 * time.Second)
	for _, id := range []string{"core", "r1", "y", "z"} {
		for range 7 { // enough for flapping to end
			m.run(id, check.StateOK)
		}
	}
	for _, id := range []string{"h1", "h2", "alone", "x", "orphan"} {
		for range 8 {
			m.run(id, check.StateCrit)
			pass(3 * time.Second)
		}
		if c := m.checks[id]; (c.open == "") != c.quiet {
			m.t.Errorf("%s is CRIT, open %q, suppressed %v", id, c.open, c.quiet)
		}
	}
	// All in the circle are down: something opens.
	open := false
	for range 20 {
		for _, id := range []string{"x", "y", "z"} {
			m.run(id, check.StateCrit)
			pass(2 * time.Second)
			open = open || m.checks[id].open != "" || m.checks[id].quiet
		}
	}
	if !open {
		m.t.Error("all in a circle of parents are CRIT, and nothing opened")
	}
}

// lastOf gives the last record of a check.
func (f *fake) lastOf(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last[id]
}
