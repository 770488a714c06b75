package system

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// killing kills a random process of those that run and starts it again at
// once, over and over, until the phase is over. It gives the number of kills. No
// check loses a third worker in a row: it would be put away.
func (f *fleet) killing(prefix string, d, pause time.Duration) (kills int) {
	f.Helper()
	for end := time.Now().Add(phase(d)); time.Now().Before(end); {
		pass(f, pause+rand.N(pause))
		ps := f.running(prefix)
		p := ps[rand.N(len(ps))]
		p.signal(syscall.SIGSTOP) // it takes and ends nothing while it is looked at
		if suspect := f.suspectOf(p); suspect != "" {
			f.Logf("%s is spared, it runs %s", p.Name, suspect)
			p.signal(syscall.SIGCONT)
			continue
		}
		p.kill()
		f.again(p)
		kills++
	}
	f.ready(f.running("")...)
	f.Logf("%d kills", kills)
	return kills
}

// suspectOf names a check that a worker holds and that two were lost with.
func (f *fleet) suspectOf(p *proc) (id string) {
	f.Helper()
	for range 2 { // the first answer comes behind all that the worker had sent
		records, err := f.client.HGetAll(f.Context(), key("runs")).Result()
		if err != nil {
			f.Fatal(err)
		}
		id = ""
		for check, text := range records {
			if r, err := redisqueue.ParseRecord(text); err == nil && r.Crashes >= 2 && strings.HasPrefix(r.Owner, p.Name+"/") {
				id = check
			}
		}
	}
	return id
}

// noRepairs demands that the moves alone have kept everything in its place.
func (f *fleet) noRepairs() {
	f.Helper()
	if kinds := f.repairs(); len(kinds) > 0 {
		f.Errorf("repaired %s, want nothing", fmt.Sprint(kinds))
	}
}

func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 3)
	f.target.holdAll(100 * time.Millisecond) // so that a kill hits runs
	f.add(150, time.Second, 2*time.Second)
	kills := f.killing("w", 14*time.Second, 500*time.Millisecond)
	f.finish(bounds{doubles: kills, gap: recovery})
	f.noRepairs()
}

func TestKilledSchedulers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 2)
	f.add(150, time.Second, 2*time.Second)
	f.killing("s", 12*time.Second, 300*time.Millisecond)
	f.finish(bounds{gap: 2 * time.Second})
	f.noRepairs()
}

func TestKilledTogether(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 3)
	f.target.holdAll(100 * time.Millisecond)
	f.add(150, time.Second, 2*time.Second)
	kills := f.killing("", 14*time.Second, 350*time.Millisecond)
	f.finish(bounds{doubles: kills, gap: recovery + 2*time.Second})
	f.noRepairs()
}

// The checks that a worker was running when it was killed run again within
// lease + lease/3 + 1 s.
func TestRecoveryTime(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	_, ws := f.up(1, 1)
	const checks, times = 60, 3
	f.add(checks, 3*time.Second)
	var worst time.Duration
	for i := range times {
		f.target.holdAll(time.Minute)
		f.eventually(6*time.Second, func() error {
			if n := f.target.waiting(); n < checks {
				return fmt.Errorf("%d of %d checks run", n, checks)
			}
			return nil
		})
		f.target.holdAll(0)
		heir := f.worker(fmt.Sprintf("w%d", i+2))
		f.ready(heir)
		killed := time.Now()
		ws[0].kill()
		f.goOn(killed, 1, recovery)
		for _, id := range f.all() {
			worst = max(worst, f.target.first(id, killed).Sub(killed))
		}
		ws[0] = heir
		f.goOn(time.Now(), 1, 3*time.Second)
	}
	t.Logf("a killed worker's checks ran again after %s at the latest; the bound is %s", worst.Round(time.Millisecond), recovery)
	if worst > recovery+*slack {
		t.Errorf("recovery took %s, want at most %s and %s of slack", worst, recovery, *slack)
	}
	f.finish(bounds{doubles: times, gap: 10 * time.Second})
	f.noRepairs()
}

