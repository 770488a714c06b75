package scheduler

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	accepted  = check.VerdictAccepted
	rejected  = check.VerdictRejected
	unchanged = check.VerdictUnchanged
)

func TestVerdicts(t *testing.T) {
	big := strings.Repeat("x", 200<<10)
	tests := []struct {
		name  string
		words []string
		want  string
		// reason must be part of the verdict's.
		reason string
	}{
		{"flat set", []string{"id", "a", "command", "probe", "every", "30s", "params.host", "h"}, accepted, "no worker serves zone default"},
		{"whole set", []string{"spec", `{"id":"b","command":"probe","every":"30s","params":{"host":"h"}}`}, accepted, ""},
		{"first spread", []string{"first", "spread", "spec", `{"id":"b2","command":"probe","every":"30s","params":{"host":"h"}}`}, accepted, ""},
		{"other zone", []string{"id", "a", "zone", "eu", "command", "probe", "every", "30s", "params.host", "h"}, accepted, "no worker serves zone eu"},
		{"announced command", []string{"id", "c", "command", "custom", "every", "30s", "zone", "lab", "params.any", "x"}, accepted, ""},
		{"announced an hour ago", []string{"id", "c", "command", "ancient", "every", "30s", "zone", "lab"}, rejected, "ancient"},
		{"announced elsewhere", []string{"id", "c", "command", "custom", "every", "30s"}, rejected, "known: probe"},
		{"handler that is offered", []string{"id", "d", "command", "custom", "every", "30s", "zone", "lab", "handlers", "pager"}, accepted, ""},
		{"handler of nobody", []string{"id", "e", "command", "custom", "every", "30s", "zone", "lab", "handlers", "pagr,pager"}, accepted, "offers handler pagr"},
		{"nothing", []string{"x", "y"}, rejected, "unknown field"},
		{"typo in command", []string{"id", "f", "command", "prob", "every", "30s"}, rejected, "did you mean probe?"},
		{"typo in params", []string{"id", "f", "command", "probe", "every", "30s", "params.hots", "h"}, rejected, "params.host"},
		{"missing param", []string{"id", "f", "command", "probe", "every", "30s"}, rejected, "host: is missing"},
		{"validator panics", []string{"id", "f", "command", "probe", "every", "30s", "params.host", "panic"}, rejected, "panicked"},
		{"typo in op", []string{"op", "delte", "id", "a"}, rejected, "did you mean delete?"},
		{"no schedule", []string{"id", "f", "command", "probe", "params.host", "h"}, rejected, "exactly one of every, cron, at"},
		{"broken spec", []string{"spec", `{"id":`}, rejected, ""},
		{"bad id", []string{"id", "a b", "command", "probe", "every", "30s"}, rejected, "id"},
		{"bad zone", []string{"id", "a", "zone", "EU!", "command", "probe", "every", "30s"}, rejected, "zone"},
		{"no utf-8", []string{"id", "a\xff\xfe", "command", "\xc3\x28"}, rejected, "UTF-8"},
		{"control characters", []string{"id", "a", "command", "pr\x00obe"}, rejected, "control"},
		{"giant", []string{"id", "a", "command", "probe", "params.host", big}, rejected, "bytes"},
		{"giant name", []string{big, "a"}, rejected, ""},
		{"empty names", []string{"", "", "id", ""}, rejected, ""},
		{"doubled field", []string{"op", "delete", "op", "run", "id", "none"}, rejected, "no check none"},
		{"delete of nothing", []string{"op", "delete", "id", "none"}, rejected, "no check none in zone default"},
		{"pause of nothing", []string{"op", "pause", "id", "none"}, rejected, "no check"},
		{"resume of nothing", []string{"op", "resume", "id", "none"}, rejected, "no check"},
		{"run of nothing", []string{"op", "run", "id", "none"}, rejected, "no check"},
		{"ack of nothing", []string{"op", "ack", "id", "none"}, rejected, "there is no check none in zone default"},
		{"ack of no incident", []string{"op", "ack", "incident", "default/none/17"}, rejected, "no incident default/none/17"},
		{"unknown zone", []string{"op", "run", "id", "a", "zone", "nowhere"}, rejected, "in zone nowhere"},
		{"good after bad", []string{"id", "z", "command", "probe", "every", "30s", "params.host", "h"}, accepted, ""},
	}
	eachRig(t, func(t *testing.T, r *rig) {
		hour := time.Hour.Milliseconds()
		for name, hb := range map[string]check.Heartbeat{
			"w1": {Zones: []string{"lab"}, Commands: []string{"custom"}, Handlers: []string{"pager"}, At: r.now(), Every: 10_000},
			"w2": {Zones: []string{"lab"}, Commands: []string{"ancient"}, At: r.now() - hour - 1000, Every: 10_000},
		} {
			text, err := json.Marshal(hb)
			r.must(err)
			r.must(r.client.HSet(t.Context(), r.KeyWorkers(), name, text).Err())
		}
		var entries []string
		for _, tt := range tests {
			entries = append(entries, r.request(tt.words...))
		}
		r.takeIn()
		r.quiet()
		got := r.verdicts()
		if len(got) != len(tests) {
			t.Fatalf("%d verdicts, want %d", len(got), len(tests))
		}
		for i, tt := range tests {
			v := got[i]
			if v.Entry != entries[i] || v.Verdict != tt.want || !strings.Contains(v.Reason, tt.reason) {
				t.Errorf("%s: verdict %s on %s, reason %q; want %s on %s with %q", tt.name, v.Verdict, v.Entry, v.Reason, tt.want, entries[i], tt.reason)
			}
			if len(v.Reason) > maxReason || len(v.ID) > maxWord {
				t.Errorf("%s: verdict has %d and %d bytes", tt.name, len(v.Reason), len(v.ID))
			}
		}
	})
}

