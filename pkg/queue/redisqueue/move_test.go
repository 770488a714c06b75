package redisqueue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// Whatever a check is when it moves, it is that in its new lane, with all that
// belongs to it; in the old one only a record is left that says where it went.
func TestMoveTakesEverythingAlong(t *testing.T) {
	for _, tt := range []struct {
		name, state string
		make        func(r *rig)
	}{
		{"waiting", "waiting", func(r *rig) { r.set("a", 1, 1e14-1) }},
		{"overdue", "waiting", func(r *rig) { r.set("a", 1, 1) }},
		{"after a run", "waiting", func(r *rig) {
			l := r.start("a", "w/nonce")
			c := done(l, r.now()+9000)
			c.Last = `{"state":"CRIT","incident":{"id":"default/a/5"}}`
			c.IncidentID, c.Incident, c.Change = "default/a/5", `{"id":"default/a/5"}`, "{}"
			r.complete(c)
			r.must(r.client.HSet(r.t.Context(), r.KeyIncidents(lane), "default/a/5/ack", "{}", "default/a/5/pager", "x-1").Err())
		}},
		{"after crashes", "waiting", func(r *rig) { r.set("a", 1, r.now()+5); r.rewrite("a", map[int]string{2: "77", 6: "3"}) }},
		{"paused", "waiting", func(r *rig) {
			text := specText("a", 1)
			_, err := r.Adopt(r.t.Context(), lane, []check.Adoption{{ID: "a", Rev: "9-0", Spec: text, SHA: sha(text), Paused: true}})
			r.must(err)
		}},
		{"bad", "bad", func(r *rig) {
			r.hand("a", "junk")
			_, err := r.Repair(r.t.Context(), lane, []check.RepairItem{{ID: "a", SHA: sha("junk"), Bad: true}}, true)
			r.must(err)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				tt.make(r)
				was := r.placeIn(lane, "a")
				incidents := r.client.HGetAll(t.Context(), r.KeyIncidents(lane)).Val()
				r.move(lane, other, "a")
				is := r.placeIn(other, "a")
				if is.Record.Rev != was.Record.Rev+".1" && was.Record.Rev[0] != '0' {
					t.Errorf("the revision is %s, it was %s: want it to rise", is.Record.Rev, was.Record.Rev)
				}
				if is.Record.Rev = was.Record.Rev; is != was || is.Record.State != tt.state {
					t.Errorf("it was %+v\nand is  %+v", was, is)
				}
				if got := r.client.HGetAll(t.Context(), r.KeyIncidents(other)).Val(); fmt.Sprint(got) != fmt.Sprint(incidents) {
					t.Errorf("incidents = %v, want %v", got, incidents)
				}
				left := r.placeIn(lane, "a")
				if left.Spec != "" || left.Last != "" || left.Due != 0 || left.Record.State != "moved" || left.Record.Way.Lane != other ||
					r.client.HLen(t.Context(), r.KeyIncidents(lane)).Val() != 0 || left.Record.Committed != was.Record.Committed {
					t.Errorf("left in the old lane: %+v", left)
				}
				if found := r.sweep(false); len(found) != 0 {
					t.Errorf("the sweep finds %+v", found)
				}
				r.move(other, lane, "a")
				back := r.placeIn(lane, "a")
				if back.Record.Rev = was.Record.Rev; back != was {
					t.Errorf("moved back it is %+v, want %+v", back, was)
				}
			})
		})
	}
}

