package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// pass makes a whole repair pass over a lane and gives what it found.
func (r *rig) pass(lane check.Lane) []string {
	r.t.Helper()
	r.repaired = nil
	p := &pass{lane: lane, t: r.s.trouble("repair"), count: pageSize}
	for range 1000 {
		r.must(r.s.repairPage(r.t.Context(), p))
		if !p.after.IsZero() {
			slices.Sort(r.repaired)
			return r.repaired
		}
	}
	r.t.Fatal("the pass does not end")
	return nil
}

// wantPass compares what a pass over the default lane found, and that the next
// one finds nothing.
func (r *rig) wantPass(want ...string) {
	r.t.Helper()
	if got := r.pass(lane0); !slices.Equal(got, want) {
		r.t.Errorf("pass found %q, want %q", got, want)
	}
	if again := r.pass(lane0); len(again) > 0 {
		r.t.Errorf("the next pass found %q, want nothing", again)
	}
}

func spec(id, more string) string {
	return fmt.Sprintf(`{"id":%q,"command":"probe","every":"1h","params":{"host":"h"}%s}`, id, more)
}

// hand writes a spec as a person does.
func (r *rig) hand(lane check.Lane, id, text string) {
	r.t.Helper()
	r.must(r.client.HSet(r.t.Context(), r.KeySpecs(lane), id, text).Err())
}

func TestSpecsByHand(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.wantPass()
		before := r.now()
		r.hand(lane0, "new", spec("new", ""))
		r.hand(lane0, "quiet", spec("quiet", `,"paused":true`))
		r.hand(lane0, "broken", `{"id":`)
		r.hand(lane0, "other", spec("another", ""))
		r.hand(lane0, "prams", spec("prams", `,"parms":{}`))
		r.hand(lane0, "unknown", `{"id":"unknown","command":"nobodys","every":"1h"}`)
		r.hand(lane0, "panics", `{"id":"panics","command":"probe","every":"1h","params":{"host":"panic"}}`)
		r.hand(lane0, "no\xffutf8", "\xff\xfe")
		r.wantPass("new/hand", "quiet/hand")
		if p := r.place("new"); p.Due < before || p.Due > r.now() {
			t.Errorf("a new spec by hand: %+v, want it due now", p)
		}
		if p := r.place("quiet"); p.Due != 0 || !p.Record.Paused {
			t.Errorf("a paused spec by hand: %+v", p)
		}
		got := map[string]string{}
		for _, v := range r.verdicts() {
			if got[v.ID] != "" || v.Entry != "" || v.Zone != "default" {
				t.Errorf("verdict %+v, want one for each text", v)
			}
			got[v.ID] = v.Verdict
		}
		want := map[string]string{
			"new": accepted, "quiet": accepted, "broken": rejected, "other": rejected, "prams": rejected,
			"unknown": rejected, "panics": rejected, "no\uFFFDutf8": rejected,
		}
		for id, verdict := range want {
			if got[id] != verdict {
				t.Errorf("verdict on %s = %q, want %s", id, got[id], verdict)
			}
		}

		// Another text is another verdict.
		n := len(r.verdicts())
		r.hand(lane0, "broken", spec("broken", ""))
		r.hand(lane0, "new", spec("new", `,"attempts":3`))
		r.wantPass("broken/hand", "new/hand")
		if len(r.verdicts()) != n+2 || r.place("broken").Due == 0 {
			t.Errorf("the mended text: %+v", r.place("broken"))
		}
		// A request beats the hand.
		r.want(accepted, set("new", "2h")...)
		// And a text taken away stops the check.
		r.must(r.client.HDel(t.Context(), r.KeySpecs(lane0), "new").Err())
		r.wantPass("new/vanished")
		if p := r.place("new"); p.Due != 0 || p.Record.State != "removed" {
			t.Errorf("its spec is gone: %+v", p)
		}
		// Beside the tombstone it is a new check.
		r.hand(lane0, "new", spec("new", ""))
		r.wantPass("new/hand")
	})
}

