package model_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
)

var (
	stepsFlag = flag.Int("model.steps", steps, "steps of each seed")
	seedFlag  = flag.Uint64("model.seed", 0, "the only seed to try; 0: four new ones")
)

// TestModel makes random moves, damage among them, and holds what Redis then
// contains against a model: the invariants of ARCHITECTURE.md after every step.
//
//	go test ./test/model -model.steps 1000000 -model.seed 7 -timeout 0
func TestModel(t *testing.T) {
	t.Parallel()
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		first := uint64(time.Now().UnixNano()) % 1e9 * 10
		seeds = []uint64{first + 1, first + 2, first + 3, first + 4}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for w.step = 1; w.step <= *stepsFlag; w.step++ {
				w.move()
			}
			w.settle()
			t.Logf("%d steps, %d results, moves: %s", *stepsFlag, len(w.results), w.tally())
		})
	}
}

// world is a lane on a Redis of its own, and what the model knows of it.
type world struct {
	t    *testing.T
	rng  *rand.Rand
	q    *redisqueue.Queue
	s    *scheduler.Scheduler
	seed uint64
	step int
	log  []string       // of the latest moves
	done map[string]int // moves by name

	snap  snapshot // what Redis contained after the latest step
	facts map[string]*fact
	runs  []*held               // leases that were given, the latest ones
	read  []check.Entry         // delivered and not leased yet
	cache map[string]cachedSpec // worker/check -> what that worker has
	// orphans are entries that belong to nothing any more: the next lease
	// discards them.
	orphans map[string]bool
	results []string // accepted, in order
	seen    string   // the latest entry of results that was compared
	found   []string // by the latest pass of repair, id/kind
	revs    int
	then    []func() // to be looked at after the move
	// Passes of repair until what hands did must be mended: to whole keys, and
	// to ids that are no checks.
	loose, strays int
}

// fact is what the model knows of one check.
type fact struct {
	spec    string // in the registry
	newest  request
	older   []request // applied, each older than newest
	planned int64     // the latest
	last    string
	owner   *held  // who may complete
	commit  string // the token whose completion is answered once more
	beside  bool   // a hand-made score may stand beside a queued or running check
	// touched is for how many passes of repair the check may still be odd,
	// after somebody laid hands on it.
	touched int
	// scored is for how many passes repair may find its due time odd.
	scored int
	// lost: its record was lost or damaged, and with it the planned time.
	lost bool
	// entryLost: its run goes on, its entry does not stand in the stream, or
	// not in the pending list, as it should.
	entryLost bool
}

// request is one that was applied.
type request struct {
	rev  string
	spec string // empty: a removal
}

// held is a lease as its worker has it.
type held struct {
	check.Lease
	removed bool // the check was removed during the run
	ended   bool // its completion was accepted
}

type cachedSpec struct{ rev, text string }

var lane = check.Lane{Zone: "default"}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), done: map[string]int{},
		q:     redisqueue.New(redistest.Start(t).Client(t), ""),
		facts: map[string]*fact{}, cache: map[string]cachedSpec{}, orphans: map[string]bool{}, seen: "-",
	}
	w.s = scheduler.New(w.q, scheduler.Config{
		Commands: check.Commands{"probe": check.Typed(struct{}{}, func(struct{}) (check.Command, error) { return check.CommandFunc(nil), nil })},
		Hooks:    scheduler.Hooks{Repaired: func(_ check.Lane, id, kind string) { w.found = append(w.found, id+"/"+kind) }},
	})
	w.must(w.q.EnterZone(t.Context(), lane.Zone))
	w.must(w.q.Prepare(t.Context(), lane))
	for _, id := range ids {
		w.facts[id] = &fact{}
	}
	w.snap = w.look()
	return w
}

// ids are the checks that there may be; strange are ids that never get a spec.
var (
	ids     = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	strange = []string{"x", "y", "z\xff"}
)

func (w *world) id() string { return ids[w.rng.IntN(len(ids))] }

// some gives one of list, the zero value when there is none.
func some[T any](w *world, list []T) (v T) {
	if len(list) > 0 {
		v = list[w.rng.IntN(len(list))]
	}
	return v
}

// move makes one random move and looks at everything afterwards.
func (w *world) move() {
	// In turn: a quiet time, and one with hands and damage.
	list := moves
	if w.step/500%2 == 0 {
		list = quiet
	}
	total := 0
	for _, m := range list {
		total += m.weight
	}
	n := w.rng.IntN(total)
	for _, m := range list {
		if n -= m.weight; n < 0 {
			w.note("%s", m.name)
			w.done[m.name]++
			m.do(w)
			break
		}
	}
	w.snap = w.look()
	for _, f := range w.then {
		f()
	}
	w.then = nil
	w.check()
}

// note keeps what happens for the case that a step goes wrong.
func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%d: ", w.step)+fmt.Sprintf(format, args...))
	if len(w.log) > 400 {
		w.log = w.log[len(w.log)-400:]
	}
}

// fail ends the test with all that is needed to find out why.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	fmt.Fprintf(os.Stderr, "--- seed %d, step %d: go test ./test/model -model.seed %d -model.steps %d\n%s\nRedis: %s\n",
		w.seed, w.step, w.seed, w.step, strings.Join(w.log, "\n"), w.snap)
	w.t.Fatalf("seed %d, step %d: %s", w.seed, w.step, fmt.Sprintf(format, args...))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.fail("%v", err)
	}
}

func (w *world) tally() string {
	var out []string
	for _, m := range moves {
		out = append(out, fmt.Sprintf("%s %d", m.name, w.done[m.name]))
	}
	return strings.Join(out, ", ")
}
