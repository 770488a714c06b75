package worker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// TestDeafDeliverer: a call that does not end is given up and tried again; it
// takes one of the handler's places until it ends, and no more than that.
func TestDeafDeliverer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		g.answers(func(d check.Delivery) (string, error) {
			if d.Event.Check.ID == "deaf" && d.Event.Change == check.ChangeOpen && d.Attempt == 1 {
				<-time.After(time.Minute)
				return "too late", nil
			}
			return "in time", nil
		})
		w, _ := o.worker(t, "w1", g.instance("w1", func(h *HandlerInstance) { h.Concurrency, h.Timeout = 2, 2*time.Second }))
		pass(5 * time.Second)
		began := time.Now()
		deaf := o.incident(lane, "deaf", 1)
		deaf.play(2)
		for n := range 20 {
			o.incident(lane, fmt.Sprintf("c%d", n), 1).play(3)
		}
		pass(10 * time.Second)
		got := g.delivered()
		if len(got) != 62 || o.unsettled("pager") != 0 {
			t.Errorf("%d delivered, %d unsettled, want all 62", len(got), o.unsettled("pager"))
		}
		for _, d := range g.tried() {
			if d.Event.Check.ID == "deaf" && d.Attempt == 2 {
				if wait := d.at.Sub(began); wait < 2*time.Second+giveUpAfter || wait > 2*time.Second+giveUpAfter+time.Second+100*time.Millisecond {
					t.Errorf("the second attempt came after %s", wait)
				}
			}
		}
		if ref, _ := deaf.field("pager"); ref != "in time" {
			t.Errorf("ref = %q", ref)
		}
		if n := len(w.delivery.handlers[0].slots); n != 1 {
			t.Errorf("%d places are taken, want that of the call that does not end", n)
		}
		pass(time.Minute)
		if n := len(w.delivery.handlers[0].slots); n != 0 {
			t.Errorf("%d places are taken, want none", n)
		}
		w.stop()
	})
}

// TestConcurrencyOfDeliveries: no more at once than the handler takes, over all
// lanes.
func TestConcurrencyOfDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lanes := []check.Lane{{Zone: "a"}, {Zone: "a", Part: 1}, {Zone: "b"}}
		o, g := newOutbox(lanes...), &target{}
		now, most := 0, 0 // guarded by g.mu
		g.answers(func(check.Delivery) (string, error) {
			g.mu.Lock()
			now++
			most = max(most, now)
			g.mu.Unlock()
			<-time.After(time.Second)
			g.mu.Lock()
			now--
			g.mu.Unlock()
			return "", nil
		})
		w, _ := o.worker(t, "w1", g.instance("w1", func(h *HandlerInstance) { h.Concurrency = 3 }))
		pass(5 * time.Second)
		for n := range 30 {
			o.incident(lanes[n%3], fmt.Sprintf("c%d", n), 1).play(1)
		}
		pass(11 * time.Second)
		g.mu.Lock()
		if most != 3 || len(g.got) != 30 {
			t.Errorf("%d at once, %d delivered, want 3 and 30", most, len(g.got))
		}
		g.mu.Unlock()
		w.stop()
	})
}

// TestBrokenLaneLeavesPlaces: where nothing can be read of a lane's incidents,
// its changes wait and take no places from the others.
func TestBrokenLaneLeavesPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad, good := check.Lane{Zone: "bad"}, check.Lane{Zone: "good"}
		o, g := newOutbox(bad, good), &target{}
		o.broken = bad
		w, _ := o.worker(t, "w1", g.instance("w1", func(h *HandlerInstance) { h.Concurrency = 2 }))
		pass(5 * time.Second)
		for n := range 20 {
			o.incident(bad, fmt.Sprintf("b%02d", n), 1).play(1)
		}
		pass(time.Second)
		for n := range 20 {
			o.incident(good, fmt.Sprintf("g%02d", n), 1).play(2)
		}
		pass(5 * time.Second)
		if n := len(g.delivered()); n != 40 {
			t.Errorf("%d delivered beside a broken lane, want 40", n)
		}
		o.mu.Lock()
		o.broken = check.Lane{}
		o.mu.Unlock()
		pass(5 * time.Second)
		if got := g.delivered(); len(got) != 60 || got[59].Attempt != 1 {
			t.Errorf("%d delivered, want all 60 at their first attempt", len(got))
		}
		w.stop()
	})
}