// A check that is queued or runs is marked, and frozen by the dispatch that
// would queue it next; its run ends as every other.
func TestMoveWaitsForTheRun(t *testing.T) {
	for _, tt := range []struct {
		name string
		when string // it is marked: queued or leased
		edit bool   // during the run, before the mark
	}{{"queued", "queued", false}, {"running", "leased", false}, {"running, edited", "leased", true}} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				mark := func() { // again and again, as each pass does
					for range 2 {
						if f := r.freeze(lane, other, "a"); f.Outcome != check.MoveBusy {
							t.Fatalf("Freeze = %+v, want busy", f)
						}
					}
				}
				r.set("a", 1, r.now())
				r.dispatch()
				if tt.when == "queued" {
					mark()
				}
				leases := r.lease("w/nonce", r.read("w")...)
				if len(leases) != 1 {
					t.Fatalf("Lease = %+v, the check is %+v", leases, r.placeIn(lane, "a"))
				}
				l := leases[0]
				if tt.edit {
					r.set("a", 2, r.now()+100)
				}
				if tt.when == "leased" {
					mark()
				}
				if got := r.complete(done(l, r.now()+1)); got[0] != check.OutcomeDone {
					t.Fatalf("Complete = %v", got)
				}
				mark2 := func() check.Frozen { return r.freeze(lane, other, "a") }
				if tt.edit { // the time of the edit stood in the place of the mark
					if f := mark2(); f.Outcome != check.MoveFrozen {
						t.Fatalf("Freeze after the run = %+v", f)
					}
				} else {
					var d check.Dispatched
					eventually(t, func() bool { d = r.dispatch(); return len(d.Frozen) > 0 })
					if d.Moved != 0 || d.Frozen[0] != "a" || r.placeIn(lane, "a").Record.State != "frozen" {
						t.Fatalf("Dispatch = %+v, %+v", d, r.placeIn(lane, "a"))
					}
				}
				f := mark2()
				if _, out := r.arrive(lane, f); f.To != other || out != check.MoveTaken {
					t.Fatalf("Freeze = %+v, Arrive = %s", f, out)
				}
				is := r.placeIn(other, "a")
				if is.Due <= l.Planned || is.Record.Planned != l.Planned || is.Record.Committed != "nonce" || is.Last == "" {
					t.Errorf("it is %+v, was planned at %d", is, l.Planned)
				}
				// Its worker repeats what it did, which was done.
				if got := r.complete(done(l, r.now()+1)); got[0] != check.OutcomeDone {
					t.Errorf("Complete once more = %v", got)
				}
			})
		})
	}
}

// An edit during a run that is lost leaves nothing behind once the check has run
// by it: the next run is marked as any other.
func TestEditDuringALostRun(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		lost := r.start("a", "w/lost")
		r.set("a", 2, r.now()+100)
		r.expire("a")
		again := r.lease("w/again", lost.Entry)
		if len(again) != 1 || again[0].Record == "" {
			t.Fatalf("Lease = %+v, want the run taken over", again)
		}
		if got := r.complete(done(again[0], r.now())); got[0] != check.OutcomeDone || r.place("a").Record.First != 0 {
			t.Fatalf("Complete = %v, then the check is %+v, want no time of the edit", got, r.place("a"))
		}
		eventually(t, func() bool { return r.dispatch().Moved == 1 })
		next := r.lease("w/next", r.read("w")...)
		if f := r.freeze(lane, other, "a"); len(next) != 1 || f.Outcome != check.MoveBusy {
			t.Fatalf("Lease = %+v, Freeze = %+v", next, f)
		}
		r.complete(done(next[0], r.now()))
		eventually(t, func() bool { return len(r.dispatch().Frozen) == 1 })
	})
}

// A check that is not to move after all runs on as if nothing had been asked.
func TestMoveThatIsCalledOff(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("a", "w/nonce")
		r.freeze(lane, other, "a")
		if f := r.freeze(lane, check.Lane{}, "a"); f.Outcome != check.MoveStays {
			t.Fatalf("Freeze to nowhere = %+v", f)
		}
		r.freeze(lane, other, "a")
		r.complete(done(l, r.now()))
		eventually(t, func() bool { return len(r.dispatch().Frozen) == 1 })
		if f := r.freeze(lane, check.Lane{}, "a"); f.Outcome != check.MoveStays || r.place("a").Record.State != "waiting" {
			t.Fatalf("Freeze to nowhere = %+v, %+v", f, r.place("a"))
		}
		if d := r.dispatch(); d.Moved != 1 {
			t.Errorf("Dispatch = %+v, want it queued", d)
		}
		// One that was sent off goes on.
		r.set("b", 1, r.now()+1000)
		r.freeze(lane, other, "b")
		if f := r.freeze(lane, check.Lane{}, "b"); f.Outcome != check.MoveFrozen || f.To != other {
			t.Errorf("Freeze to nowhere of one on its way = %+v", f)
		}
		if f := r.freeze(lane, third, "b"); f.To != other {
			t.Errorf("Freeze to another lane of one on its way = %+v", f)
		}
	})
}