func TestRequestsTooOldAndDeleted(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		old := fmt.Sprintf("%d-0", r.now()-tooOld.Milliseconds()-1000)
		_, err := r.client.Do(ctx, "XADD", r.KeyIntake(), old, "id", "a", "command", "probe", "every", "30s", "params.host", "h").Result()
		r.must(err)
		gone := r.request("op run id gone")
		r.request("op delete id none")
		// Delivered to a scheduler that died, and deleted since.
		_, err = r.IntakeNew(ctx, 10, 0)
		r.must(err)
		r.must(r.client.XDel(ctx, r.KeyIntake(), gone).Err())
		r.takeIn()
		r.quiet()
		got := map[string]check.Verdict{}
		for _, v := range r.verdicts() {
			got[v.Entry] = v
		}
		if v := got[old]; v.Verdict != rejected || !strings.HasPrefix(v.Reason, "TOO_OLD") {
			t.Errorf("old request: %+v, want TOO_OLD", v)
		}
		if r.place("a").Spec != "" {
			t.Error("an old request was applied")
		}
	})
}

func set(id, every string) []string {
	return []string{"id", id, "command", "probe", "params.host", "h", "every", every}
}

func TestSetKeepsOrMovesTheDueTime(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		before := r.now()
		r.want(accepted, set("a", "1h")...)
		if due := r.place("a").Due; due < before || due > r.now() {
			t.Errorf("a new check is due at %d, want now, %d to %d", due, before, r.now())
		}
		r.want(accepted, append(set("spread", "1h"), "first", "spread")...)
		grid := func(now int64) int64 {
			return check.First(&check.Check{ID: "spread", Command: "probe", Every: check.Duration(time.Hour)}, time.UnixMilli(now), true).UnixMilli()
		}
		// A slot may have passed meanwhile.
		if due, first, last := r.place("spread").Due, grid(before), grid(r.now()); due != first && due != last {
			t.Errorf("with first spread it is due at %d, want %d or %d", due, first, last)
		}

		l := r.lease("w")
		if len(l) != 1 || r.complete(l[0], check.Last{}, before+1_800_000) != check.OutcomeDone {
			t.Fatalf("leases = %+v", l)
		}
		kept := r.place("a").Due
		r.want(unchanged, set("a", "1h")...)
		r.want(unchanged, "spec", `{"every":"60m", "zone":"default","command":"probe","params":{"host":"h"},"id":"a","attempts":1}`)
		r.want(accepted, append(set("a", "1h"), "labels.x", "y")...)
		if due := r.place("a").Due; due != kept {
			t.Errorf("a set that keeps the schedule moved the check from %d to %d", kept, due)
		}
		now := time.UnixMilli(r.now())
		r.want(accepted, set("a", "7s")...)
		first := check.First(&check.Check{ID: "a", Command: "probe", Every: check.Duration(7 * time.Second)}, now, true)
		if due := r.place("a").Due; due < first.UnixMilli() || due > first.UnixMilli()+7000 {
			t.Errorf("after a change of schedule it is due at %d, want the first slot %d", due, first.UnixMilli())
		}
	})
}

func TestPauseRunResumeDelete(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.want(accepted, set("a", "1h")...)
		r.want(accepted, "op pause id a")
		if p := r.place("a"); p.Due != 0 || !p.Record.Paused || !strings.Contains(p.Spec, `"paused":true`) {
			t.Errorf("paused: %+v", p)
		}
		r.want(unchanged, "op pause id a")
		if v := r.want(rejected, "op run id a"); !strings.Contains(v.Reason, "paused") {
			t.Errorf("run on a paused check: %q", v.Reason)
		}
		now := r.now()
		r.want(accepted, "op resume id a")
		if p := r.place("a"); p.Due <= now || p.Record.Paused || strings.Contains(p.Spec, "paused") {
			t.Errorf("resumed: %+v, want it due at its next slot", p)
		}
		r.want(unchanged, "op resume id a")
		r.want(accepted, "op run id a")
		if p := r.place("a"); p.Due > r.now() {
			t.Errorf("ordered to run: %+v, want it due now", p)
		}
		r.want(accepted, "op delete id a")
		if p := r.place("a"); p.Spec != "" || p.Due != 0 || p.Record.State != "removed" {
			t.Errorf("deleted: %+v", p)
		}
		r.want(rejected, "op run id a")
		r.want(accepted, set("a", "1h")...)
		if p := r.place("a"); p.Due == 0 {
			t.Errorf("set anew: %+v", p)
		}
	})
}

