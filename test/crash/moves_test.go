package crash_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// movePoint is where a scheduler ends when it has come there for the n-th time.
type movePoint struct {
	name string
	n    int
}

// journeys are the points at which schedulers end one after the other, while
// checks move.
var journeys = []journey{
	{name: "freeze, arrive", points: []movePoint{{"freeze before", 1}, {"freeze after", 3}, {"arrive before", 2}, {"arrive after", 3}}},
	{name: "arrive, freeze", points: []movePoint{{"arrive after", 1}, {"arrive before", 4}, {"freeze before", 3}, {"freeze after", 1}}},
	{name: "depart", points: []movePoint{{"depart before", 1}, {"depart after", 1}, {"depart before", 3}}},
	{name: "follow", points: []movePoint{{"follow before", 1}, {"follow halfway", 1}, {"follow after", 1}}},
	{
		name: "spread, plant", hand: true, parts: []int{1, 2, 4, 3, 1},
		points: []movePoint{{"spread before", 1}, {"spread after", 1}, {"plant before", 2}, {"plant after", 3}},
	},
	{name: "settle", points: []movePoint{{"settle before", 1}, {"settle after", 1}}},
	{name: "drop lane before", parts: []int{4, 2}, second: true, points: []movePoint{{"drop lane before", 1}}},
	{name: "drop lane after", parts: []int{4, 1}, second: true, points: []movePoint{{"drop lane after", 2}}},
}

type journey struct {
	name   string
	points []movePoint
	// parts are the numbers of partitions, the first one before all points, then
	// one before each; empty: up and down.
	parts []int
	// hand: they are written by hand, as long as they rise.
	hand bool
	// second: another scheduler works beside the one that ends, and takes over.
	second bool
}

var upAndDown = []int{1, 4, 2, 3, 1}

var travelZones = []string{"default", "fra"}

// roads are all lanes that there are in the course of a journey.
var roads = []check.Lane{{Zone: "default"}, {Zone: "default", Part: 1}, {Zone: "default", Part: 2}, {Zone: "default", Part: 3}, {Zone: "fra"}}

// TestCrashWhileChecksMove ends schedulers at each step of the moves of checks
// that run every second, on two workers. At any time each check can run in one
// lane or is on its way, and its incident is with it; it comes to a lane as newer
// than it was before; no planned time has two runs; in the end each check is where
// it belongs, with all that it has.
func TestCrashWhileChecksMove(t *testing.T) {
	t.Parallel()
	for _, j := range journeys {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			s := newTravel(t, j)
			s.beside(roleTravel, func() { s.beside(roleTravel, s.play) })
			s.compare()
		})
	}
}

// travel is a journey on a Redis of its own.
type travel struct {
	*scene
	j       journey
	parts   int
	entries map[string]string // of requests -> what they ask for
	open    map[string]string // check -> its incident, with an acknowledgement
	ended   map[string]string // check that was removed -> its incident
	watch   watch
}

func newTravel(t *testing.T, j journey) *travel {
	s := &travel{
		scene: newScene(t, point{role: roleScheduler, strict: true}), j: j,
		entries: map[string]string{}, open: map[string]string{}, ended: map[string]string{},
	}
	if s.j.parts == nil {
		s.j.parts = upAndDown
	}
	s.watch = newWatch(s.scene)
	s.must(s.q.EnterZone(t.Context(), "fra"))
	s.partitions(s.j.parts[0])
	return s
}

func (s *travel) play() {
	defer s.watch.start()()
	s.beside(roleScheduler, s.fill)
	for round := range max(*roundsFlag/rounds, 1) {
		if round > 0 {
			s.partitions(s.j.parts[0])
			s.cleanTravel()
		}
		for i, p := range s.j.points {
			s.change(s.j.parts[i+1])
			s.end(p)
			s.crashes++
		}
		s.cleanTravel()
	}
}

// end starts a scheduler and waits until it has ended.
func (s *travel) end(p movePoint) {
	wait := s.start(p.name, p.n)
	if !s.j.second {
		wait()
		if p.name == "arrive after" {
			s.late()
		}
		return
	}
	s.eventually(func() string { // the other one is not to be the one that moves checks
		if s.q.Client().Exists(s.t.Context(), s.q.KeyIntakeLock()).Val() == 0 {
			return "no scheduler has the lock"
		}
		return ""
	})
	s.beside(roleScheduler, func() {
		wait()
		s.eventually(s.dropped)
	})
}

// ids gives n names.
func names(kind string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s-%d", kind, i))
	}
	return out
}

// The checks of a journey: those that go on, of which some have an incident,
// and those of which one is removed before each crash.
var (
	critical = names("crit", 4)
	lasting  = slices.Concat(names("quick", 6), names("slow", 2), critical)
	doomed   = append(names("crit-old", 4), names("old", 4)...)
)

// request asks for something that is to be accepted.
func (s *travel) request(words ...string) {
	s.t.Helper()
	entry, err := s.q.Request(s.t.Context(), words)
	s.must(err)
	s.entries[entry] = strings.Join(words, " ")
}

func (s *travel) set(id string) {
	s.t.Helper()
	s.watch.expect(id, "default")
	s.request("id", id, "command", "probe", "every", "1s", "timeout", "5s")
}

