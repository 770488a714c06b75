package worker

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestFilterOfResults(t *testing.T) {
	t.Parallel()
	const ok, warn, crit = check.StateOK, check.StateWarn, check.StateCrit
	type result struct {
		before, now  check.State
		was, reason  string
		change       check.Change
		labels       map[string]string
		firstOfCheck bool
	}
	site := map[string]string{"site": "fra", "rack": "7"}
	for _, tt := range []struct {
		name string
		f    Filter
		r    result
		want bool
	}{
		{"no filter", Filter{}, result{}, true},
		{"all", Filter{Only: OnlyAll}, result{before: crit, now: crit}, true},
		{"changes: the same", Filter{Only: OnlyChanges}, result{before: crit, now: crit, was: "A", reason: "A"}, false},
		{"changes: state", Filter{Only: OnlyChanges}, result{before: warn, now: crit, was: "A", reason: "A"}, true},
		{"changes: reason", Filter{Only: OnlyChanges}, result{before: crit, now: crit, was: "A", reason: "B"}, true},
		{"changes: incident", Filter{Only: OnlyChanges}, result{before: crit, now: crit, was: "A", reason: "A", change: check.ChangeOpen}, true},
		{"changes: first, OK", Filter{Only: OnlyChanges}, result{firstOfCheck: true}, false},
		{"changes: first, CRIT", Filter{Only: OnlyChanges}, result{firstOfCheck: true, now: crit, reason: "A"}, true},
		{"incidents: none", Filter{Only: OnlyIncidents}, result{before: ok, now: crit, reason: "SOFT"}, false},
		{"incidents: one", Filter{Only: OnlyIncidents}, result{before: ok, now: crit, change: check.ChangeOpen}, true},
		{"states: in", Filter{States: []check.State{warn, crit}}, result{now: warn}, true},
		{"states: out", Filter{States: []check.State{crit}}, result{now: warn}, false},
		{"states: right after one", Filter{States: []check.State{crit}}, result{before: crit, now: warn}, true},
		{"states: resolve", Filter{States: []check.State{crit}}, result{before: warn, now: ok, change: check.ChangeResolve}, true},
		{"states: later", Filter{States: []check.State{crit}}, result{before: ok, now: ok}, false},
		{"labels: all fit", Filter{Labels: site}, result{labels: map[string]string{"site": "fra", "rack": "7", "x": "y"}}, true},
		{"labels: one is another", Filter{Labels: site}, result{labels: map[string]string{"site": "fra", "rack": "8"}}, false},
		{"labels: one is missing", Filter{Labels: site}, result{labels: map[string]string{"site": "fra"}}, false},
		{"labels: an empty one is missing", Filter{Labels: map[string]string{"site": ""}}, result{}, false},
		{"labels and a resolve", Filter{Labels: site, States: []check.State{crit}}, result{now: ok, change: check.ChangeResolve}, false},
	} {
		ev := &check.Event{Previous: tt.r.before, Change: tt.r.change}
		ev.State, ev.Reason, ev.Check.Labels = tt.r.now, tt.r.reason, tt.r.labels
		last := &check.Last{Result: check.Result{State: tt.r.before, Reason: tt.r.was}}
		if tt.r.firstOfCheck {
			last = nil
		}
		if got := tt.f.wantsResult(ev, last); got != tt.want {
			t.Errorf("%s: wantsResult(%+v) = %v, want %v", tt.name, tt.r, got, tt.want)
		}
	}
}

// TestFilteredHandlersOfRuns: a run's event passes only through those that want
// it, mutators too.
func TestFilteredHandlersOfRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := make(chan string, 9)
		note := func(name string) check.Handler {
			return mutator{func(_ context.Context, ev *check.Event) error { ev.Text += name; return nil },
				func(_ context.Context, ev *check.Event) error { seen <- name + " " + ev.Text; return nil }}
		}
		with := func(name string, f Filter) HandlerInstance {
			return HandlerInstance{Name: name, Default: true, Handler: note(name), Filter: f}
		}
		_, q, _ := runWith(t, specOf("a", "measures", `,"labels":{"site":"fra"}`), time.Second,
			with("A", Filter{States: []check.State{check.StateCrit}}), with("B", Filter{States: []check.State{check.StateWarn}}),
			with("C", Filter{Labels: map[string]string{"site": "ber"}}), with("D", Filter{Only: OnlyIncidents}))
		q.result(t, "a")
		got := []string{<-seen, <-seen}
		if len(seen) > 0 || !strings.Contains(strings.Join(got, ","), "B as measuredBD") || !strings.Contains(strings.Join(got, ","), "D as measuredBD") {
			t.Errorf("handlers saw %q and %d more, want B and D only", got, len(seen))
		}
	})
}