// Each step may be repeated, and a frozen check is nobody's to change.
func TestMoveStepsRepeat(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.set("a", 1, 1)
		f := r.freeze(lane, other, "a")
		before := r.dump()
		if again := r.freeze(lane, other, "a"); again.Record != f.Record || r.dump() != before {
			t.Errorf("Freeze again = %+v, was %+v", again, f)
		}
		if d := r.dispatch(); d.Moved != 0 || len(d.Dropped) != 0 {
			t.Errorf("Dispatch = %+v", d)
		}
		text := specText("a", 2)
		for _, a := range []struct {
			rev  string
			want check.AdoptOutcome
		}{{"2000-0", check.AdoptMoved}, {"1001-0", check.AdoptRepeated}, {"1000-0", check.AdoptOlder}, {"", check.AdoptMoved}} {
			if got := r.adoptA(check.Adoption{Rev: a.rev, Spec: text, OldSHA: sha(specText("a", 1))}); got != a.want {
				t.Errorf("Adopt with revision %q = %s, want %s", a.rev, got, a.want)
			}
		}
		if got, err := r.RunNow(ctx, lane, "a", "2000-0"); err != nil || got != check.AdoptMoved {
			t.Errorf("RunNow = %s %v", got, err)
		}
		for _, rev := range []string{"2000-0", ""} {
			if got, err := r.Remove(ctx, lane, check.Removal{ID: "a", Rev: rev}); err != nil || got != check.AdoptMoved {
				t.Errorf("Remove with revision %q = %s %v", rev, got, err)
			}
		}
		if kind, open := r.repairA(true, 7); kind != check.FindingFrozen || !open {
			t.Errorf("Repair = %s %v", kind, open)
		}
		if r.dump() != before {
			t.Error("something has changed")
		}
		c, _ := r.arrive(lane, f)
		there := r.rec(other, "a")
		if _, out := r.arrive(lane, f); out != check.MoveKept || r.rec(other, "a") != there {
			t.Errorf("Arrive again = %s", out)
		}
		c.Spec = "{}"
		if out := r.depart(lane, c); out != check.MoveConflict || r.dump() != before {
			t.Errorf("Depart with another text = %s", out)
		}
		c.Spec = specText("a", 1)
		if out := r.depart(lane, c); out != check.MoveGone {
			t.Errorf("Depart = %s", out)
		}
		if out := r.depart(lane, c); out != check.MoveConflict {
			t.Errorf("Depart again = %s", out)
		}
	})
}