// A worker that stands still for longer than its lease finds its checks in
// other hands: what it brings is refused and counted.
func TestStoppedWorker(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	_, ws := f.up(1, 2)
	f.target.holdAll(300 * time.Millisecond)
	f.add(60, time.Second)
	const times = 2
	for range times {
		ws[0].signal(syscall.SIGSTOP)
		pass(t, 2*lease)
		ws[0].signal(syscall.SIGCONT)
		pass(t, lease)
	}
	if n := ws[0].metric("redpoll_stale_completions_total"); n == 0 {
		t.Errorf("stale completions of the stopped worker = %v, want some", n)
	} else {
		t.Logf("%v stale completions", n)
	}
	f.finish(bounds{doubles: times, gap: recovery})
	f.noRepairs()
}

// A check that kills its worker is put away after three of them. Those that are
// due at the same moment are leased with it and lost with it, and go on soon.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(1, 0)
	for i := range 3 {
		name := fmt.Sprintf("w%d", i+1)
		f.enlist(start(t, name, binary(t, "noopworker"), "-redis", f.redis.URL(), "-name", name, "-lease", lease.String()))
	}
	f.eventually(5*time.Second, func() error {
		if out, _ := f.redpoll("workers", "-o", "name"); len(out) < len("w1\nw2\nw3") {
			return fmt.Errorf("workers: %s", out)
		}
		return nil
	})
	const others = 200
	var add []string
	for i := range others {
		add = append(add, fmt.Sprintf("XADD redpoll:intake * id n%03d command noop every 2s phase 0s first spread", i))
	}
	f.lines(add...)
	f.eventually(5*time.Second, func() error {
		f.readResults()
		if n := len(f.results); n < others {
			return fmt.Errorf("%d of %d checks have results", n, others)
		}
		return nil
	})
	f.accepted("XADD redpoll:intake * id bomb command crash every 2s phase 0s first spread")
	crashes := 0
	f.eventually(4*recovery, func() error {
		crashes += f.revive()
		f.readResults()
		if len(f.results["bomb"]) == 0 {
			return fmt.Errorf("no result of the bomb after %d crashes", crashes)
		}
		return nil
	})
	if r := f.results["bomb"][0].Result; r.Reason != check.ReasonWorkerLost || r.State != check.StateUnknown || crashes != 3 {
		t.Errorf("the bomb ends as %s %s after %d crashes, want UNKNOWN WORKER_LOST after 3", r.State, r.Reason, crashes)
	}
	calm := time.Now()
	pass(t, 2*recovery)
	if n := f.revive(); n > 0 || len(f.results["bomb"]) != 1 {
		t.Errorf("%d workers were lost after the bomb was put away", n)
	}
	f.readResults()
	f.judgeOthers(others, calm)
	f.verify()
}

// judgeOthers judges the checks beside the bomb, which no target sees.
func (f *fleet) judgeOthers(want int, calm time.Time) {
	f.Helper()
	worst, most := time.Duration(0), 3*recovery+2*time.Second
	for id, rs := range f.results {
		if id == "bomb" {
			continue
		}
		want--
		after := 0
		for i, r := range rs {
			if i > 0 {
				worst = max(worst, time.Duration(r.Started-rs[i-1].Started)*time.Millisecond)
			}
			if i > 0 && r.Planned <= rs[i-1].Planned || r.Result.State != check.StateOK {
				f.Errorf("%s: %s, planned for %d", id, r.Result.State, r.Planned)
			}
			if r.Started > calm.UnixMilli() {
				after++
			}
		}
		if after < 3 {
			f.Errorf("%s: %d results after the bomb was put away, want 3", id, after)
		}
	}
	f.Logf("the others were away for %s at the longest", worst.Round(time.Millisecond))
	if want > 0 || worst > most+*slack {
		f.Errorf("%d checks have no results; the longest time away is %s, want at most %s", want, worst, most)
	}
}

// revive starts workers again that crashed, and counts them.
func (f *fleet) revive() (crashes int) {
	f.Helper()
	f.mu.Lock()
	ps := slices.Clone(f.procs)
	f.mu.Unlock()
	latest := map[string]*proc{}
	for _, p := range ps {
		latest[p.Name] = p
	}
	for _, p := range latest {
		if !p.alive() {
			if p.Code != 3 {
				f.Errorf("%s ended with code %d", p.Name, p.Code)
			}
			f.again(p)
			crashes++
		}
	}
	return crashes
}
