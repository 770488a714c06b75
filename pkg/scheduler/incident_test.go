package scheduler

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// trouble makes a check with an open incident and gives that.
func (r *rig) trouble(id string) *check.Incident {
	r.t.Helper()
	r.want(accepted, append(set(id, "1h"), "labels.site", "fra")...)
	l := r.lease("w")[0]
	inc := &check.Incident{ID: check.IncidentID("default", id, l.Planned), To: check.StateCrit, Reason: "X", Opened: l.Planned}
	last := check.Last{Result: check.Result{State: check.StateCrit, Reason: "X"}, Planned: l.Planned, Incident: inc}
	if out := r.complete(l, last, r.now()+3_600_000); out != check.OutcomeDone {
		r.t.Fatalf("complete = %v", out)
	}
	return inc
}

// changes reads the events in `changes` behind the first n.
func (r *rig) changes(n int) []check.Event {
	r.t.Helper()
	found, err := r.client.XRange(r.t.Context(), r.KeyChanges(lane0), "-", "+").Result()
	r.must(err)
	var out []check.Event
	for _, m := range found[min(n, len(found)):] {
		var ev check.Event
		text, _ := m.Values["event"].(string)
		r.must(json.Unmarshal([]byte(text), &ev))
		out = append(out, ev)
	}
	return out
}

// kindsOf lists what changes did.
func kindsOf(list []check.Event) string {
	var kinds []string
	for _, ev := range list {
		kinds = append(kinds, string(ev.Change))
	}
	return strings.Join(kinds, " ")
}

// ackOf reads what stands beside an incident.
func (r *rig) ackOf(id string) (ack check.Ack) {
	r.t.Helper()
	_, text, err := r.Incident(r.t.Context(), lane0, id)
	r.must(err)
	if text != "" {
		r.must(json.Unmarshal([]byte(text), &ack))
	}
	return ack
}

func TestAckWithAnEnd(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		inc := r.trouble("a")
		v := r.want(accepted, "op", "ack", "id", "a", "by", "ann", "for", "2h")
		ack := r.ackOf(inc.ID)
		if got := ack.Until.UnixMilli() - entryMS(v.Entry); got != 7_200_000 {
			t.Errorf("until is %d ms after the request, want two hours", got)
		}
		if v := r.want(rejected, "op", "ack", "id", "a", "until", "2020-01-01T00:00:00Z"); !strings.Contains(v.Reason, "past") {
			t.Errorf("an end in the past: %q", v.Reason)
		}
		r.must(r.s.EndIncidents(t.Context(), lane0))
		if got := kindsOf(r.changes(1)); got != "ack" {
			t.Errorf("changes before the end = %s, want ack", got)
		}

		// It ends, and that is told once, however often it is looked at.
		ack.Until = time.UnixMilli(r.now() - 1000).UTC()
		text, err := json.Marshal(ack)
		r.must(err)
		r.must(r.client.HSet(t.Context(), r.KeyIncidents(lane0), inc.ID+"/ack", text).Err())
		for range 3 {
			r.must(r.s.EndIncidents(t.Context(), lane0))
			r.must(r.s.RepairOnce(t.Context(), lane0))
		}
		events := r.changes(1)
		if got := kindsOf(events); got != "ack update" {
			t.Fatalf("changes after the end = %s, want ack update", got)
		}
		if ev := events[1]; ev.Incident.ID != inc.ID || ev.Planned != ack.Until.UnixMilli() || ev.Check.Labels["site"] != "fra" {
			t.Errorf("event of the end = %+v", ev)
		}
		if after := r.ackOf(inc.ID); !after.Ended || after.By != "ann" || after.Holds(r.now()) {
			t.Errorf("ack after its end = %+v", after)
		}
		r.want(accepted, "op", "ack", "id", "a", "by", "bob")
		if after := r.ackOf(inc.ID); after.By != "bob" || after.Ended || !after.Holds(r.now()) {
			t.Errorf("acknowledged anew = %+v", after)
		}
		if len(r.repaired) > 0 {
			t.Errorf("repaired %v, want nothing wrong", r.repaired)
		}
	})
}