// What requests are told where a check was: after a move within the zone to
// look elsewhere, after one to another zone that it is not there.
func TestRequestsWhereACheckWas(t *testing.T) {
	for _, tt := range []struct {
		name           string
		to             check.Lane
		set, run, hand check.AdoptOutcome
		remove         check.AdoptOutcome
	}{
		{"in the zone", other, check.AdoptMoved, check.AdoptMoved, check.AdoptNew, check.AdoptMoved},
		{"to another zone", third, check.AdoptNew, check.AdoptMissing, check.AdoptNew, check.AdoptMissing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				ctx := t.Context()
				r.set("a", 1, 1)
				r.move(lane, tt.to, "a")
				moved := r.rec(lane, "a")
				try := func(what string, got, want check.AdoptOutcome, err error) {
					t.Helper()
					if err != nil || got != want {
						t.Errorf("%s = %s %v, want %s", what, got, err, want)
					}
					r.must(r.client.HSet(ctx, r.KeyRuns(lane), "a", moved).Err())
					r.must(r.client.HDel(ctx, r.KeySpecs(lane), "a").Err())
				}
				a := check.Adoption{Rev: "2000-0", Spec: specText("a", 2), First: 7}
				try("Adopt", r.adoptA(a), tt.set, nil)
				a.Rev = "1001-0"
				try("Adopt, repeated", r.adoptA(a), check.AdoptRepeated, nil)
				a.Rev = "1000-0"
				try("Adopt, older", r.adoptA(a), check.AdoptOlder, nil)
				r.hand("a", a.Spec)
				a.Rev, a.OldSHA = "", sha(a.Spec)
				got := r.adoptA(a)
				if rec := r.place("a").Record; rec.Way != (Way{}) || rec.Committed != "" {
					t.Errorf("found by hand it is %+v", rec)
				}
				try("Adopt by hand", got, tt.hand, nil)
				got, err := r.RunNow(ctx, lane, "a", "2000-0")
				try("RunNow", got, tt.run, err)
				got, err = r.Remove(ctx, lane, check.Removal{ID: "a", Rev: "2000-0"})
				try("Remove", got, tt.remove, err)
				got, err = r.Ack(ctx, lane, check.Acking{ID: "default/a/5", Incident: "{}", Ack: "{}", Change: "{}"})
				try("Ack", got, check.AdoptMoved, err)
			})
		})
	}
}

// Tombstones stand in for what is elsewhere, and never over a live check.
func TestPlant(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.set("live", 1, 1)
		until := r.now() + 60_000
		for _, tt := range []struct {
			name  string
			stone check.Stone
			want  bool
		}{
			{"over a live check", check.Stone{ID: "live", Rev: "9000-0", Until: until}, false},
			{"new", check.Stone{ID: "a", Rev: "10-0", Until: until}, true},
			{"repeated", check.Stone{ID: "a", Rev: "10-0", Until: until}, false},
			{"older", check.Stone{ID: "a", Rev: "9-0", Until: until}, false},
			{"newer", check.Stone{ID: "a", Rev: "11-0", Until: until}, true},
			{"expected, older", check.Stone{ID: "a", Rev: "10-5", From: other, Until: until}, false},
			{"expected", check.Stone{ID: "a", Rev: "12-0", From: other, Until: until}, true},
			{"expected, repeated", check.Stone{ID: "a", Rev: "12-0", From: other, Until: until}, true},
		} {
			out, err := r.Plant(ctx, lane, []check.Stone{tt.stone})
			if r.must(err); out[0] != tt.want {
				t.Errorf("%s: Plant = %v, want %v", tt.name, out[0], tt.want)
			}
		}
		st, err := r.Standings(ctx, lane, []string{"a", "live", "nobody"})
		r.must(err)
		if st[0].Kind != check.StandsExpected || st[0].Lane != other || st[1].Kind != check.StandsHere || st[2].Kind != check.StandsNot {
			t.Errorf("Standings = %+v", st)
		}
		if got := r.adoptA(check.Adoption{Rev: "13-0", Spec: "{}"}); got != check.AdoptMoved {
			t.Errorf("Adopt of one that is expected = %s", got)
		}
		r.must(r.Forget(ctx, lane, "a", "another"))
		if r.rec(lane, "a") == "" {
			t.Error("Forget dropped a record that the caller had not read")
		}
		r.must(r.Forget(ctx, lane, "a", st[0].Record))
		if r.rec(lane, "a") != "" {
			t.Error("Forget dropped nothing")
		}
	})
}