// All of it in one batch: what belongs to one check keeps its order.
func TestOrderInsideABatch(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		var entries []string
		for i := range 10 {
			id := fmt.Sprintf("c%d", i)
			entries = append(entries, r.request(set(id, "1h")...), r.request("op pause id "+id),
				r.request("op delete id "+id), r.request(set(id, "2h")...), r.request("op run id "+id))
		}
		r.takeIn()
		r.quiet()
		for i, v := range r.verdicts() {
			if v.Verdict != accepted || v.Entry != entries[i] {
				t.Errorf("verdict %d = %+v", i, v)
			}
		}
		for i := range 10 {
			if p := r.place(fmt.Sprintf("c%d", i)); !strings.Contains(p.Spec, `"2h"`) || p.Record.State != "waiting" {
				t.Errorf("c%d = %+v", i, p)
			}
		}
	})
}

func TestIncidentOfARemovedCheckIsResolved(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.want(accepted, append(set("a", "1h"), "labels.site", "fra")...)
		l := r.lease("w")[0]
		inc := &check.Incident{ID: check.IncidentID("default", "a", l.Planned), To: check.StateCrit, Reason: "X", Opened: l.Planned}
		last := check.Last{Result: check.Result{State: check.StateCrit, Reason: "X"}, Planned: l.Planned, Incident: inc}
		r.complete(l, last, r.now()+3_600_000)

		r.want(accepted, "op", "ack", "id", "a", "by", "ann", "comment", "on it")
		ack, err := r.client.HGet(ctx, r.KeyIncidents(lane0), inc.ID+"/ack").Result()
		r.must(err)
		if !strings.Contains(ack, `"by":"ann"`) || !strings.Contains(ack, `"comment":"on it"`) {
			t.Errorf("ack = %s", ack)
		}
		r.want(accepted, "op", "ack", "incident", inc.ID, "by", "bob")
		r.want(accepted, "op delete id a")
		text, _, err := r.Incident(ctx, lane0, inc.ID)
		r.must(err)
		var got check.Incident
		r.must(json.Unmarshal([]byte(text), &got))
		if got.Resolved == 0 || got.Reason != check.ReasonCheckRemoved {
			t.Errorf("incident of the removed check = %+v", got)
		}
		if v := r.want(rejected, "op", "ack", "incident", inc.ID); !strings.Contains(v.Reason, "resolved") {
			t.Errorf("ack after the resolve: %q", v.Reason)
		}
		changes, err := r.client.XRange(ctx, r.KeyChanges(lane0), "-", "+").Result()
		r.must(err)
		var kinds []string
		for _, m := range changes[1:] {
			var ev check.Event
			text, _ := m.Values["event"].(string)
			r.must(json.Unmarshal([]byte(text), &ev))
			kinds = append(kinds, string(ev.Change))
			if ev.Check.ID != "a" || ev.Check.Labels["site"] != "fra" || ev.Incident == nil || ev.Incident.ID != inc.ID {
				t.Errorf("event = %s", text)
			}
		}
		if got := strings.Join(kinds, " "); got != "ack ack resolve" {
			t.Errorf("changes = %s, want ack ack resolve", got)
		}
	})
}

// A key of the wrong type is named, and what does not need it goes on.
func TestWrongTypeStopsNothingElse(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		for part, key := range []string{r.KeySpecs(check.Lane{Zone: "eu"}), r.KeyDue(check.Lane{Zone: "us"}), r.KeyLast(check.Lane{Zone: "af"})} {
			zone := []string{"eu", "us", "af"}[part]
			r.must(r.client.Set(ctx, key, "junk", 0).Err())
			if v := r.want(rejected, append(set("a", "1h"), "zone", zone)...); !strings.Contains(v.Reason, key) {
				t.Errorf("verdict = %+v, want %s named", v, key)
			}
		}
		r.must(r.client.HSet(ctx, r.KeyZones(), "lab", "junk").Err())
		r.want(accepted, append(set("a", "1h"), "zone", "lab")...)
		if zones, err := r.Zones(ctx); err != nil || zones["lab"].Partitions != 1 {
			t.Errorf("zones = %v, %v, want lab mended", zones, err)
		}
		r.want(accepted, set("a", "1h")...)

		r.must(r.client.Set(ctx, r.KeyWorkers(), "junk", 0).Err())
		r.s.crew = crew{}
		r.want(accepted, set("b", "1h")...)
		if v := r.want(accepted, "id", "c", "command", "custom", "every", "1h"); !strings.Contains(v.Reason, r.KeyWorkers()) {
			t.Errorf("verdict = %+v, want %s named", v, r.KeyWorkers())
		}

		r.must(r.client.Del(ctx, r.KeyIntakeLog()).Err())
		r.must(r.client.Set(ctx, r.KeyIntakeLog(), "junk", 0).Err())
		r.request(set("d", "1h")...)
		r.takeIn()
		r.quiet()
		if r.place("d").Spec == "" {
			t.Error("without a log no request was applied")
		}
	})
}
