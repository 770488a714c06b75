package model_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
)

// roads are the lanes that checks travel between.
var roads = []check.Lane{{Zone: "default"}, {Zone: "default", Part: 1}, {Zone: "default", Part: 2}, {Zone: "fra"}}

// TestTravel makes the steps of moves between lanes in any order, by schedulers
// of which each may be slow or die, among requests and runs. After each step a
// check can run in one lane at most, and none is gone; in the end each is where
// it belongs, as it was set last.
//
//	go test ./test/model -run Travel -model.steps 1000000 -model.seed 7 -timeout 0
func TestTravel(t *testing.T) {
	t.Parallel()
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		first := uint64(time.Now().UnixNano()) % 1e9 * 10
		seeds = []uint64{first + 1, first + 2}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			j := newJourney(t, seed)
			last := *stepsFlag / 3 // each looks at all lanes
			for j.step = 1; j.step <= last; j.step++ {
				j.move()
			}
			j.end()
			t.Logf("%d steps: %v", last, j.done)
		})
	}
}

// journey is some lanes on a Redis of their own, and what the model knows.
type journey struct {
	t    *testing.T
	rng  *rand.Rand
	seed uint64
	q    *redisqueue.Queue
	s    *scheduler.Scheduler
	step int
	log  []string
	done map[string]int
	revs int

	facts map[string]*traveller
	runs  []check.Lease
	ended map[string]bool // tokens of runs that were completed
	read  []check.Entry
	// slow is what schedulers have in hand: steps that they are about to make.
	slow []func()
}

// traveller is what the model knows of a check.
type traveller struct {
	spec    string // empty: there is none
	planned int64  // of its latest run
}

func newJourney(t *testing.T, seed uint64) *journey {
	j := &journey{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 2)), q: redisqueue.New(redistest.Start(t).Client(t), ""),
		done: map[string]int{}, facts: map[string]*traveller{}, ended: map[string]bool{},
	}
	j.s = scheduler.New(j.q, scheduler.Config{
		Commands: check.Commands{"probe": check.Typed(struct{}{}, func(struct{}) (check.Command, error) { return check.CommandFunc(nil), nil })},
	})
	_, _, err := j.q.SetPartitions(t.Context(), "default", 3)
	j.must(err)
	j.must(j.q.EnterZone(t.Context(), "fra"))
	for _, lane := range roads {
		j.must(j.q.Prepare(t.Context(), lane))
	}
	for _, id := range ids {
		j.facts[id] = &traveller{}
	}
	return j
}

func (j *journey) must(err error) {
	j.t.Helper()
	if err != nil {
		j.fail("%v", err)
	}
}

func (j *journey) fail(format string, args ...any) {
	j.t.Helper()
	j.t.Fatalf("seed %d, step %d: %s\n%s", j.seed, j.step, fmt.Sprintf(format, args...), strings.Join(j.log[max(len(j.log)-200, 0):], "\n"))
}

func (j *journey) note(format string, args ...any) {
	j.log = append(j.log, fmt.Sprintf("%d: ", j.step)+fmt.Sprintf(format, args...))
}

func (j *journey) lane() check.Lane { return roads[j.rng.IntN(len(roads))] }

// move makes one random step and looks at all lanes.
func (j *journey) move() {
	steps := []struct {
		name   string
		weight int
		do     func()
	}{
		{"set", 8, j.set}, {"remove", 2, j.remove}, {"run", 8, j.runNow}, {"dispatch", 20, j.dispatch}, {"read", 16, j.readSome},
		{"lease", 16, j.lease}, {"complete", 20, j.complete}, {"expire", 2, j.expire},
		{"freeze", 14, j.freeze}, {"carry", 20, j.carry}, {"slow", 20, j.goOn}, {"die", 3, j.die}, {"time", 4, j.pass},
	}
	total := 0
	for _, m := range steps {
		total += m.weight
	}
	n := j.rng.IntN(total)
	for _, m := range steps {
		if n -= m.weight; n < 0 {
			j.note("%s", m.name)
			j.done[m.name]++
			m.do()
			break
		}
	}
	j.look()
}

