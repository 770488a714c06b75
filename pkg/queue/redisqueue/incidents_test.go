package redisqueue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestAck(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.client.HSet(ctx, r.KeyIncidents(lane), "default/a/1", "{}").Err())
		kim, eve := `{"by":"kim"}`, `{"by":"eve"}`
		for _, step := range []struct {
			name               string
			incident, old, ack string
			want               check.AdoptOutcome
			stands             string
		}{
			{"none there", "{}", "", kim, check.AdoptChanged, kim},
			{"repeated", "{}", "", kim, check.AdoptUnchanged, kim},
			{"another incident by now", "old", kim, eve, check.AdoptConflict, kim},
			{"another acknowledgement by now", "{}", "", eve, check.AdoptConflict, kim},
			{"after the one that stands there", "{}", kim, eve, check.AdoptChanged, eve},
		} {
			out, err := r.Ack(ctx, lane, check.Acking{ID: "default/a/1", Incident: step.incident, Old: step.old, Ack: step.ack, Change: "{}"})
			incident, ack, readErr := r.Incident(ctx, lane, "default/a/1")
			r.must(readErr)
			if err != nil || out != step.want || incident != "{}" || ack != step.stands {
				t.Errorf("%s: %v, %v, %s stands beside %s; want %v, %s", step.name, out, err, ack, incident, step.want, step.stands)
			}
		}
		if out, err := r.Ack(ctx, lane, check.Acking{ID: "default/b/1", Ack: "{}"}); err != nil || out != check.AdoptMissing {
			t.Errorf("no such incident: %v, %v, want missing", out, err)
		}
		if n := r.client.XLen(ctx, r.KeyChanges(lane)).Val(); n != 2 {
			t.Errorf("%d changes, want 2", n)
		}
	})
}

func TestEndOrphan(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		const id = "default/a/1"
		put := func(text string) { r.must(r.client.HSet(ctx, r.KeyIncidents(lane), id, text).Err()) }
		end := func(last, incident string) check.AdoptOutcome {
			out, err := r.EndOrphan(ctx, lane, check.Orphan{Check: "a", Last: last, ID: id, Incident: incident, Resolved: `{"resolved":5}`, Change: "{}"})
			r.must(err)
			return out
		}
		want := func(name string, got, want check.AdoptOutcome, stands string) {
			t.Helper()
			if text, _, _ := r.Incident(ctx, lane, id); got != want || text != stands {
				t.Errorf("%s: %v, incident %s; want %v, %s", name, got, text, want, stands)
			}
		}
		want("no such incident", end("", "{}"), check.AdoptMissing, "")
		put("{}")
		l := r.start("a", "w/a")
		want("its check runs", end("", "{}"), "busy", "{}")
		r.complete(done(l, r.now()+60_000))
		last := r.place("a").Last
		want("another last record by now", end("", "{}"), check.AdoptConflict, "{}")
		want("another incident by now", end(last, "old"), check.AdoptConflict, "{}")
		r.must(r.client.HSet(ctx, r.KeyRuns(lane), "a", "junk").Err())
		want("its record is junk", end(last, "{}"), "busy", "{}")
		r.must(r.client.HDel(ctx, r.KeyRuns(lane), "a").Err())
		want("nobody runs it", end(last, "{}"), check.AdoptChanged, `{"resolved":5}`)
		want("repeated", end(last, "{}"), check.AdoptUnchanged, `{"resolved":5}`)
		if n := r.client.XLen(ctx, r.KeyChanges(lane)).Val(); n != 1 {
			t.Errorf("%d changes, want 1", n)
		}
	})
}

