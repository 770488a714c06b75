package worker

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

var errDown = errors.New("503")

// play posts n changes of an incident that goes between WARN and CRIT.
func (i *incident) play(n int) {
	for k := range n {
		change := check.ChangeUpdate
		if k == 0 {
			change = check.ChangeOpen
		}
		i.post(change, []check.State{check.StateWarn, check.StateCrit}[k%2])
	}
}

// inOrder demands that the first success of each change of a check came in the
// order of its changes, n of each, and counts the repetitions.
func inOrder(t *testing.T, got []told, checks, n int) (repeated int) {
	t.Helper()
	seen := map[string]map[int64]bool{}
	last := map[string]int64{}
	for _, d := range got {
		id, planned := d.Event.Check.ID, d.Event.Planned
		if seen[id] == nil {
			seen[id] = map[int64]bool{}
		}
		if seen[id][planned] {
			repeated++
			continue
		}
		seen[id][planned] = true
		if planned < last[id] {
			t.Errorf("%s: the change of %d came after the one of %d", id, planned, last[id])
		}
		last[id] = planned
	}
	if len(seen) != checks {
		t.Errorf("changes of %d checks were delivered, want %d", len(seen), checks)
	}
	for id, s := range seen {
		if len(s) != n {
			t.Errorf("%s: %d changes were delivered, want %d", id, len(s), n)
		}
	}
	return repeated
}

// TestFailingCheckHoldsUpNobody: not even with more changes than a feed has
// room for.
func TestFailingCheckHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		g.answers(func(d check.Delivery) (string, error) {
			if d.Event.Check.ID == "bad" {
				return "", errDown
			}
			return "", nil
		})
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		bad := o.incident(lane, "bad", 1)
		for k := range 3 * window {
			bad.post(check.ChangeUpdate, []check.State{check.StateWarn, check.StateCrit}[k%2])
			if k%100 == 0 {
				pass(time.Millisecond) // each change has its own time
			}
		}
		good := o.incident(lane, "good", 1)
		good.play(5)
		pass(30 * time.Second)
		got := g.delivered()
		if len(got) != 5 || got[4].Event.Check.ID != "good" {
			t.Errorf("delivered %s, want the five of good", texts(got))
		}
		if len(g.tried()) > 5+8 {
			t.Errorf("%d attempts within half a minute, want few", len(g.tried()))
		}
		w.delivery.mu.Lock()
		for f := range w.delivery.feeds {
			f.mu.Lock()
			if f.lines.count != 3*window || f.lines.loaded > 1 {
				t.Errorf("%d changes read, %d in memory, want %d and hardly any", f.lines.count, f.lines.loaded, 3*window)
			}
			f.mu.Unlock()
		}
		w.delivery.mu.Unlock()
		g.answers(nil)
		pass(6 * time.Minute)
		if n := len(g.delivered()); n != 3*window+5 || o.unsettled("pager") != 0 {
			t.Errorf("%d delivered in the end, %d unsettled, want %d and none", n, o.unsettled("pager"), 3*window+5)
		}
		w.stop()
	})
}

// TestOutageOfTheTarget: hours of it lose nothing, the order stays, the target
// is not run down meanwhile, and when it is back all comes at once.
func TestOutageOfTheTarget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const checks, each = 100, 12 // more than a window
		o, g := newOutbox(lane), &target{}
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		g.answers(func(check.Delivery) (string, error) { <-time.After(time.Second); return "", errDown })
		list := make([]*incident, checks)
		for i := range list {
			list[i] = o.incident(lane, fmt.Sprintf("c%03d", i), 1)
		}
		for k := range each {
			for i, inc := range list {
				inc.post([]check.Change{check.ChangeOpen, check.ChangeUpdate}[min(k, 1)], []check.State{check.StateWarn, check.StateCrit}[k%2])
				if i%20 == 0 {
					pass(time.Second)
				}
			}
			pass(20 * time.Minute)
		}
		if b := w.Backlogs(); len(b) != 1 || b[0].Changes != checks*each || b[0].Retries < checks/2 || b[0].Oldest < (each-1)*20*time.Minute {
			t.Errorf("Backlogs() = %+v, want %d changes, the oldest of hours", b, checks*each)
		}
		// Eight at once, a second each: what waits is tried no more often than that.
		if n := len(g.tried()); n > each*20*60*8 {
			t.Errorf("%d attempts in four hours", n)
		}
		back := time.Now()
		g.answers(nil)
		pass(5*time.Minute + time.Second) // the longest pause
		got := g.delivered()
		if inOrder(t, got, checks, each) != 0 || o.unsettled("pager") != 0 {
			t.Errorf("%d delivered, %d unsettled, want each once", len(got), o.unsettled("pager"))
		}
		if took := got[len(got)-1].at.Sub(got[0].at); took > 20*time.Second {
			t.Errorf("from the first success to the last it took %s, want all at once", took)
		}
		t.Logf("first success %s after the end of the outage", got[0].at.Sub(back))
		w.stop()
	})
}

