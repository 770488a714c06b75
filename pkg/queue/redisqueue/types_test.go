package redisqueue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Each move looks at the types of all its keys before it writes to one: the
// error names the key, and nothing was changed.
func TestWrongTypesOfEveryKey(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		l := r.start("runs", "w/a")
		r.set("due", 1, 1)
		c := done(l, 5)
		c.IncidentID, c.Incident, c.Change = "default/runs/1", "{}", "{}"
		holding := []check.Holding{{Entry: l.Entry, Token: l.Token}}
		text := specText("due", 2)
		k := struct{ specs, due, ready, runs, last, incidents, results, changes string }{
			r.KeySpecs(lane), r.KeyDue(lane), r.KeyReady(lane), r.KeyRuns(lane), r.KeyLast(lane), r.KeyIncidents(lane), r.KeyResults(lane), r.KeyChanges(lane),
		}
		r.refuseWrongTypes([]typedMove{
			{"dispatch", []string{k.due, k.ready, k.runs}, func() error { _, err := r.Dispatch(ctx, lane, 0); return err }},
			{"lease", []string{k.ready, k.runs}, func() error {
				_, _, err := r.Lease(ctx, check.LeaseRequest{Lane: lane, Token: "v/a", Lease: time.Minute, Entries: []check.Entry{l.Entry}})
				return err
			}},
			{"renew", []string{k.runs}, func() error { _, err := r.Renew(ctx, lane, time.Minute, holding); return err }},
			{"complete", []string{k.ready, k.runs, k.due, k.last, k.results, k.incidents, k.changes}, func() error {
				_, err := r.Complete(ctx, lane, []check.Completion{c})
				return err
			}},
			{"release", []string{k.ready, k.runs}, func() error { _, err := r.Release(ctx, lane, holding); return err }},
			{"adopt", []string{k.specs, k.runs, k.due}, func() error {
				_, err := r.Adopt(ctx, lane, []check.Adoption{{ID: "due", Rev: "9000-0", Spec: text, SHA: sha(text), OldSHA: sha(specText("due", 1))}})
				return err
			}},
			{"remove", []string{k.specs, k.runs, k.due, k.last, k.incidents, k.changes}, func() error {
				_, err := r.Remove(ctx, lane, check.Removal{ID: "due", Rev: "9000-0", IncidentID: "x", Incident: "{}", Change: "{}"})
				return err
			}},
			{"run", []string{k.runs, k.due}, func() error { _, err := r.RunNow(ctx, lane, "due", "9000-0"); return err }},
			{"ack", []string{k.incidents, k.changes, k.runs}, func() error {
				_, err := r.Ack(ctx, lane, check.Acking{ID: "x", Incident: "{}", Ack: "{}", Change: "{}"})
				return err
			}},
			{"orphan", []string{k.runs, k.last, k.incidents, k.changes}, func() error {
				_, err := r.EndOrphan(ctx, lane, check.Orphan{Check: "due", ID: "x", Incident: "{}", Resolved: "{1}", Change: "{}"})
				return err
			}},
			{"downtime", []string{r.KeyDowntimes()}, func() error { _, err := r.PutDowntime(ctx, "x", "", "{}"); return err }},
			{"repair", []string{k.runs, k.due, k.ready}, func() error {
				_, err := r.Repair(ctx, lane, []check.RepairItem{{ID: "due", SHA: sha(specText("due", 1)), Ahead: 1, Place: 7}}, true)
				return err
			}},
			{"sweep", []string{k.specs, k.runs, k.due, k.last}, func() error {
				_, err := r.words(ctx, sweepScript, "sweep", []string{k.specs, k.runs, k.due, k.last}, 1, 0, "nobody")
				return err
			}},
			{"drop", []string{k.specs}, func() error { return r.DropSpec(ctx, lane, "due", specText("due", 1)) }},
			{"replace", []string{k.specs}, func() error { _, err := r.ReplaceSpec(ctx, lane, "due", specText("due", 1), "{}"); return err }},
			{"consumer", []string{k.ready}, func() error { return r.LeaveLane(ctx, lane, "w") }},
			{"lock", []string{r.KeyIntakeLock()}, func() error { _, err := r.IntakeLock(ctx, "me"); return err }},
			{"log", []string{r.KeyIntakeLog()}, func() error {
				return r.IntakeDone(ctx, []check.Verdict{{ID: "a", Verdict: check.VerdictAccepted}})
			}},
			{"zone", []string{r.KeyZones()}, func() error { return r.RestoreZone(ctx, "z", check.Zone{Version: 1, Partitions: 1}) }},
		})
		r.refuseWrongTypes(r.movesToLanes())
	})
}

