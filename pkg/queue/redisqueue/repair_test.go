package redisqueue

import (
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// repairCase is a harm to the check a, and what repair is to make of it.
type repairCase struct {
	name string
	harm func(r *rig)
	kind string
	open bool   // the caller has to act
	want string // the state after it was mended
	due  bool
}

// placeA makes the check a, with odd words in its record.
func placeA(r *rig, due int64, record map[int]string) {
	r.t.Helper()
	r.set("a", 1, due)
	if record != nil {
		r.rewrite("a", record)
	}
}

// waitingCases are of a check that waits, or that nobody knows.
func waitingCases() []repairCase {
	return []repairCase{
		{name: "nothing", harm: func(r *rig) { placeA(r, r.now()+1000, nil) }, want: "waiting", due: true},
		{name: "no record", harm: func(r *rig) { r.hand("a", specText("a", 1)) }, kind: "hand", open: true},
		{name: "another text", harm: func(r *rig) {
			r.set("a", 2, r.now()+1000)
			r.hand("a", specText("a", 1))
		}, kind: "hand", open: true, want: "waiting", due: true},
		{name: "a tombstone", harm: func(r *rig) {
			_, err := r.Remove(r.t.Context(), lane, check.Removal{ID: "a", Rev: "5-0"})
			r.must(err)
			r.hand("a", specText("a", 1))
		}, kind: "hand", open: true, want: "removed"},
		{name: "junk", harm: func(r *rig) {
			placeA(r, r.now()+1000, nil)
			r.must(r.client.HSet(r.t.Context(), r.KeyRuns(lane), "a", "junk").Err())
		}, kind: "bad_record", due: true},
		{name: "paused and due", harm: func(r *rig) { placeA(r, r.now()+1000, map[int]string{1: "p"}) }, kind: "paused_due", want: "waiting"},
		{name: "refused and due", harm: func(r *rig) { placeA(r, r.now()+1000, map[int]string{0: "b"}) }, kind: "paused_due", want: "bad"},
		{name: "lost", harm: func(r *rig) {
			placeA(r, 5, nil)
			r.must(r.client.Del(r.t.Context(), r.KeyDue(lane)).Err())
		}, kind: "lost", open: true, want: "waiting", due: true},
		{name: "far", harm: func(r *rig) { placeA(r, r.now()+3600_000, nil) }, kind: "far", open: true, want: "waiting", due: true},
		{name: "put away for its crashes, not far", harm: func(r *rig) {
			placeA(r, r.now()+3600_000, map[int]string{6: "3"})
		}, want: "waiting", due: true},
	}
}

// runningCases are of a check that is queued or runs.
func runningCases() []repairCase {
	return []repairCase{
		{name: "queued without entry", harm: func(r *rig) {
			placeA(r, 5, nil)
			r.dispatch()
			r.must(r.client.Del(r.t.Context(), r.KeyReady(lane)).Err())
		}, kind: "lost_entry", want: "waiting", due: true},
		{name: "queued, its entry's id is another check's", harm: func(r *rig) {
			placeA(r, 5, nil)
			r.dispatch()
			sid := r.place("a").Record.SID
			r.must(r.client.Del(r.t.Context(), r.KeyReady(lane)).Err())
			r.must(r.client.Do(r.t.Context(), "XADD", r.KeyReady(lane), sid, "id", "b", "due", 5).Err())
		}, kind: "lost_entry", want: "waiting", due: true},
		{name: "paused in the queue without entry", harm: func(r *rig) {
			placeA(r, 5, nil)
			r.dispatch()
			r.rewrite("a", map[int]string{1: "p"})
			r.must(r.client.Del(r.t.Context(), r.KeyReady(lane)).Err())
		}, kind: "lost_entry", want: "waiting"},
		{name: "leased without entry, alive", harm: func(r *rig) {
			r.start("a", "w/a")
			r.must(r.client.Del(r.t.Context(), r.KeyReady(lane)).Err())
		}, want: "leased"},
		{name: "leased without entry, over", harm: func(r *rig) {
			r.start("a", "w/a")
			r.expire("a")
			r.must(r.client.Del(r.t.Context(), r.KeyReady(lane)).Err())
		}, kind: "lost_entry", want: "waiting", due: true},
		{name: "delivered to nobody", harm: func(r *rig) {
			placeA(r, 5, nil)
			r.dispatch()
			e := r.read("w")
			r.must(r.client.XAck(r.t.Context(), r.KeyReady(lane), GroupWorkers, e[0].SID).Err())
		}, kind: "lost_pending", want: "queued"},
		{name: "leased, delivered to nobody, over", harm: func(r *rig) {
			l := r.start("a", "w/a")
			r.expire("a")
			r.must(r.client.XAck(r.t.Context(), r.KeyReady(lane), GroupWorkers, l.SID).Err())
		}, kind: "lost_pending", want: "queued"},
		{name: "leased for ever", harm: func(r *rig) {
			r.start("a", "w/a")
			r.rewrite("a", map[int]string{5: strconv.FormatInt(r.now()+1e12, 10)})
		}, kind: "long_lease", want: "leased"},
		{name: "without a group", harm: func(r *rig) {
			placeA(r, 5, nil)
			r.dispatch()
			r.must(r.client.XGroupDestroy(r.t.Context(), r.KeyReady(lane), GroupWorkers).Err())
		}, want: "queued"},
	}
}

// Every kind that repair finds: looking only changes nothing, mending leads to
// where the check belongs, and a second look finds nothing.
func TestRepairKinds(t *testing.T) {
	for _, tt := range append(waitingCases(), runningCases()...) {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				tt.harm(r)
				before := r.dump()
				if kind, open := r.repairA(false, 0); kind != tt.kind || open != (tt.kind != "") || r.dump() != before {
					t.Fatalf("a look finds %q, open %v, changed: %v, want %q and nothing changed", kind, open, r.dump() != before, tt.kind)
				}
				if kind, open := r.repairA(true, 0); kind != tt.kind || open != tt.open {
					t.Fatalf("repair finds %q, open %v, want %q, %v", kind, open, tt.kind, tt.open)
				}
				if tt.kind == check.FindingLost || tt.kind == check.FindingFar {
					if kind, open := r.repairA(true, r.now()+500); kind != tt.kind || open {
						t.Fatalf("repair with a place finds %q, open %v", kind, open)
					}
				}
				p := r.place("a")
				if p.Record.State != tt.want || (p.Due != 0) != tt.due {
					t.Errorf("after it: %+v, want %q, due %v", p, tt.want, tt.due)
				}
				if kind, _ := r.repairA(true, 0); kind != "" && kind != check.FindingHand {
					t.Errorf("a second repair finds %q", kind)
				}
			})
		})
	}
}