// stands gives the lanes in which a check can run, and those where it is
// frozen.
func (j *journey) stands(id string) (here, frozen []check.Lane) {
	for _, lane := range roads {
		found, err := j.q.Standings(j.t.Context(), lane, []string{id})
		j.must(err)
		switch found[0].Kind {
		case check.StandsHere:
			here = append(here, lane)
		case check.StandsFrozen:
			frozen = append(frozen, lane)
		}
	}
	return here, frozen
}

// look compares what all lanes contain with the model.
func (j *journey) look() {
	j.t.Helper()
	for _, id := range ids {
		f := j.facts[id]
		here, frozen := j.stands(id)
		switch {
		case len(here) > 1:
			j.fail("%s can run in %v", id, here)
		case f.spec == "" && len(here) > 0:
			j.fail("%s was removed and is in %v", id, here)
		case f.spec != "" && len(here)+len(frozen) == 0:
			j.fail("%s is gone", id)
		}
		for _, lane := range here {
			places, err := j.q.Places(j.t.Context(), lane, []string{id})
			j.must(err)
			p := places[0]
			if p.Spec != f.spec || p.Record.SHA != check.SHA(f.spec)[:16] {
				j.fail("%s is %+v in %s, want the spec %s", id, p, lane, f.spec)
			}
			if p.Record.State == "waiting" && p.Due == 0 {
				j.fail("%s waits in %s and is not due", id, lane)
			}
			if p.Record.Planned < f.planned {
				j.fail("%s: planned %d comes after %d", id, p.Record.Planned, f.planned)
			}
			f.planned = p.Record.Planned
		}
	}
}

// where gives the lane in which a request finds a check: where it can run, or
// for one that is not there any lane. False: it is on its way, the request waits.
func (j *journey) where(id string) (check.Lane, bool) {
	here, frozen := j.stands(id)
	switch {
	case len(here) > 0:
		return here[0], true
	case len(frozen) > 0:
		return check.Lane{}, false
	}
	return j.lane(), true
}

func (j *journey) rev() string { j.revs++; return fmt.Sprintf("%d-0", 1000+j.revs) }

func (j *journey) set() {
	id := ids[j.rng.IntN(len(ids))]
	f := j.facts[id]
	lane, ok := j.where(id)
	if !ok {
		return
	}
	text := fmt.Sprintf(`{"id":%q,"command":"probe","every":"1h","meta":{"n":%d}}`, id, j.revs)
	a := check.Adoption{ID: id, Rev: j.rev(), Spec: text, SHA: check.SHA(text), First: time.Now().UnixMilli(), Keep: j.rng.IntN(2) == 0}
	if f.spec != "" {
		a.OldSHA = check.SHA(f.spec)
	}
	out, err := j.q.Adopt(j.t.Context(), lane, []check.Adoption{a})
	j.must(err)
	j.note("  %s %s in %s: %s", id, a.Rev, lane, out[0])
	switch out[0] {
	case check.AdoptNew, check.AdoptChanged:
		f.spec = text
	case check.AdoptMoved: // a record says where it was once: a scheduler would go after it
	default:
		j.fail("set of %s in %s = %s", id, lane, out[0])
	}
}

func (j *journey) remove() {
	id := ids[j.rng.IntN(len(ids))]
	f := j.facts[id]
	lane, ok := j.where(id)
	if !ok || f.spec == "" {
		return
	}
	stored, err := j.q.Specs(j.t.Context(), lane, []string{id})
	j.must(err)
	out, err := j.q.Remove(j.t.Context(), lane, check.Removal{ID: id, Rev: j.rev(), Last: stored[0].Last})
	j.must(err)
	j.note("  %s in %s: %s", id, lane, out)
	if out != check.AdoptChanged {
		j.fail("remove of %s in %s = %s", id, lane, out)
	}
	f.spec, f.planned = "", 0
}