func TestUnack(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		inc := r.trouble("a")
		if v := r.want(rejected, "op unack id a"); !strings.Contains(v.Reason, "not acknowledged") {
			t.Errorf("unack of none: %q", v.Reason)
		}
		first := r.want(accepted, "op", "ack", "id", "a", "by", "ann")
		r.want(accepted, "op", "unack", "incident", inc.ID, "by", "bob", "comment", "not mine")
		if ack := r.ackOf(inc.ID); !ack.Removed || ack.By != "bob" || ack.Holds(r.now()) {
			t.Errorf("taken back = %+v", ack)
		}
		r.want(rejected, "op unack id a")
		for r.now() <= entryMS(first.Entry) { // two acknowledgements are told apart by their time, in ms
		}
		r.want(accepted, "op", "ack", "id", "a", "by", "eve")
		events := r.changes(1)
		if got := kindsOf(events); got != "ack update ack" {
			t.Errorf("changes = %s, want ack update ack", got)
		}
		seen := map[string]bool{}
		for _, ev := range events {
			seen[fmt.Sprint(ev.Incident.ID, ev.Change, ev.Planned)] = true
		}
		if len(seen) != 3 {
			t.Errorf("events are told apart as %v, want three", seen)
		}
	})
}

// A scheduler that comes late changes no acknowledgement that is newer.
func TestLateAckIsOlder(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		inc := r.trouble("a")
		r.request("op", "ack", "id", "a", "by", "ann")
		late, err := r.IntakeNew(ctx, 10, 0)
		r.must(err)
		r.st = newState() // another one, that finds it pending
		r.takeIn()
		r.want(accepted, "op", "ack", "id", "a", "by", "bob")
		r.want(accepted, "op", "unack", "id", "a")
		slow := r.scheduler(r.Queue)
		slow.held.Store(time.Now().Add(time.Hour).UnixNano())
		for range 2 {
			if _, err := slow.apply(ctx, late, false); err != nil {
				t.Fatal(err)
			}
		}
		if ack := r.ackOf(inc.ID); !ack.Removed {
			t.Errorf("ack = %+v, want it taken back", ack)
		}
		if got := kindsOf(r.changes(1)); got != "ack ack update" {
			t.Errorf("changes = %s, want ack ack update", got)
		}
	})
}

// When `last` is lost, an incident that was open is resolved, once, and a check
// that runs meanwhile is waited for.
func TestLostLastResolvesItsIncident(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		inc, kept := r.trouble("a"), r.trouble("b")
		r.must(r.s.RepairOnce(ctx, lane0))
		if got := r.changes(2); len(got) > 0 {
			t.Fatalf("nothing is wrong, but %s", kindsOf(got))
		}
		// The check runs while its record goes: its worker knows the incident.
		r.want(accepted, "op run id a")
		l := r.lease("w")[0]
		r.must(r.client.HDel(ctx, r.KeyLast(lane0), "a").Err())
		r.must(r.s.RepairOnce(ctx, lane0))
		if got := r.changes(2); len(got) > 0 {
			t.Fatalf("while the check runs: %s", kindsOf(got))
		}
		fresh := &check.Incident{ID: check.IncidentID("default", "a", l.Planned), To: check.StateCrit, Opened: l.Planned}
		r.complete(l, check.Last{Result: check.Result{State: check.StateCrit}, Planned: l.Planned, Incident: fresh}, r.now()+3_600_000)
		for range 3 {
			r.must(r.s.RepairOnce(ctx, lane0))
		}
		events := r.changes(3)
		if len(events) != 1 || events[0].Change != check.ChangeResolve || events[0].Incident.ID != inc.ID || events[0].Incident.Reason != check.ReasonIncidentLost {
			t.Fatalf("changes = %+v, want one resolve of %s", events, inc.ID)
		}
		for id, open := range map[string]bool{inc.ID: false, fresh.ID: true, kept.ID: true} {
			text, _, err := r.Incident(ctx, lane0, id)
			r.must(err)
			var got check.Incident
			r.must(json.Unmarshal([]byte(text), &got))
			if (got.Resolved == 0) != open {
				t.Errorf("incident %s = %s, want open: %v", id, text, open)
			}
		}
		if got := strings.Join(r.repaired, " "); got != "a/"+check.FindingIncident {
			t.Errorf("repaired %s, want a/%s", got, check.FindingIncident)
		}
	})
}

// An incident in a lane that is not its check's is left alone.
func TestIncidentOfAnotherLaneIsLeftAlone(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.client.HSet(ctx, r.KeyZones(), "default", "2 4").Err())
		for i := range 8 {
			id := fmt.Sprintf("default/c%d/5", i)
			r.must(r.client.HSet(ctx, r.KeyIncidents(lane0), id, fmt.Sprintf(`{"id":%q,"opened":5}`, id)).Err())
		}
		r.must(r.s.EndIncidents(ctx, lane0))
		for i := range 8 {
			name := fmt.Sprintf("c%d", i)
			text, _, err := r.Incident(ctx, lane0, "default/"+name+"/5")
			r.must(err)
			if resolved := strings.Contains(text, check.ReasonIncidentLost); resolved != (check.Partition(name, 4) == 0) {
				t.Errorf("incident of %s, partition %d: %s", name, check.Partition(name, 4), text)
			}
		}
	})
}