// TestWrongTypesOfDelivery is the same for the moves of a delivery.
func TestWrongTypesOfDelivery(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		h := r.take("a/1")
		r.open()
		r.change("{}")
		deliver, changes, readers, dead := r.KeyDeliver(lane, "pager"), r.KeyChanges(lane), r.KeyReaders(lane), r.KeyDead(lane)
		r.refuseWrongTypes([]typedMove{
			{"hold", []string{deliver}, func() error { return r.GiveDelivery(ctx, h, "b", time.Minute) }},
			{"reader", []string{readers, changes}, func() error { _, err := r.OpenReader(ctx, lane, "new", true); return err }},
			{"fetch", []string{deliver, changes, readers}, func() error {
				_, err := r.FetchChanges(ctx, check.ChangeRequest{DeliveryHold: h, Count: 9})
				return err
			}},
			{"settle", []string{deliver, changes, r.KeyIncidents(lane)}, func() error {
				_, err := r.Settle(ctx, h, check.Settlement{SIDs: []string{"1-1"}, IncidentID: "default/runs/1", Ref: "x"})
				return err
			}},
			{"bury", []string{deliver, changes, dead}, func() error { _, err := r.Bury(ctx, h, check.DeadLetter{Entry: "1-1"}); return err }},
			{"resend", []string{r.KeyIncidents(lane), dead, changes}, func() error {
				_, err := r.Resend(ctx, lane, "pager", []Resending{{Event: "x"}})
				return err
			}},
		})
	})
}

// typedMove is a move and the keys whose types it looks at.
type typedMove struct {
	name string
	keys []string
	do   func() error
}

// refuseWrongTypes makes each move with each of its keys of the wrong type.
func (r *rig) refuseWrongTypes(moves []typedMove) {
	r.t.Helper()
	for _, move := range moves {
		for _, key := range move.keys {
			r.withWrongType(key, func() {
				before := r.dump()
				err := move.do()
				if err == nil || !strings.Contains(err.Error(), key+" is a ") {
					r.t.Errorf("%s with %s of the wrong type = %v, want an error that names the key", move.name, key, err)
				}
				if after := r.dump(); after != before {
					r.t.Errorf("%s with %s of the wrong type changed something:\n%s\nwas\n%s", move.name, key, after, before)
				}
			})
		}
	}
}

// What reads several keys names the one that is of the wrong type.
func TestWrongTypesAreNamed(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		l := r.start("runs", "w/a")
		r.set("due", 1, 1)
		sweep := func(part int) func() error {
			return func() error {
				_, _, err := r.Sweep(ctx, lane, check.SweepCursor{Part: part}, 10, true)
				return err
			}
		}
		for _, read := range []typedMove{
			{"lease", []string{r.KeyReady(lane), r.KeyRuns(lane), r.KeyLast(lane), r.KeySpecs(lane)}, func() error {
				_, _, err := r.Lease(ctx, check.LeaseRequest{Lane: lane, Token: "w/a", Lease: time.Minute, Entries: []check.Entry{l.Entry}})
				return err
			}},
			{"stats", []string{r.KeyDue(lane), r.KeyReady(lane)}, func() error { _, err := r.Stats(ctx, lane); return err }},
			{"glance", []string{r.KeySpecs(lane), r.KeyIncidents(lane), r.KeyResults(lane)}, func() error { _, err := r.Glance(ctx, lane, 0, 0, 9); return err }},
			{"places", []string{r.KeyRuns(lane), r.KeyDue(lane)}, func() error { _, err := r.Places(ctx, lane, []string{"runs", "due"}); return err }},
			{"empty", []string{r.KeySpecs(lane), r.KeyDue(lane), r.KeyIncidents(lane)}, func() error { _, err := r.Empty(ctx, lane); return err }},
			{"sweep of records", []string{r.KeyRuns(lane)}, sweep(sweepRuns)},
			{"sweep of due times", []string{r.KeyDue(lane)}, sweep(sweepDue)},
			{"sweep of last records", []string{r.KeyLast(lane)}, sweep(sweepLast)},
			{"sweep of incidents", []string{r.KeyIncidents(lane)}, sweep(sweepIncidents)},
		} {
			for _, key := range read.keys {
				r.withWrongType(key, func() {
					if err := read.do(); err == nil || !strings.Contains(err.Error(), key) {
						t.Errorf("%s with %s of the wrong type = %v, want an error that names the key", read.name, key, err)
					}
				})
			}
		}
	})
}