// repairA repairs the check a.
func (r *rig) repairA(mend bool, place int64) (kind string, open bool) {
	r.t.Helper()
	items := []check.RepairItem{{ID: "a", SHA: sha(specText("a", 1)), Ahead: 60_000, Place: place}}
	found, err := r.Repair(r.t.Context(), lane, items, mend)
	r.must(err)
	if len(found) == 0 {
		return "", false
	}
	return found[0].Kind, found[0].Open
}

// What was lost is run again by the next worker, with what the record knew.
func TestRequeuedAfterLostPending(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		l := r.start("a", "w/a")
		r.expire("a")
		r.must(r.client.XAck(t.Context(), r.KeyReady(lane), GroupWorkers, l.SID).Err())
		if kind, _ := r.repairA(true, 0); kind != "lost_pending" {
			t.Fatalf("repair finds %q", kind)
		}
		next := r.lease("v/b", r.read("v")...)
		if len(next) != 1 || next[0].Planned != l.Planned || next[0].Crashes != 1 || r.ready() != 1 {
			t.Fatalf("leases %+v of %d entries, want one planned at %d with a crash", next, r.ready(), l.Planned)
		}
		if got := r.complete(done(l, 5)); got[0] != check.OutcomeStale {
			t.Errorf("the first owner's completion = %v, want stale", got)
		}
	})
}