func (j *journey) runNow() {
	id := ids[j.rng.IntN(len(ids))]
	if lane, ok := j.where(id); ok && j.facts[id].spec != "" {
		out, err := j.q.RunNow(j.t.Context(), lane, id, j.rev())
		j.must(err)
		j.note("  %s in %s: %s", id, lane, out)
	}
}

func (j *journey) dispatch() {
	d, err := j.q.Dispatch(j.t.Context(), j.lane(), 0)
	j.must(err)
	j.note("  %+v", d)
}

func (j *journey) readSome() {
	entries, err := j.q.Read(j.t.Context(), "w", []check.Lane{j.lane()}, 3, 0)
	j.must(err)
	j.read = append(j.read, entries...)
}

func (j *journey) lease() {
	if len(j.read) == 0 {
		return
	}
	n := j.rng.IntN(len(j.read))
	e := j.read[n]
	j.read = append(j.read[:n], j.read[n+1:]...)
	leases, _, err := j.q.Lease(j.t.Context(), check.LeaseRequest{
		Lane: e.Lane, Worker: "w", Token: fmt.Sprintf("w/%d", j.step), Lease: time.Minute, Suspects: 1, Entries: []check.Entry{e},
	})
	j.must(err)
	for _, l := range leases {
		j.note("  %s in %s, planned %d", l.ID, l.Lane, l.Planned)
		j.runs = append(j.runs, l)
	}
}

// complete ends a run: of an owner, or of one who is none any more.
func (j *journey) complete() {
	if len(j.runs) == 0 {
		return
	}
	l := j.runs[j.rng.IntN(len(j.runs))]
	places, err := j.q.Places(j.t.Context(), l.Lane, []string{l.ID})
	j.must(err)
	mine := places[0].Record.Owner == l.Token
	out, err := j.q.Complete(j.t.Context(), l.Lane, []check.Completion{{
		Entry: l.Entry, Token: l.Token, Rev: l.Rev, Record: l.Record, Next: time.Now().UnixMilli() + j.rng.Int64N(20), Last: "{}",
	}})
	j.must(err)
	j.note("  %s in %s: %d", l.ID, l.Lane, out[0])
	again := j.ended[l.Token] && out[0] == check.OutcomeDone // the answer is that of the first time
	if mine == (out[0] == check.OutcomeStale) && !again {
		j.fail("complete of %s in %s, owner %v = %d", l.ID, l.Lane, mine, out[0])
	}
	if mine {
		j.ended[l.Token] = true
	}
}

// expire lets a lease run out: its worker was lost.
func (j *journey) expire() {
	if len(j.runs) == 0 {
		return
	}
	l := j.runs[j.rng.IntN(len(j.runs))]
	ctx := j.t.Context()
	words := strings.Fields(j.q.Client().HGet(ctx, j.q.KeyRuns(l.Lane), l.ID).Val())
	if len(words) == 11 && words[4] == l.Token {
		words[5] = "1"
		j.must(j.q.Client().HSet(ctx, j.q.KeyRuns(l.Lane), l.ID, strings.Join(words, " ")).Err())
		j.read = append(j.read, l.Entry)
	}
}

// freeze asks for a check to go to some lane, or to stay.
func (j *journey) freeze() {
	id := ids[j.rng.IntN(len(ids))]
	lane, ok := j.where(id)
	if !ok || j.facts[id].spec == "" {
		return
	}
	it := check.Freezing{ID: id, SHA: check.SHA(j.facts[id].spec), To: j.lane()}
	if it.To == lane {
		it.To = check.Lane{}
	}
	out, err := j.q.Freeze(j.t.Context(), lane, []check.Freezing{it})
	j.must(err)
	j.note("  %s from %s to %s: %s", id, lane, it.To, out[0].Outcome)
}

