package worker

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// holders tells who delivers what: worker -> shares.
func (o *outboxFake) holders() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]int{}
	for lane, l := range o.lanes {
		for h := range l.holds {
			if name, _, ok := strings.Cut(o.holder(lane, h), "/"); ok {
				out[name]++
			}
		}
	}
	return out
}

// TestTakeover: who is cut off is replaced within a lease and a look, and
// changes nothing any more.
func TestTakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		w1, s1 := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		w2, _ := o.worker(t, "w2", g.instance("w2", nil))
		a, b := o.incident(lane, "a", 1), o.incident(lane, "b", 1)
		a.play(1)
		pass(time.Second)
		s1.cut.Store(true)
		a.post(check.ChangeResolve, check.StateOK)
		b.play(1)
		limit := DefaultLease + DefaultLease/3 + time.Second
		pass(limit)
		got := g.delivered()
		if len(got) != 3 || got[0].by != "w1" || got[1].by != "w2" || got[2].by != "w2" {
			t.Fatalf("delivered %s within %s, want the rest by the second worker", texts(got), limit)
		}
		s1.cut.Store(false)
		b.post(check.ChangeResolve, check.StateOK)
		pass(10 * time.Second)
		if got := g.delivered(); len(got) != 4 || got[3].by != "w2" {
			t.Errorf("delivered %s, want the last by the second worker alone", texts(got))
		}
		w1.stop()
		w2.stop()
	})
}

// TestFrozenInDelivery: a worker that finds out after its call that the right
// is another's leaves no trace.
func TestFrozenInDelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		deaf := make(chan struct{})
		w1, s1 := o.worker(t, "w1", g.instance("w1", func(h *HandlerInstance) { h.Timeout = time.Hour }))
		pass(5 * time.Second)
		g.answers(func(check.Delivery) (string, error) { <-deaf; return "of the first", nil })
		a := o.incident(lane, "a", 1)
		a.play(1)
		pass(time.Second)
		s1.cut.Store(true)
		g.answers(func(check.Delivery) (string, error) { return "of the second", nil })
		w2, _ := o.worker(t, "w2", g.instance("w2", nil))
		pass(time.Minute)
		s1.cut.Store(false)
		close(deaf)
		pass(time.Second)
		if ref, _ := a.field("pager"); ref != "of the second" {
			t.Errorf("ref = %q, want that of the one who had the right", ref)
		}
		w1.stop()
		w2.stop()
	})
}

// TestDeliveriesSpread: lanes and handlers are shared among the workers, also
// with one that comes later, and a stop hands over at once.
func TestDeliveriesSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lanes := []check.Lane{{Zone: "a"}, {Zone: "a", Part: 1}, {Zone: "a", Part: 2}, {Zone: "a", Part: 3}}
		o, g := newOutbox(lanes...), &target{}
		three := func(name string) []HandlerInstance {
			var all []HandlerInstance
			for _, h := range []string{"x", "y", "z"} {
				all = append(all, g.instance(name, func(i *HandlerInstance) { i.Name = h }))
			}
			return all
		}
		w1, _ := o.worker(t, "w1", three("w1")...)
		pass(time.Second)
		if got := o.holders(); got["w1"] != 12 {
			t.Fatalf("holders = %v, want all by the only worker", got)
		}
		w2, _ := o.worker(t, "w2", three("w2")...)
		w3, _ := o.worker(t, "w3", three("w3")...)
		settled := 2*fleetEvery + 2*longLook + 2*time.Second
		pass(settled)
		if got := o.holders(); got["w1"] != 4 || got["w2"] != 4 || got["w3"] != 4 {
			t.Errorf("holders = %v, want four each", got)
		}
		// Nothing goes to and fro.
		o.mu.Lock()
		given := o.writes["give"]
		o.mu.Unlock()
		pass(time.Minute)
		o.mu.Lock()
		if o.writes["give"] != given {
			t.Errorf("%d rights were passed on in quiet running", o.writes["give"]-given)
		}
		o.mu.Unlock()
		w1.stop()
		pass(longLook)
		if got := o.holders(); got["w2"]+got["w3"] != 12 {
			t.Errorf("holders = %v, want all by the two that are left", got)
		}
		w2.stop()
		w3.stop()
	})
}

// TestIdleCostsLittle: with nothing to do the queue hears little.
func TestIdleCostsLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(10 * time.Second)
		o.mu.Lock()
		before := 0
		for move, n := range o.writes {
			if move != "news" { // the fake looks instead of waiting
				before += n
			}
		}
		o.mu.Unlock()
		pass(100 * time.Second)
		o.mu.Lock()
		after := 0
		for move, n := range o.writes {
			if move != "news" {
				after += n
			}
		}
		o.mu.Unlock()
		if after-before > 150 {
			t.Errorf("%d moves in 100 s without any change, want less than 1.5 a second", after-before)
		}
		w.stop()
	})
}