// named makes an incident of a check with handlers and labels.
func (o *outboxFake) named(name string, handlers []string, labels map[string]string) *incident {
	i := o.incident(lane, name, 1)
	i.ev.Check.Handlers, i.ev.Check.Labels = handlers, labels
	return i
}

// TestStreamGetsItsChecks: those that name the handler, the others only by
// default.
func TestStreamGetsItsChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g, m := newOutbox(lane), &target{}, newDeliveries()
		o.metrics = m
		other := &target{}
		w, _ := o.worker(t, "w1", g.instance("w1", nil), other.instance("w1", func(h *HandlerInstance) { h.Name, h.Default = "other", false }))
		pass(5 * time.Second)
		for _, i := range []*incident{
			o.named("default", nil, nil), o.named("none", []string{}, nil), o.named("both", []string{"other", "pager"}, nil), o.named("other", []string{"other"}, nil),
		} {
			i.post(check.ChangeOpen, check.StateCrit)
			i.post(check.ChangeResolve, check.StateOK)
		}
		pass(5 * time.Second)
		for name, got := range map[string][]told{"pager": g.delivered(), "other": other.delivered()} {
			ids := map[string]int{}
			for _, d := range got {
				ids[d.Event.Check.ID]++
			}
			want := map[string]string{"pager": "default", "other": "other"}[name]
			if len(got) != 4 || ids["both"] != 2 || ids[want] != 2 {
				t.Errorf("%s got %s, want both changes of both and of %s", name, texts(got), want)
			}
		}
		if o.unsettled("pager") != 0 || m.of("pager", DeliverySkipped) != 4 {
			t.Errorf("%d unsettled, %d skipped, want none and 4", o.unsettled("pager"), m.of("pager", DeliverySkipped))
		}
		w.stop()
	})
}

// TestStreamFilter: what was begun is followed to its end, all else is left out.
func TestStreamFilter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		w, _ := o.worker(t, "w1", g.instance("w1", func(h *HandlerInstance) {
			h.Filter = Filter{States: []check.State{check.StateCrit}, Labels: map[string]string{"site": "fra"}}
		}))
		pass(5 * time.Second)
		fra := map[string]string{"site": "fra"}
		worse, mild := o.named("worse", nil, fra), o.named("mild", nil, fra)
		away, moves := o.named("away", nil, map[string]string{"site": "ber"}), o.named("moves", nil, fra)
		for _, i := range []*incident{worse, mild} {
			i.post(check.ChangeOpen, check.StateWarn)
		}
		worse.post(check.ChangeUpdate, check.StateCrit)
		mild.post(check.ChangeAck, check.StateWarn)
		worse.post(check.ChangeUpdate, check.StateWarn)
		for _, i := range []*incident{away, moves} {
			i.post(check.ChangeOpen, check.StateCrit)
		}
		moves.ev.Check.Labels, moves.ev.Check.Handlers = nil, []string{} // edited meanwhile
		for _, i := range []*incident{worse, mild, away, moves} {
			i.post(check.ChangeResolve, check.StateOK)
		}
		pass(10 * time.Second)
		byCheck := map[string]string{}
		for _, d := range g.delivered() {
			byCheck[d.Event.Check.ID] += string(d.Event.Change) + " "
		}
		if byCheck["worse"] != "update update resolve " || byCheck["moves"] != "open resolve " || len(byCheck) != 2 {
			t.Errorf("delivered %v, want worse from CRIT on, moves to its end, nothing else", byCheck)
		}
		if n := o.unsettled("pager"); n != 0 {
			t.Errorf("%d unsettled, want none", n)
		}
		w.stop()
	})
}

// TestSentAgain: an entry for one handler is no other's.
func TestSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g, other := newOutbox(lane), &target{}, &target{}
		w, _ := o.worker(t, "w1", g.instance("w1", nil), other.instance("w1", func(h *HandlerInstance) { h.Name = "other" }))
		pass(5 * time.Second)
		a := o.incident(lane, "a", 1)
		a.post(check.ChangeOpen, check.StateCrit, "pager")
		a.post(check.ChangeOpen, check.StateCrit, "gone")
		unnamed := o.named("unnamed", []string{"other"}, nil)
		unnamed.post(check.ChangeOpen, check.StateCrit, "pager")
		pass(5 * time.Second)
		if texts(g.delivered()) != "a/1 open CRIT" || len(other.delivered()) != 0 || o.unsettled("pager")+o.unsettled("other") != 0 {
			t.Errorf("pager got %s, other %s, want the one that is pager's", texts(g.delivered()), texts(other.delivered()))
		}
		w.stop()
	})
}