// A hand edit of a check that ran keeps it on its grid.
func TestHandEditDoesNotRunAtOnce(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.want(accepted, set("a", "1h")...)
		r.complete(r.lease("w")[0], check.Last{}, r.now()+1000)
		now := time.UnixMilli(r.now())
		r.hand(lane0, "a", spec("a", `,"attempts":2`))
		r.wantPass("a/hand")
		c, err := check.Parse([]byte(spec("a", "")))
		r.must(err)
		if due, first := r.place("a").Due, check.First(c, now, true).UnixMilli(); due < first {
			t.Errorf("due at %d, want the next slot %d", due, first)
		}
	})
}

func TestSpecInTheWrongLaneIsMovedHome(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.client.HSet(ctx, r.KeyZones(), "eu", "1 4", "default", "1 1").Err())
		home := check.Lane{Zone: "eu", Part: check.Partition("a", 4)}
		b := "b1"
		for check.Partition(b, 4) == 0 {
			b += "x"
		}
		eu0, homeB := check.Lane{Zone: "eu"}, check.Lane{Zone: "eu", Part: check.Partition(b, 4)}
		r.hand(lane0, "a", spec("a", `,"zone":"eu"`))
		r.hand(eu0, b, spec(b, ""))
		r.wantPass("a/moved")
		if got := r.pass(eu0); !slices.Contains(got, b+"/moved") {
			t.Errorf("pass found %q, want %s/moved", got, b)
		}
		for id, lane := range map[string]check.Lane{"a": home, b: homeB} {
			p, err := r.Places(ctx, lane, []string{id})
			r.must(err)
			if !strings.Contains(p[0].Spec, `"zone":"eu"`) || p[0].Due == 0 {
				t.Errorf("%s in %s: %+v, want it adopted", id, lane, p[0])
			}
		}
		if r.place("a").Spec != "" {
			t.Error("the text stayed in the wrong lane")
		}
		// One that another spec is at home for is not written over it.
		r.hand(lane0, "a", spec("a", `,"zone":"eu","attempts":9`))
		r.wantPass()
		vs := r.verdicts()
		if v := vs[len(vs)-1]; v.Verdict != rejected || !strings.Contains(v.Reason, home.String()) {
			t.Errorf("verdict = %+v", v)
		}
	})
}

// Each of these is harm from outside; a pass mends it, the next finds nothing.
func TestRepairs(t *testing.T) {
	type harm struct {
		name string
		do   func(r *rig)
		want []string
	}
	ctx := t.Context()
	harms := []harm{
		{"due lost", func(r *rig) { r.client.Del(ctx, r.KeyDue(lane0)) }, []string{"a/lost", "b/lost"}},
		{"due far", func(r *rig) { r.client.ZAdd(ctx, r.KeyDue(lane0), redis.Z{Score: 1e300, Member: "a"}) }, []string{"a/far"}},
		{"record lost", func(r *rig) { r.client.HDel(ctx, r.KeyRuns(lane0), "a") }, []string{"a/hand"}},
		{"record junk", func(r *rig) { r.client.HSet(ctx, r.KeyRuns(lane0), "a", "junk") }, []string{"a/bad_record", "a/hand"}},
		{"runs lost", func(r *rig) { r.client.Del(ctx, r.KeyRuns(lane0)) }, []string{"a/hand", "b/hand", "p/hand"}},
		{"paused is due", func(r *rig) { r.client.ZAdd(ctx, r.KeyDue(lane0), redis.Z{Score: 1e12, Member: "p"}) }, []string{"p/paused_due"}},
		{"due without spec", func(r *rig) { r.client.ZAdd(ctx, r.KeyDue(lane0), redis.Z{Score: 1e15, Member: "x"}) }, []string{"x/stray"}},
		{"entry lost", func(r *rig) {
			r.client.ZAdd(ctx, r.KeyDue(lane0), redis.Z{Score: 1, Member: "a"})
			if _, err := r.Dispatch(ctx, lane0, 1); err != nil {
				r.t.Fatal(err)
			}
			r.client.Del(ctx, r.KeyReady(lane0))
		}, []string{"a/lost_entry"}},
	}
	for _, h := range harms {
		t.Run(h.name, func(t *testing.T) {
			eachRig(t, func(t *testing.T, r *rig) {
				for _, id := range []string{"a", "b", "p"} {
					r.want(accepted, append(set(id, "1h"), "first", "spread")...)
				}
				r.want(accepted, "op pause id p")
				r.wantPass()
				h.do(r)
				if got := r.pass(lane0); !slices.Equal(got, h.want) {
					t.Errorf("pass found %q, want %q", got, h.want)
				}
				if again := r.pass(lane0); len(again) > 0 {
					t.Errorf("a later pass found %q", again)
				}
				now := r.now()
				for _, id := range []string{"a", "b"} {
					if p := r.place(id); p.Spec == "" || p.Due < now-60_000 || p.Due > now+2*3_600_000 || p.Record.State != "waiting" {
						t.Errorf("%s = %+v, want it waiting within two intervals", id, p)
					}
				}
				if p := r.place("p"); p.Due != 0 || !p.Record.Paused {
					t.Errorf("p = %+v, want it paused", p)
				}
			})
		})
	}
}