// movesToLanes are the steps of a move to another lane.
func (r *rig) movesToLanes() []typedMove {
	ctx := r.t.Context()
	return []typedMove{
		{"freeze", []string{r.KeyRuns(lane), r.KeyDue(lane)}, func() error {
			_, err := r.Freeze(ctx, lane, []check.Freezing{{ID: "due", SHA: sha(specText("due", 1)), To: other}})
			return err
		}},
		{"arrive", []string{r.KeySpecs(lane), r.KeyRuns(lane), r.KeyDue(lane), r.KeyLast(lane), r.KeyIncidents(lane)}, func() error {
			_, err := r.Arrive(ctx, lane, []check.Cargo{{Frozen: check.Frozen{ID: "new", Record: frozenRecord}, Spec: "{}", Last: "{}"}})
			return err
		}},
		{"depart", []string{r.KeySpecs(lane), r.KeyRuns(lane), r.KeyDue(lane), r.KeyLast(lane), r.KeyIncidents(lane)}, func() error {
			_, err := r.Depart(ctx, lane, []check.Departure{{Cargo: check.Cargo{Frozen: check.Frozen{ID: "due"}}}})
			return err
		}},
		{"shed", []string{r.KeyIncidents(lane)}, func() error {
			return r.run(ctx, shedScript, "shed", []string{r.KeyIncidents(lane)}, "a", "b").Err()
		}},
		{"plant", []string{r.KeyRuns(lane)}, func() error { _, err := r.Plant(ctx, lane, []check.Stone{{ID: "due", Rev: "1-0"}}); return err }},
		{"forget", []string{r.KeyRuns(lane)}, func() error { return r.Forget(ctx, lane, "due", "x") }},
	}
}

// withWrongType puts a list in the place of a key while f runs.
func (r *rig) withWrongType(key string, f func()) {
	r.t.Helper()
	ctx := r.t.Context()
	there := r.client.Exists(ctx, key).Val() == 1
	if there {
		r.must(r.client.Rename(ctx, key, "aside").Err())
	}
	r.must(r.client.RPush(ctx, key, "junk").Err())
	f()
	r.must(r.client.Del(ctx, key).Err())
	if there {
		r.must(r.client.Rename(ctx, "aside", key).Err())
	}
}

// dump shows all that the lane contains, as text.
func (r *rig) dump() string {
	ctx := r.t.Context()
	var b strings.Builder
	for _, key := range []string{r.KeySpecs(lane), r.KeyRuns(lane), r.KeyLast(lane), r.KeyIncidents(lane), r.KeyReaders(lane), "aside"} {
		fmt.Fprintln(&b, key, r.client.HGetAll(ctx, key).Val())
	}
	fmt.Fprintln(&b, r.client.ZRangeWithScores(ctx, r.KeyDue(lane), 0, -1).Val(), r.client.ZRangeWithScores(ctx, "aside", 0, -1).Val())
	for _, key := range []string{r.KeyReady(lane), r.KeyResults(lane), r.KeyChanges(lane), r.KeyDead(lane), "aside"} {
		fmt.Fprintln(&b, key, r.client.XRange(ctx, key, "-", "+").Val())
	}
	fmt.Fprintln(&b, r.client.Get(ctx, r.KeyDeliver(lane, "pager")).Val(), r.client.XPending(ctx, r.KeyChanges(lane), "pager").Val())
	return b.String()
}