// TestStopEndsDeliveries: what is on its way may end within the grace, what
// waits stays for the next worker.
func TestStopEndsDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		g.answers(func(d check.Delivery) (string, error) {
			<-time.After(3 * time.Second)
			if d.Event.Check.ID == "bad" {
				return "", errDown
			}
			return "", nil
		})
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		a := o.incident(lane, "a", 1)
		a.play(2)
		o.incident(lane, "bad", 1).play(1)
		pass(time.Second)
		if took := w.stop(); took > 3*time.Second {
			t.Errorf("the stop took %s, want what the calls took", took)
		}
		if got := g.delivered(); texts(got) != "a/1 open WARN" || o.unsettled("pager") != 2 {
			t.Errorf("delivered %s, %d unsettled, want the first, and two for the next worker", texts(got), o.unsettled("pager"))
		}
		g.answers(nil)
		w, _ = o.worker(t, "w2", g.instance("w2", nil))
		pass(time.Second)
		if n := len(g.delivered()); n != 3 || o.unsettled("pager") != 0 {
			t.Errorf("%d delivered, want the rest by the next worker at once", n)
		}
		w.stop()
	})
}

func TestSpread(t *testing.T) {
	t.Parallel()
	lanes := []check.Lane{{Zone: "a"}, {Zone: "a", Part: 1}, {Zone: "b"}, {Zone: "nobody"}}
	beat := func(name, zones, handlers string, own ...string) check.Heartbeat {
		return check.Heartbeat{Name: name, Zones: strings.Fields(zones), Delivers: strings.Fields(handlers), Incidents: own, At: 100_000, Every: 3000}
	}
	old := beat("old", "a b", "x y")
	old.At = 90_000
	for _, tt := range []struct {
		name  string
		beats []check.Heartbeat
		want  map[string]int // shares by worker
	}{
		{"one", []check.Heartbeat{beat("w", "a b", "x y")}, map[string]int{"w": 6}},
		{"by zone", []check.Heartbeat{beat("v", "a", "x y"), beat("w", "b", "x y")}, map[string]int{"v": 4, "w": 2}},
		{"by handler", []check.Heartbeat{beat("v", "a b", "x"), beat("w", "a b", "y")}, map[string]int{"v": 3, "w": 3}},
		{"dead", []check.Heartbeat{old, beat("w", "a b", "x y")}, map[string]int{"w": 6}},
		{"cut off", []check.Heartbeat{beat("v", "a b", "x y", "a/worker:v/5"), beat("w", "a", "x y")}, map[string]int{"v": 2, "w": 4}},
		{"all cut off", []check.Heartbeat{beat("v", "a", "x", "a/worker:v/5")}, map[string]int{"v": 2}},
		{"none", nil, map[string]int{}},
	} {
		got := map[string]int{}
		for _, name := range spread(lanes, live(tt.beats, 100_000)) {
			got[name]++
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: shares %v, want %v", tt.name, got, tt.want)
		}
	}
	// Few move when a worker comes: its own, and what makes room for that.
	var many []check.Lane
	for p := range 60 {
		many = append(many, check.Lane{Zone: "a", Part: p})
	}
	three := []check.Heartbeat{beat("w1", "a", "x"), beat("w2", "a", "x"), beat("w3", "a", "x")}
	before, after := spread(many, three), spread(many, append(three, beat("w4", "a", "x")))
	moved := 0
	for s, name := range before {
		if after[s] != name {
			moved++
		}
	}
	if moved > 30 {
		t.Errorf("%d of 60 shares moved for a fourth worker, want about 15", moved)
	}
}

func TestStreamHandlersAreValidated(t *testing.T) {
	t.Parallel()
	g := &target{}
	ok := func(change func(*HandlerInstance)) HandlerInstance { return g.instance("w", change) }
	for _, tt := range []struct {
		name string
		h    HandlerInstance
		q    Queue
		want string
	}{
		{"fine", ok(nil), newOutbox(lane).seat(), ""},
		{"no outbox", ok(nil), newFake(), "no Outbox"},
		{"inline", ok(func(h *HandlerInstance) { h.Stream = false }), newFake(), "stream only"},
		{"name", ok(func(h *HandlerInstance) { h.Name = "a b" }), newOutbox(lane).seat(), "consumer group"},
		{"ack", ok(func(h *HandlerInstance) { h.Name = "ack" }), newOutbox(lane).seat(), "and not ack"},
		{"only", ok(func(h *HandlerInstance) { h.Filter.Only = OnlyChanges }), newOutbox(lane).seat(), `only "changes"`},
		{"only inline", HandlerInstance{Name: "a", Handler: handlerFunc(nil), Filter: Filter{Only: "some"}}, newFake(), `only "some"`},
		{"concurrency", ok(func(h *HandlerInstance) { h.Concurrency = -1 }), newOutbox(lane).seat(), "concurrency -1"},
		{"pauses", ok(func(h *HandlerInstance) { h.RetryMin, h.RetryMax = time.Minute, time.Second }), newOutbox(lane).seat(), "pauses of"},
		{"mutator", ok(func(h *HandlerInstance) { h.Handler = mutator{} }), newOutbox(lane).seat(), "changes events"},
	} {
		_, err := New(Config{Queue: tt.q, Commands: commands(), Name: "w", Handlers: []HandlerInstance{tt.h}})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New() = %v, want %q", tt.name, err, tt.want)
		}
	}
}
