package system

import (
	"syscall"
	"testing"
	"time"
)

// Redis dies and comes back with what its append-only file holds; nobody else
// ends.
func TestKilledRedis(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ss, ws := f.up(2, 3)
	f.target.holdAll(50 * time.Millisecond)
	f.add(150, time.Second, 2*time.Second)
	const times, down = 3, 1500 * time.Millisecond
	for range times {
		f.redis.Kill()
		pass(t, down)
		if err := f.redis.Run(t); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		f.goOn(back, 1, recovery+2*time.Second)
		worst := time.Duration(0)
		for _, id := range f.all() {
			worst = max(worst, f.target.first(id, back).Sub(back))
		}
		t.Logf("all checks have run %s after Redis was back", worst.Round(time.Millisecond))
	}
	for _, p := range append(ss, ws...) {
		if !p.alive() {
			t.Errorf("%s ended with code %d", p.Name, p.Code)
		}
	}
	f.finish(bounds{doubles: times, gap: down + recovery + 2*time.Second})
	f.noRepairs()
}

// harm is something that is done to Redis.
type harm struct {
	do   string // a redis-cli line
	mend string // another one, 1.5 s later
	// queued: the workers stand still for a moment before, so that checks are
	// queued.
	queued bool
}

// A record that is lost while its check runs costs the result of that run. The
// check goes to its next slot, but runs at once where an entry was lost, or
// when it has no result yet.
var harms = []struct {
	name    string
	rounds  []harm
	kept    bool // nothing is to be repaired
	doubles int  // in each round
	offGrid int
}{
	{name: "what is made anew", kept: true, rounds: []harm{
		{do: "SCRIPT FLUSH"},
		{do: "XGROUP DESTROY redpoll:{default:0}:ready workers"},
		{do: "XGROUP DESTROY redpoll:{default:0}:ready workers", queued: true},
		{do: "XGROUP DESTROY redpoll:intake schedulers"},
		{do: "DEL redpoll:{default:0}:last redpoll:{default:0}:incidents redpoll:{default:0}:changes"},
		{do: "DEL redpoll:zones redpoll:workers redpoll:meta redpoll:intake redpoll:intake:log redpoll:intake:lock"},
	}},
	{name: "ready", doubles: 1, offGrid: 1, rounds: []harm{{do: "DEL redpoll:{default:0}:ready"}, {do: "DEL redpoll:{default:0}:ready", queued: true}}},
	{name: "due", rounds: []harm{{do: "DEL redpoll:{default:0}:due"}, {do: "SET redpoll:{default:0}:due x", mend: "DEL redpoll:{default:0}:due"}}},
	{name: "runs", doubles: 1, offGrid: 1, rounds: []harm{{do: "DEL redpoll:{default:0}:runs"}, {do: "DEL redpoll:{default:0}:runs", queued: true}}},
	{name: "runs, ready and due", doubles: 1, offGrid: 1, rounds: []harm{
		{do: "DEL redpoll:{default:0}:due redpoll:{default:0}:ready redpoll:{default:0}:runs"},
		{do: "DEL redpoll:{default:0}:due redpoll:{default:0}:ready redpoll:{default:0}:runs", queued: true},
	}},
	{name: "all but specs", doubles: 1, offGrid: 1, rounds: []harm{
		{do: "DEL redpoll:zones redpoll:workers redpoll:meta redpoll:intake redpoll:intake:log redpoll:intake:lock redpoll:{default:0}:due" +
			" redpoll:{default:0}:ready redpoll:{default:0}:runs redpoll:{default:0}:last redpoll:{default:0}:incidents redpoll:{default:0}:changes"},
	}},
}

// What is lost in Redis comes back from the specs.
func TestLostKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range harms {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.up(2, 0)
			// A lease that outlasts the harm: what runs need not run again.
			ws := []*proc{f.worker("w1", "-lease", "6s"), f.worker("w2", "-lease", "6s")}
			f.ready(ws...)
			f.target.holdAll(50 * time.Millisecond)
			f.add(80, time.Second, 2*time.Second)
			for _, h := range tt.rounds {
				f.harm(h, ws)
			}
			n := len(tt.rounds)
			sum := f.finish(bounds{doubles: n * tt.doubles, offGrid: n * tt.offGrid, gap: 9 * time.Second})
			kinds := f.repairs()
			delete(kinds, "zone_lost") // a race of two: who enters a zone again
			t.Logf("repaired: %v", kinds)
			if tt.kept && (len(kinds) > 0 || sum.Doubles > 0) {
				t.Errorf("repaired %v, and %d doubles: want nothing", kinds, sum.Doubles)
			}
		})
	}
}

// harm does one harm and waits until all checks go on.
func (f *fleet) harm(h harm, workers []*proc) {
	f.Helper()
	if h.queued {
		for _, w := range workers {
			w.signal(syscall.SIGSTOP)
		}
		pass(f, time.Second)
	}
	harmed := time.Now()
	f.lines(h.do)
	if h.mend != "" {
		pass(f, 1500*time.Millisecond)
		f.lines(h.mend)
	}
	if h.queued {
		for _, w := range workers {
			w.signal(syscall.SIGCONT)
		}
	}
	f.goOn(harmed, 2, 5*time.Second+2*recovery)
	worst := time.Duration(0)
	for _, id := range f.all() {
		worst = max(worst, f.target.first(id, harmed).Sub(harmed))
	}
	f.Logf("%.60s (queued: %v): all checks have run again after %s", h.do, h.queued, worst.Round(time.Millisecond))
}