// Every kind that sweep finds.
func TestSweepKinds(t *testing.T) {
	ctx := t.Context
	for _, tt := range []struct {
		name string
		harm func(r *rig)
		kind string
		open bool
	}{
		{"nothing", func(r *rig) { r.set("a", 1, 5) }, "", false},
		{"a spec that nobody adopted", func(r *rig) {
			r.hand("a", specText("a", 1))
			r.must(r.client.ZAdd(ctx(), r.KeyDue(lane), redis.Z{Score: 5, Member: "a"}).Err())
		}, "", false},
		{"vanished", func(r *rig) {
			r.set("a", 1, 5)
			r.must(r.client.HDel(ctx(), r.KeySpecs(lane), "a").Err())
		}, check.FindingVanished, true},
		{"done", func(r *rig) { r.complete(done(r.start("a", "w/a"), 0)) }, check.FindingDone, true},
		{"due", func(r *rig) {
			r.must(r.client.ZAdd(ctx(), r.KeyDue(lane), redis.Z{Score: 5, Member: "a"}).Err())
		}, "stray", false},
		{"last", func(r *rig) { r.must(r.client.HSet(ctx(), r.KeyLast(lane), "a", "{}").Err()) }, "stray", false},
		{"record", func(r *rig) { r.must(r.client.HSet(ctx(), r.KeyRuns(lane), "a", "junk").Err()) }, "stray", false},
		{"tombstone", func(r *rig) { r.removeA() }, "", false},
		{"tombstone that is due", func(r *rig) {
			r.removeA()
			r.must(r.client.ZAdd(ctx(), r.KeyDue(lane), redis.Z{Score: 5, Member: "a"}).Err())
		}, "stray", false},
		{"tombstone with a last record", func(r *rig) {
			r.removeA()
			r.must(r.client.HSet(ctx(), r.KeyLast(lane), "a", "{}").Err())
		}, "stray", false},
		{"tombstone past its time", func(r *rig) {
			r.removeA()
			r.rewrite("a", map[int]string{10: strconv.FormatInt(r.now()-1, 10)})
		}, FindingExpired, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) {
				tt.harm(r)
				before := r.dump()
				for _, f := range r.sweep(false) {
					if f.Kind != tt.kind || !f.Open {
						t.Errorf("a look finds %+v, want %q", f, tt.kind)
					}
				}
				if r.dump() != before {
					t.Error("a look changed something")
				}
				found := r.sweep(true)
				if tt.kind == "" && len(found) == 0 {
					return
				}
				if len(found) != 1 || found[0].Kind != tt.kind || found[0].Open != tt.open || found[0].ID != "a" {
					t.Fatalf("sweep finds %+v, want %q, open %v", found, tt.kind, tt.open)
				}
				if !tt.open {
					if again := r.sweep(true); len(again) > 0 {
						t.Errorf("a second sweep finds %+v", again)
					}
				}
			})
		})
	}
}

func (r *rig) removeA() {
	r.t.Helper()
	_, err := r.Remove(r.t.Context(), lane, check.Removal{ID: "a", Rev: "5-0"})
	r.must(err)
}

// A tombstone stays for TombstoneTTL.
func TestTombstoneStaysAWeek(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		from := r.now()
		r.removeA()
		if end := r.place("a").Record.First; end < from+TombstoneTTL.Milliseconds() || end > r.now()+TombstoneTTL.Milliseconds() {
			t.Errorf("the tombstone stays until %d, want %s from %d", end, TombstoneTTL, from)
		}
	})
}