func TestOneShotIsRemovedWhenDone(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		at := time.UnixMilli(r.now() - 1000).UTC().Format(time.RFC3339Nano)
		r.want(accepted, "id", "once", "command", "probe", "params.host", "h", "at", at)
		r.wantPass()
		l := r.lease("w")
		if len(l) != 1 {
			t.Fatal("a one-shot in the past was not due")
		}
		r.wantPass()
		r.complete(l[0], check.Last{}, 0)
		r.wantPass()
		if p := r.place("once"); p.Spec != "" || p.Due != 0 {
			t.Errorf("once = %+v, want it removed", p)
		}
	})
}

// One that ended in trouble stays for a while: its incident is to be heard of.
func TestOneShotInTroubleStays(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		at := time.UnixMilli(r.now() - 1000).UTC().Format(time.RFC3339Nano)
		for _, id := range []string{"fresh", "old", "gone"} {
			r.want(accepted, "id", id, "command", "probe", "params.host", "h", "at", at)
		}
		r.wantPass()
		for _, l := range r.lease("w") {
			inc := &check.Incident{ID: check.IncidentID("default", l.ID, l.Planned), To: check.StateCrit, Opened: l.Planned}
			last := check.Last{Result: check.Result{State: check.StateCrit}, Planned: l.Planned, Finished: r.now(), Incident: inc}
			if l.ID == "old" {
				last.Finished -= 2 * time.Hour.Milliseconds()
			}
			r.complete(l, last, 0)
		}
		r.must(r.client.HDel(t.Context(), r.KeySpecs(lane0), "gone").Err())
		r.wantPass()
		r.wantPass()
		for id, want := range map[string]bool{"fresh": true, "old": false, "gone": false} {
			if p := r.place(id); (p.Last != "") != want {
				t.Errorf("%s = %+v, want it there: %v", id, p, want)
			}
		}
		if got := kindsOf(r.changes(3)); got != "resolve resolve" {
			t.Errorf("changes %q, want those of the two that are gone", got)
		}
	})
}

func TestOldWorkersAndIncidentsAreDropped(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		now := r.now()
		week := incidentMemory.Milliseconds()
		beat := func(at int64) string { return fmt.Sprintf(`{"at":%d,"every":10000}`, at) }
		r.must(r.client.HSet(ctx, r.KeyWorkers(), "old", beat(now-3_700_000), "new", beat(now)).Err())
		r.must(r.client.HSet(ctx, r.KeyIncidents(lane0),
			"default/a/1", fmt.Sprintf(`{"id":"default/a/1","resolved":%d}`, now-week-1000), "default/a/1/ack", "{}", "default/a/1/pager", "x",
			"default/a/2", fmt.Sprintf(`{"id":"default/a/2","resolved":%d}`, now-1000),
			"default/a/3", `{"id":"default/a/3","opened":1}`).Err())
		r.s.cleanWorkers(ctx)
		r.pass(lane0)
		workers, err := r.client.HKeys(ctx, r.KeyWorkers()).Result()
		r.must(err)
		incidents, err := r.client.HKeys(ctx, r.KeyIncidents(lane0)).Result()
		r.must(err)
		slices.Sort(incidents)
		if !slices.Equal(workers, []string{"new"}) || !slices.Equal(incidents, []string{"default/a/2", "default/a/3"}) {
			t.Errorf("workers %q, incidents %q stay", workers, incidents)
		}
	})
}
