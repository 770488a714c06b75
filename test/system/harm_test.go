package system

import (
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
			t.Errorf("%s ended with code %d", p.name, p.code)
		}
	}
	f.finish(bounds{doubles: times, gap: down + recovery + 2*time.Second})
	f.noRepairs()
}

// What is lost in Redis comes back from the specs.
func TestLostKeys(t *testing.T) {
	t.Parallel()
	const prefix = "redpoll:{default:0}:"
	// A record that is lost while its check runs costs the result of that run,
	// and the check is placed anew: on its grid, or at once where an entry
	// was lost.
	tests := []struct {
		name    string
		harm    []string
		kept    bool // nothing is to be repaired
		doubles int
		offGrid int
	}{
		{"scripts", []string{"SCRIPT FLUSH"}, true, 0, 0},
		{"group of workers", []string{"XGROUP DESTROY " + prefix + "ready workers"}, true, 0, 0},
		{"group of schedulers", []string{"XGROUP DESTROY redpoll:intake schedulers"}, true, 0, 0},
		{"ready", []string{"DEL " + prefix + "ready"}, false, 1, 1},
		{"due", []string{"DEL " + prefix + "due"}, false, 0, 0},
		{"due is a string for a while", []string{"SET " + prefix + "due x", "DEBUG SLEEP 0.2", "DEL " + prefix + "due"}, false, 0, 0},
		{"runs", []string{"DEL " + prefix + "runs"}, false, 1, 0},
		{"last and incidents", []string{"DEL " + prefix + "last " + prefix + "incidents " + prefix + "changes"}, true, 0, 0},
		{"due, ready and runs", []string{"DEL " + prefix + "due " + prefix + "ready " + prefix + "runs"}, false, 1, 0},
		{"all that is no lane's", []string{"DEL redpoll:zones redpoll:workers redpoll:meta redpoll:intake redpoll:intake:log redpoll:intake:lock"}, true, 0, 0},
		{"all but specs", []string{"DEL redpoll:zones redpoll:workers redpoll:meta redpoll:intake redpoll:intake:log redpoll:intake:lock " +
			prefix + "due " + prefix + "ready " + prefix + "runs " + prefix + "last " + prefix + "incidents " + prefix + "changes"}, false, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.up(2, 2)
			f.target.holdAll(50 * time.Millisecond)
			f.add(80, time.Second, 2*time.Second)
			const times = 2
			for range times {
				harmed := time.Now()
				f.lines(tt.harm...)
				f.goOn(harmed, 2, 5*time.Second+2*recovery)
			}
			f.finish(bounds{doubles: times * tt.doubles, offGrid: times * tt.offGrid, gap: 6*time.Second + recovery})
			kinds := f.repairs()
			delete(kinds, "zone_lost") // a race of two: who enters a zone again
			t.Logf("repaired: %v", kinds)
			if tt.kept && len(kinds) > 0 {
				t.Errorf("repaired %v, want nothing", kinds)
			}
		})
	}
}
