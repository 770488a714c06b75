package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// keeper is an instance that is a Keeper.
func (g *target) keeper(by string, change func(*HandlerInstance)) HandlerInstance {
	h := g.instance(by, change)
	h.Handler = keeperOf{handlerOf{target: g, by: by}}
	return h
}

// rounds gives what the target was shown, each call as text.
func (g *target) rounds() (out []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, open := range g.kept {
		var ids []string
		for _, d := range open {
			ids = append(ids, d.Event.Check.ID)
		}
		slices.Sort(ids)
		out = append(out, strings.Join(ids, " "))
	}
	return out
}

func (o *outboxFake) edit(f func(l *laneFake)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o.lanes[lane])
}

func TestKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g, m := newOutbox(lane), &target{}, newDeliveries()
		o.metrics = m
		g.answers(func(d check.Delivery) (string, error) { return "T-" + d.Event.Check.ID, nil })
		before := o.incident(lane, "before", 1) // its open event is older than the group
		before.post(check.ChangeOpen, check.StateWarn)
		o.named("none", []string{}, nil).post(check.ChangeOpen, check.StateCrit)
		o.incident(lane, "mild", 1).post(check.ChangeOpen, check.StateUnknown)
		left := o.incident(lane, "left", 1)
		left.post(check.ChangeOpen, check.StateCrit)
		o.incident(lane, "left", 2).post(check.ChangeOpen, check.StateCrit) // the last record was lost between
		o.edit(func(l *laneFake) {
			for id, record := range map[string]string{"spec": `{"id":"spec","command":"tcp","every":"1m","labels":{"site":"fra"}}`, "gone": ""} {
				inc := check.IncidentID("default", id, 5)
				l.incidents[inc] = fmt.Sprintf(`{"id":%q,"to":"CRIT","reason":"DOWN","opened":5,"updated":7}`, inc)
				l.specs[id] = record
			}
			own := check.IncidentID("default", check.WorkerCheckID("w9"), 3)
			l.incidents[own] = fmt.Sprintf(`{"id":%q,"to":"CRIT","reason":"UPLINK_LOST","opened":5,"updated":7}`, own)
			l.incidents["junk"] = "junk"
		})
		w, _ := o.worker(t, "w1", g.keeper("w1", func(h *HandlerInstance) {
			h.Filter.States = []check.State{check.StateWarn, check.StateCrit}
		}))
		pass(29 * time.Second)
		want := "before left spec worker:w9"
		if got := g.rounds(); len(got) != 1 || got[0] != want {
			t.Fatalf("rounds = %q, want one of %s", got, want)
		}
		if m.get("pager keep kept") != 4 || m.get("pager keep skipped") != 2 {
			t.Errorf("kept %d, skipped %d, want 4 and 2: left behind, and of a check that is gone", m.get("pager keep kept"), m.get("pager keep skipped"))
		}
		g.mu.Lock()
		for _, d := range g.kept[0] {
			if ev := d.Event; ev.Change != check.ChangeNone || ev.Incident == nil || ev.Check.Zone != "default" || d.Attempt != 1 {
				t.Errorf("kept %+v", ev)
			}
			if ev := d.Event; ev.Check.ID == "spec" && (ev.Reason != "DOWN" || ev.State != check.StateCrit || ev.Check.Labels["site"] != "fra") {
				t.Errorf("made of the spec: %+v", ev)
			}
			if d.Event.Check.ID == "left" && d.Event.Incident.ID != "default/left/2" {
				t.Errorf("kept %s, want the one that the last record has", d.Event.Incident.ID)
			}
		}
		g.mu.Unlock()
		a := o.incident(lane, "a", 1)
		a.post(check.ChangeOpen, check.StateCrit)
		o.edit(func(l *laneFake) { l.incidents[a.id+"/ack"] = `{"at":1,"by":"kim"}` })
		before.post(check.ChangeResolve, check.StateOK)
		pass(30 * time.Second)
		got := g.rounds()
		if want := "a left spec worker:w9"; len(got) != 2 || got[1] != want {
			t.Errorf("rounds = %q, want a second one of %s", got, want)
		}
		g.mu.Lock()
		for _, d := range g.kept[1] {
			if d.Event.Check.ID == "a" && (d.Ref != "T-a" || d.Ack == nil || d.Ack.By != "kim") {
				t.Errorf("kept %+v, want ref and ack", d)
			}
		}
		g.mu.Unlock()
		w.stop()
	})
}