// fill makes the checks, and waits until those that are to have an incident
// have one, with what stands beside it.
func (s *travel) fill() {
	for _, id := range slices.Concat(lasting, doomed) {
		s.set(id)
	}
	s.eventually(func() string {
		for _, id := range slices.Concat(lasting, doomed) {
			lane := s.home("default", id)
			p, err := s.q.Places(s.t.Context(), lane, []string{id})
			s.must(err)
			var last check.Last
			if p[0].Last == "" || json.Unmarshal([]byte(p[0].Last), &last) != nil {
				return id + " has not run"
			}
			if strings.HasPrefix(id, "crit") && last.Open() == nil {
				return id + " has no incident"
			}
			if strings.HasPrefix(id, "crit") {
				s.open[id] = last.Open().ID
			}
		}
		return ""
	})
	for id, inc := range s.open {
		s.must(s.q.Client().HSet(s.t.Context(), s.q.KeyIncidents(s.home("default", id)), inc+"/h", "of-"+id).Err())
		s.request("op", "ack", "id", id, "by", "kim")
	}
	for _, id := range critical {
		s.eventually(func() string {
			if !s.q.Client().HExists(s.t.Context(), s.q.KeyIncidents(s.home("default", id)), s.open[id]+"/ack").Val() {
				return id + " has no acknowledgement"
			}
			return ""
		})
		s.watch.keepBeside(id, s.open[id], s.open[id]+"/h", s.open[id]+"/ack")
	}
}

func (s *travel) home(zone, id string) check.Lane {
	return check.Zone{Partitions: map[string]int{"default": s.parts, "fra": 1}[zone]}.Home(zone, id)
}

// partitions changes their number, with the verb or by hand.
func (s *travel) partitions(n int) (hand bool) {
	s.t.Helper()
	ctx := s.t.Context()
	zones, err := s.q.Zones(ctx)
	s.must(err)
	// by hand, a smaller number needs a scheduler that lives
	if hand = s.j.hand && n > zones["default"].Lanes(); hand {
		err = s.q.Client().HSet(ctx, s.q.KeyZones(), "default", fmt.Sprintf("%d %d", zones["default"].Version+1, n)).Err()
	} else {
		_, _, err = s.q.SetPartitions(ctx, "default", n)
	}
	s.must(err)
	s.parts = n
	return hand
}

// change is what happens before a scheduler ends: other partitions, checks that
// come and go, and some that move to the other zone.
func (s *travel) change(parts int) {
	hand := s.partitions(parts)
	s.ask(2)
	s.set(fmt.Sprintf("new-%d", s.crashes))
	if hand { // until a scheduler has seen what a hand has written, it looks for checks in their new lanes alone
		return
	}
	if s.crashes < len(doomed) {
		id := doomed[s.crashes]
		if inc := s.open[id]; inc != "" {
			s.ended[id] = inc
			delete(s.open, id)
		}
		s.watch.forget(id)
		s.request("op", "delete", "id", id)
	}
	for i := range 3 {
		id := lasting[(5*s.crashes+4*i)%len(lasting)]
		from := s.watch.zone(id)
		to := map[string]string{"default": "fra", "fra": "default"}[from]
		s.watch.expect(id, to)
		s.request("op", "move", "id", id, "zone", from, "to", to)
	}
}

// cleanTravel has a scheduler work until everything has come to rest.
func (s *travel) cleanTravel() {
	s.beside(roleScheduler, func() {
		// A scheduler that starts finds what is left of lanes that are given up, and
		// has their zone settle once more.
		s.eventually(func() string { return cmp.Or(s.unsettled(), s.dropped()) })
		now, err := s.q.Now(s.t.Context())
		s.must(err)
		s.from = now
		s.eventually(func() string { return s.watch.stopped(s.from) })
	})
}

// unsettled names something that has yet to come to rest.
func (s *travel) unsettled() string {
	zones, err := s.q.Zones(s.t.Context())
	s.must(err)
	if z := zones["default"]; z.Spread > 0 || z.Partitions != s.parts {
		return fmt.Sprintf("zone default is %+v", z)
	}
	if n := s.q.Client().XLen(s.t.Context(), s.q.KeyIntake()).Val(); n > 0 {
		return "the intake is not empty"
	}
	for lane, l := range s.watch.look() {
		for id := range l.specs {
			if strings.HasPrefix(id, "once") {
				return id + " is still in specs"
			}
			if rec, err := redisqueue.ParseRecord(l.runs[id]); err != nil || rec.State == "frozen" || s.home(s.watch.zone(id), id) != lane {
				return fmt.Sprintf("%s is in %s: %s", id, lane, l.runs[id])
			}
		}
	}
	return ""
}

// dropped names a key of a lane that was given up.
func (s *travel) dropped() string {
	for part := s.parts; part < 4; part++ {
		keys, err := s.q.Client().Keys(s.t.Context(), fmt.Sprintf("redpoll:{default:%d}:*", part)).Result()
		s.must(err)
		if len(keys) > 0 {
			return keys[0] + " is left"
		}
	}
	return ""
}