// carry lets a scheduler look at a frozen check: it lets it arrive, now or a
// moment later, and when it was there for long enough, depart.
func (j *journey) carry() {
	id := ids[j.rng.IntN(len(ids))]
	_, frozen := j.stands(id)
	if len(frozen) == 0 {
		return
	}
	from := frozen[j.rng.IntN(len(frozen))]
	ctx := j.t.Context()
	found, err := j.q.Freeze(ctx, from, []check.Freezing{{ID: id, To: j.other(from)}})
	j.must(err)
	f := found[0]
	if f.Outcome != check.MoveFrozen {
		return
	}
	cargo, err := j.q.Cargo(ctx, from, []check.Frozen{f}, nil)
	j.must(err)
	j.slow = append(j.slow, func() {
		out, err := j.q.Arrive(ctx, f.To, cargo)
		j.must(err)
		j.note("  %s arrives from %s in %s: %s", id, from, f.To, out[0])
		if out[0] == check.MoveKept && f.Now-f.Since >= 5000 {
			j.slow = append(j.slow, func() {
				out, err := j.q.Depart(ctx, from, []check.Departure{{Cargo: cargo[0], Away: from.Zone != f.To.Zone}})
				j.must(err)
				j.note("  %s departs from %s: %s", id, from, out[0])
			})
		}
	})
	if j.rng.IntN(2) == 0 {
		j.goOn()
	}
}

func (j *journey) other(lane check.Lane) check.Lane {
	for {
		if to := j.lane(); to != lane {
			return to
		}
	}
}

// goOn makes one of the steps that schedulers are about to make.
func (j *journey) goOn() {
	if len(j.slow) > 0 {
		n := j.rng.IntN(len(j.slow))
		do := j.slow[n]
		j.slow = append(j.slow[:n:n], j.slow[n+1:]...)
		do()
	}
}

// die ends schedulers with what they had in hand.
func (j *journey) die() { j.slow = nil }

var wayTime = regexp.MustCompile(`(>[^ ]+/[wpbmz]/)(\d+)/`)

// pass lets six seconds go by.
func (j *journey) pass() {
	ctx := j.t.Context()
	for _, lane := range roads {
		for id, rec := range j.q.Client().HGetAll(ctx, j.q.KeyRuns(lane)).Val() {
			older := wayTime.ReplaceAllStringFunc(rec, func(text string) string {
				m := wayTime.FindStringSubmatch(text)
				var at int64
				_, err := fmt.Sscan(m[2], &at)
				j.must(err)
				return fmt.Sprintf("%s%d/", m[1], at-6000)
			})
			if older != rec {
				j.must(j.q.Client().HSet(ctx, j.q.KeyRuns(lane), id, older).Err())
			}
		}
	}
}

// end brings everything to its end: each check is where it belongs then.
func (j *journey) end() {
	ctx := j.t.Context()
	for len(j.slow) > 0 {
		j.goOn()
		j.look()
	}
	for range 8 {
		for _, l := range j.runs {
			_, err := j.q.Complete(ctx, l.Lane, []check.Completion{{Entry: l.Entry, Token: l.Token, Rev: l.Rev, Record: l.Record, Next: time.Now().UnixMilli(), Last: "{}"}})
			j.must(err)
		}
		j.runs = nil
		for _, lane := range roads {
			_, err := j.q.Dispatch(ctx, lane, 0)
			j.must(err)
			entries, err := j.q.Read(ctx, "w", []check.Lane{lane}, 100, 0)
			j.must(err)
			j.read = append(j.read, entries...)
			for len(j.read) > 0 {
				j.lease()
			}
		}
		for _, lane := range roads {
			j.must(j.s.RepairOnce(ctx, lane))
		}
		j.pass()
		j.look()
	}
	for _, id := range ids {
		here, frozen := j.stands(id)
		if want := (check.Lane{Zone: "default", Part: check.Partition(id, 3)}); j.facts[id].spec != "" && (len(here) != 1 || here[0] != want || len(frozen) > 0) {
			j.fail("%s ends in %v, frozen in %v, want it in %s", id, here, frozen, want)
		}
	}
}