func TestSweepIncidents(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		now := r.now()
		at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
		r.must(r.client.HSet(ctx, r.KeyLast(lane),
			"known", `{"state":"CRIT","incident":{"id":"default/known/1"}}`,
			"newer", `{"state":"CRIT","incident":{"id":"default/newer/2"}}`,
			"well", `{"state":"OK"}`, "junk", "junk").Err())
		r.must(r.client.HSet(ctx, r.KeyIncidents(lane),
			"default/worker:w1/1", `{"opened":1}`,
			"default/known/1", `{"opened":1}`, "default/newer/1", `{"opened":1}`, "default/newer/2", `{"opened":2}`,
			"default/well/1", `{"opened":1}`, "default/well/0", `{"opened":0,"resolved":5}`, "default/junk/1", `{"opened":1}`,
			"default/nobody/1", `{"opened":1}`, "default/text/1", "no incident", "odd", `{"opened":1}`,
			"default/known/1/ack", fmt.Sprintf(`{"until":%q}`, at(now-1000)), "default/known/1/pager", "17",
			"default/newer/2/ack", fmt.Sprintf(`{"until":%q}`, at(now+60_000)),
			"default/newer/1/ack", fmt.Sprintf(`{"until":%q,"ended":true}`, at(now-1000)),
			"default/well/1/ack", fmt.Sprintf(`{"until":%q,"removed":true}`, at(now-1000)),
			"default/well/0/ack", fmt.Sprintf(`{"until":%q}`, at(now-1000))).Err())
		// More than a page takes.
		for i := range 3000 {
			r.must(r.client.HSet(ctx, r.KeyIncidents(lane), fmt.Sprintf("default/old/%d", i), `{"resolved":5}`).Err())
		}
		found := map[string]bool{}
		for c := (check.SweepCursor{Part: check.SweepIncidents}); !c.Done; {
			page, next, err := r.Sweep(ctx, lane, c, 100, true)
			r.must(err)
			for _, f := range page {
				if !f.Open {
					t.Errorf("%+v is mended, want it left to the caller", f)
				}
				found[f.Kind+" "+f.ID] = true
			}
			c = next
		}
		var got []string
		for word := range found {
			got = append(got, word)
		}
		slices.Sort(got)
		want := []string{
			"ack_over default/known/1", "lost_incident default/junk/1", "lost_incident default/newer/1",
			"lost_incident default/nobody/1", "lost_incident default/well/1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

func TestDowntimes(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		for _, step := range []struct {
			old, text string
			want      check.AdoptOutcome
		}{
			{"", "{1}", check.AdoptChanged},
			{"", "{1}", check.AdoptUnchanged},
			{"", "{2}", check.AdoptConflict},
			{"{1}", "{2}", check.AdoptChanged},
			{"{1}", "", check.AdoptConflict},
			{"{2}", "", check.AdoptChanged},
			{"{2}", "", check.AdoptUnchanged},
		} {
			if out, err := r.PutDowntime(ctx, "maint", step.old, step.text); err != nil || out != step.want {
				t.Errorf("%q in the place of %q: %v, %v, want %v", step.text, step.old, out, err, step.want)
			}
		}
		if all, err := r.Downtimes(ctx); err != nil || len(all) != 0 {
			t.Errorf("left: %v, %v", all, err)
		}
	})
}

func TestNeighbours(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		if got, err := r.Neighbours(ctx, "nowhere", []string{"a"}); err != nil || got[0].There || got[0].Last != "" {
			t.Errorf("of no zone: %+v, %v", got, err)
		}
		l := r.start("runs", "w/a")
		r.complete(done(l, r.now()+60_000))
		r.start("runs2", "w/b")
		r.set("new", 1, r.now()+60_000)
		r.set("gone", 1, r.now()+60_000)
		_, err := r.Remove(ctx, lane, check.Removal{ID: "gone", Rev: "9000-0"})
		r.must(err)
		_, err = r.Adopt(ctx, lane, []check.Adoption{{ID: "paused", Rev: "9001-0", Spec: specText("paused", 1), SHA: sha(specText("paused", 1)), Paused: true}})
		r.must(err)
		once := `{"id":"once","command":"tcp","at":"2070-01-31T12:00:00Z"}`
		_, err = r.Adopt(ctx, lane, []check.Adoption{{ID: "once", Rev: "9002-0", Spec: once, SHA: sha(once), First: 3_158_395_200_000}})
		r.must(err)
		r.must(r.client.HSet(ctx, r.KeyRuns(lane), "junk", "junk").Err())
		got, err := r.Neighbours(ctx, "default", []string{"runs", "runs2", "new", "gone", "paused", "junk", "none", "once"})
		r.must(err)
		want := []check.Nearby{
			{ID: "runs", There: true, Last: `{"state":"OK"}`}, {ID: "runs2", There: true}, {ID: "new", There: true},
			{ID: "gone"}, {ID: "paused", There: true, Paused: true}, {ID: "junk"}, {ID: "none"},
			{ID: "once", There: true, At: time.Date(2070, 1, 31, 12, 0, 0, 0, time.UTC).UnixMilli()},
		}
		if !slices.Equal(got, want) {
			t.Errorf("Neighbours() = %+v, want %+v", got, want)
		}
		r.must(r.client.Set(ctx, r.KeyLast(check.Lane{Zone: "fra"}), "x", 0).Err())
		if _, err := r.Neighbours(ctx, "fra", []string{"a"}); err == nil {
			t.Error("a key of the wrong type: no error")
		}
	})
}

// Hurry makes waiting checks due and touches no others.
func TestHurry(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.start("runs", "w/a")
		later := r.now() + 60_000
		r.set("waits", 1, later)
		r.set("other", 1, later)
		r.must(r.Hurry(ctx, "default", []string{"waits", "runs", "none"}))
		r.must(r.Hurry(ctx, "default", []string{"waits"}))
		due, err := r.client.ZRangeWithScores(ctx, r.KeyDue(lane), 0, -1).Result()
		r.must(err)
		if !slices.Equal(due, []redis.Z{{Score: 0, Member: "waits"}, {Score: float64(later), Member: "other"}}) {
			t.Errorf("due = %v, want waits now and other at %d", due, later)
		}
		before := r.now()
		if d := r.dispatch(); d.Moved != 1 {
			t.Fatalf("dispatch = %+v, want one moved", d)
		}
		if e := r.read("w"); len(e) != 1 || e[0].ID != "waits" || e[0].Planned < before {
			t.Errorf("read %+v, want waits, planned for now", e)
		}
	})
}