// What is left of a check's incidents goes after it, and what is newer where
// it is stays.
func TestIncidentsFollow(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.set("a", 1, 1)
		r.set("stays", 1, 1)
		from, to := r.KeyIncidents(lane), r.KeyIncidents(other)
		r.move(lane, other, "a")
		r.must(r.client.HSet(ctx, from, "default/a/1", "old", "default/stays/1", "s", "junk", "j").Err())
		r.must(r.client.HSet(ctx, from, "default/a/2/pager", "late", "default/a/1/ack", "older").Err())
		r.must(r.client.HSet(ctx, to, "default/a/1/ack", "newer").Err())
		n, err := r.Follow(ctx, lane, check.Zone{Partitions: 4})
		if r.must(err); n != 3 {
			t.Errorf("Follow = %d, want 3", n)
		}
		want := "map[default/a/1:old default/a/1/ack:newer default/a/2/pager:late]"
		if got := fmt.Sprint(r.client.HGetAll(ctx, to).Val()); got != want {
			t.Errorf("there: %s, want %s", got, want)
		}
		if got := fmt.Sprint(r.client.HGetAll(ctx, from).Val()); got != "map[default/stays/1:s junk:j]" {
			t.Errorf("here: %s", got)
		}
		if n, err := r.Follow(ctx, lane, check.Zone{Partitions: 4}); n != 0 || err != nil {
			t.Errorf("Follow again = %d %v", n, err)
		}
		// A lane that is given up keeps nothing, not even of checks that are gone.
		r.must(r.client.HSet(ctx, to, "default/gone/1", "history").Err())
		z := check.Zone{Partitions: 2, Spread: 4}
		if n, err := r.Follow(ctx, other, z); n != 1 || err != nil {
			t.Errorf("Follow out of a lane that is given up = %d %v", n, err)
		}
		if got := r.client.HGet(ctx, r.KeyIncidents(z.Home("default", "gone")), "default/gone/1").Val(); got != "history" {
			t.Errorf("the incident of a removed check is %q where it would be", got)
		}
	})
}

// A binary of schema 1 takes a frozen check for a bad spec and a moved one for
// a removed one: states that it leaves alone.
func TestMovesReadAsOlderStates(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		r.set("a", 1, 1)
		f := r.freeze(lane, other, "a")
		words := strings.Fields(f.Record)
		if len(words) != 11 || words[0] != "b" || words[1] != "-" || words[3] != "-" || words[4] != "-" || words[9] != sha(specText("a", 1))[:16] {
			t.Errorf("frozen: %q", f.Record)
		}
		c, _ := r.arrive(lane, f)
		r.depart(lane, c)
		words = strings.Fields(r.rec(lane, "a"))
		if len(words) != 11 || words[0] != "t" || words[4] != "-" || words[7] != "1001-0" || len(words[10]) != 13 {
			t.Errorf("moved: %q", r.rec(lane, "a"))
		}
	})
}

// Moves of many checks go in one call, and texts of all together bound it.
func TestMoveMany(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		var items []check.Freezing
		for i := range 60 {
			id := fmt.Sprintf("c%02d", i)
			text := fmt.Sprintf(`{"id":%q,"pad":%q}`, id, strings.Repeat("x", 40<<10))
			_, err := r.Adopt(ctx, lane, []check.Adoption{{ID: id, Rev: "5-0", Spec: text, SHA: sha(text), First: 9}})
			r.must(err)
			items = append(items, check.Freezing{ID: id, SHA: sha(text), To: other})
		}
		frozen, err := r.Freeze(ctx, lane, items)
		r.must(err)
		cargo, err := r.Cargo(ctx, lane, frozen, nil)
		r.must(err)
		out, err := r.Arrive(ctx, other, cargo)
		r.must(err)
		for i, o := range out {
			if o != check.MoveTaken {
				t.Errorf("Arrive of %s = %s", cargo[i].ID, o)
			}
		}
		if n := r.client.HLen(ctx, r.KeySpecs(other)).Val(); n != 60 || len(out) != 60 {
			t.Errorf("%d specs arrived, %d answers", n, len(out))
		}
	})
}