// TestKeepPages: many incidents come in calls of at most 500, and a call that
// fails holds up no other.
func TestKeepPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g, m := newOutbox(lane), &target{}, newDeliveries()
		o.metrics = m
		for n := range 1234 {
			o.incident(lane, fmt.Sprintf("c%04d", n), 1).post(check.ChangeOpen, check.StateCrit)
		}
		calls := 0
		g.keep = func(open []check.Delivery) error {
			if calls++; calls == 1 {
				return errors.New("503")
			}
			if calls == 2 {
				panic("canary")
			}
			return nil
		}
		w, _ := o.worker(t, "w1", g.keeper("w1", nil))
		pass(10 * time.Second)
		shown := map[string]bool{}
		g.mu.Lock()
		for _, open := range g.kept {
			if len(open) > keepPage {
				t.Errorf("a call with %d incidents, want %d at most", len(open), keepPage)
			}
			for _, d := range open {
				shown[d.Event.Check.ID] = true
			}
		}
		g.mu.Unlock()
		if len(shown) != 1234 || m.get("pager keep failed") != 1000 || m.get("pager keep kept") != 234 {
			t.Errorf("%d shown, %d failed, %d kept, want 1234, 1000, 234", len(shown), m.get("pager keep failed"), m.get("pager keep kept"))
		}
		w.stop()
	})
}

// TestKeepNeverReopens: an incident that is shown as open is not resolved at
// the target before, whatever takes how long.
func TestKeepNeverReopens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		open := map[string]bool{} // at the target; guarded by g.mu
		g.answers(func(d check.Delivery) (string, error) {
			<-time.After(500 * time.Millisecond)
			g.mu.Lock()
			open[d.Event.Incident.ID] = d.Event.Change != check.ChangeResolve
			g.mu.Unlock()
			return "", nil
		})
		g.keep = func(list []check.Delivery) error {
			<-time.After(4 * time.Second)
			g.mu.Lock()
			defer g.mu.Unlock()
			for _, d := range list {
				open[d.Event.Incident.ID] = true
			}
			return nil
		}
		w, _ := o.worker(t, "w1", g.keeper("w1", nil))
		pass(2 * time.Second)
		const together = 5
		var list []*incident
		for n := range 200 {
			list = append(list, o.incident(lane, fmt.Sprintf("c%d", n%(together+2)), n))
			list[n].post(check.ChangeOpen, check.StateCrit)
			pass(time.Duration(n*3700%9000) * time.Millisecond)
			if n >= together {
				list[n-together].post(check.ChangeResolve, check.StateOK)
			}
			pass(time.Duration(n*5300%3000) * time.Millisecond)
		}
		for _, i := range list[len(list)-together:] {
			i.post(check.ChangeResolve, check.StateOK)
		}
		pass(time.Minute)
		g.mu.Lock()
		for id, is := range open {
			if is {
				t.Errorf("%s is open at the target, and resolved", id)
			}
		}
		if len(g.kept) < 20 {
			t.Errorf("%d rounds only", len(g.kept))
		}
		g.mu.Unlock()
		w.stop()
	})
}

// TestMutatedLabelsAreKept: a Keeper sees the labels that the changes had.
func TestMutatedLabelsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, q, _ := runWith(t, specOf("a", "measures", `,"labels":{"site":"fra"}`), time.Second, HandlerInstance{Name: "m", Default: true, Handler: mutator{
			mutate: func(_ context.Context, ev *check.Event) error {
				ev.Check.Labels["rack"], ev.Text = "7", "told"
				return nil
			},
		}})
		_, sent, done := q.result(t, "a")
		ev := openEvent(lane, "a", check.Stored{ID: "a", Last: done.Last}, sent.Incident)
		if ev == nil || ev.Check.Labels["rack"] != "7" || ev.Check.Labels["site"] != "fra" || ev.Text != "as measured" {
			t.Errorf("event of the last record = %+v, want the labels of the change", ev)
		}
		var last check.Last
		if err := json.Unmarshal([]byte(done.Last), &last); err != nil || last.Text != "as measured" {
			t.Errorf("last = %+v, %v, want what was measured", last, err)
		}
	})
}