// TestQueueAwayMidway: nothing is lost, little is repeated.
func TestQueueAwayMidway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		w, s := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		a := o.incident(lane, "a", 1)
		a.play(1)
		pass(time.Second)
		g.answers(func(check.Delivery) (string, error) { s.cut.Store(true); return "", nil })
		a.post(check.ChangeUpdate, check.StateCrit)
		pass(10 * time.Second)
		a.post(check.ChangeResolve, check.StateOK)
		pass(2 * time.Minute) // longer than the right lasts
		g.answers(nil)
		s.cut.Store(false)
		pass(30 * time.Second)
		if got := g.delivered(); texts(got) != "a/1 open WARN, a/1 update CRIT, a/1 update CRIT, a/1 resolve CRIT" {
			t.Errorf("delivered %s, want the update once more, then the resolve", texts(got))
		}
		w.stop()
	})
}

// TestShortAbsenceOfTheQueue: when the right still holds, nothing is repeated.
func TestShortAbsenceOfTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		w, s := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		g.answers(func(check.Delivery) (string, error) { s.cut.Store(true); return "", nil })
		a := o.incident(lane, "a", 1)
		a.play(1)
		pass(10 * time.Second)
		g.answers(nil)
		s.cut.Store(false)
		a.post(check.ChangeResolve, check.StateOK)
		pass(10 * time.Second)
		if got := g.delivered(); texts(got) != "a/1 open WARN, a/1 resolve WARN" {
			t.Errorf("delivered %s, want each once", texts(got))
		}
		w.stop()
	})
}

// TestLostGroup: who delivered before notices, and all that is kept comes again.
func TestLostGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		a := o.incident(lane, "a", 1)
		a.play(2)
		pass(time.Second)
		o.mu.Lock()
		o.lanes[lane].groups, o.lanes[lane].readers = map[string]*groupFake{}, map[string]bool{}
		o.mu.Unlock()
		a.post(check.ChangeResolve, check.StateOK)
		pass(10 * time.Second)
		if got := g.delivered(); texts(got) != "a/1 open WARN, a/1 update CRIT, a/1 open WARN, a/1 update CRIT, a/1 resolve CRIT" {
			t.Errorf("delivered %s, want all again and the resolve", texts(got))
		}
		w.stop()
	})
}

// TestLostQueue: Redis comes back empty. Who delivered before begins with all
// that is there by then.
func TestLostQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		w, s := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		s.cut.Store(true)
		pass(time.Minute) // longer than the right lasts
		o.mu.Lock()
		o.lanes[lane] = newOutbox(lane).lanes[lane]
		o.mu.Unlock()
		a := o.incident(lane, "a", 1)
		a.play(2) // by workers that were there sooner
		s.cut.Store(false)
		pass(20 * time.Second)
		if got := g.delivered(); texts(got) != "a/1 open WARN, a/1 update CRIT" {
			t.Errorf("delivered %s, want both", texts(got))
		}
		w.stop()
	})
}

// TestPendingBeyondAllBounds: more than a feed has room for was read before.
func TestPendingBeyondAllBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		g.answers(func(check.Delivery) (string, error) { return "", errDown })
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		o.incident(lane, "a", 1).play(3)
		pass(10 * time.Second)
		var f *feed
		w.delivery.mu.Lock()
		for f = range w.delivery.feeds {
		}
		w.delivery.mu.Unlock()
		f.mu.Lock()
		f.lines.count, f.after = maxHeld, "0" // as if there were so many
		more, after := f.free(), f.after
		f.mu.Unlock()
		if more != 0 {
			t.Errorf("room for %d more, want none", more)
		}
		f.took(phases{}, check.ChangePage{Mine: true}, 0)
		f.mu.Lock()
		if f.after != after || !f.news {
			t.Errorf("after %q, news %v: a look at the figures ended the reading of what was read before", f.after, f.news)
		}
		f.lines.count, f.after = 3, ""
		f.mu.Unlock()
		w.stop()
	})
}

// TestTrimmedUnread: what is gone is counted, what is there is delivered.
func TestTrimmedUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g, m := newOutbox(lane), &target{}, newDeliveries()
		o.metrics = m
		g.answers(func(check.Delivery) (string, error) { return "", errDown })
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		a := o.incident(lane, "a", 1)
		a.play(3) // read, and not delivered
		pass(time.Second)
		w.stop()
		b := o.incident(lane, "b", 1)
		b.play(4) // not read
		o.mu.Lock()
		l := o.lanes[lane]
		l.entries, l.trimmed = l.entries[5:], 5
		o.mu.Unlock()
		g.answers(nil)
		w, _ = o.worker(t, "w2", g.instance("w2", nil))
		pass(10 * time.Second)
		if got := g.delivered(); texts(got) != "b/1 update WARN, b/1 update CRIT" || m.get("pager trimmed default") != 5 || o.unsettled("pager") != 0 {
			t.Errorf("delivered %s, %d trimmed, %d unsettled, want the last two, 5 and none", texts(got), m.get("pager trimmed default"), o.unsettled("pager"))
		}
		w.stop()
	})
}
