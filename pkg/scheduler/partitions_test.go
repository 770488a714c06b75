package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// partitions changes the number of partitions of the default zone.
func (r *rig) partitions(n int) {
	r.t.Helper()
	_, _, err := r.SetPartitions(r.t.Context(), "default", n)
	r.must(err)
}

// fill adds checks c0... of which some are paused, and one has an incident.
func (r *rig) fill(n int) {
	r.t.Helper()
	for i := range n {
		words := set(fmt.Sprintf("c%d", i), "1h")
		if i%7 == 3 {
			words = append(words, "paused", "true")
		}
		r.request(words...)
	}
	r.takeIn()
	for i, l := range r.lease("w") {
		last := check.Last{}
		if i == 0 {
			last.Incident = &check.Incident{ID: "default/" + l.ID + "/5", To: check.StateCrit}
		}
		r.complete(l, last, r.now()+3_600_000)
	}
}

// Growing and shrinking, each check ends where it belongs, once, and the lanes
// that are given up leave nothing behind.
func TestPartitionsGrowAndShrink(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.fill(60)
		_, err := r.s.findLanes(ctx)
		r.must(err)
		for _, n := range []int{8, 3, 16, 1} {
			r.partitions(n)
			r.settleKnown()
			if lanes := r.lanesOf(); len(lanes) != n {
				t.Errorf("%d partitions: lanes %v", n, lanes)
			}
			specs, incidents := int64(0), int64(0)
			for _, lane := range r.lanesOf() {
				specs += r.client.HLen(ctx, r.KeySpecs(lane)).Val()
				incidents += r.client.HLen(ctx, r.KeyIncidents(lane)).Val()
			}
			if specs != 60 || incidents != 1 {
				t.Errorf("%d partitions: %d specs, %d incidents, want 60 and 1", n, specs, incidents)
			}
		}
		r.must(r.s.dropLanes(ctx, time.Now().Add(dropAfter)))
		for _, key := range r.client.Keys(ctx, "redpoll:{*").Val() {
			if !strings.HasPrefix(key, "redpoll:{default:0}") {
				t.Errorf("%s is left over", key)
			}
		}
	})
}

// While the checks of a zone move, every request finds its own, and new ones
// come where they belong.
func TestRequestsWhilePartitionsChange(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.fill(30)
		r.want(accepted, "op delete id c29")
		for _, n := range []int{8, 2} {
			r.partitions(n)
			for pass := range 3 {
				id := func(i int) string { return fmt.Sprintf("c%d", (3*pass+i)%29) }
				r.want(accepted, set(id(0), fmt.Sprintf("%dh", n+pass))...)
				r.want(accepted, "op pause id "+id(1))
				r.want(accepted, "op resume id "+id(1))
				r.want(accepted, "op run id "+id(1))
				r.want(accepted, set(fmt.Sprintf("new%d-%d", n, pass), "1h")...)
				r.want(rejected, "op run id c29")
				r.want(rejected, "op run id nobody")
				r.passes()
				if pass == 1 {
					r.age()
				}
			}
			r.settle()
		}
		total := 0
		for _, lane := range r.lanesOf() {
			total += int(r.client.HLen(t.Context(), r.KeySpecs(lane)).Val())
		}
		if total != 29+6 {
			t.Errorf("%d specs, want 35", total)
		}
	})
}

// A removed check stays removed: its tombstone stands where an older request
// comes now.
func TestTombstonesMoveToo(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		old := r.request(set("gone", "1h")...)
		found, err := r.IntakeNew(ctx, 9, 0)
		r.must(err)
		r.want(accepted, "op delete id gone")
		r.partitions(8)
		r.settle()
		home := check.Lane{Zone: "default", Part: check.Partition("gone", 8)}
		if home == lane0 {
			t.Fatal("choose another id")
		}
		_, err = r.s.apply(ctx, found, false)
		r.must(err)
		if p := r.in(home, "gone"); p.Spec != "" {
			t.Errorf("an older request (%s) brought it back: %+v", old, p)
		}
	})
}

// Hands do what they did: a text in the lane that a check has left is an edit,
// or is refused; one that is taken away stops it.
func TestHandsWhileChecksMove(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		for _, id := range []string{"edit", "drop", "late", "junk"} {
			r.want(accepted, set(id, "1h")...)
		}
		home := func(id string) check.Lane { return check.Lane{Zone: "default", Part: check.Partition(id, 8)} }
		r.partitions(8)
		r.pass(lane0) // all are frozen there, and have arrived
		text := strings.Replace(r.in(home("edit"), "edit").Spec, `"1h"`, `"5h"`, 1)
		r.hand(lane0, "edit", text)
		r.hand(lane0, "junk", "{")
		r.must(r.client.HDel(t.Context(), r.KeySpecs(lane0), "drop").Err())
		r.want(accepted, set("late", "2h")...)
		r.hand(lane0, "late", strings.Replace(r.in(home("late"), "late").Spec, `"2h"`, `"9h"`, 1)) // over a newer one
		r.age()
		r.passes()
		r.passes()
		r.settle()
		if p := r.in(home("edit"), "edit"); p.Spec != text || p.Record.State != "waiting" || p.Record.SHA != check.SHA(text)[:16] {
			t.Errorf("edited: %+v", p)
		}
		if p := r.in(home("drop"), "drop"); p.Spec != "" || p.Record.State != "removed" {
			t.Errorf("dropped: %+v", p)
		}
		if p := r.in(home("late"), "late"); !strings.Contains(p.Spec, `"2h"`) {
			t.Errorf("set anew, then edited where it was: %+v", p)
		}
		if p := r.in(home("junk"), "junk"); p.Spec != "{" || p.Record.State != "bad" {
			t.Errorf("made junk: %+v", p)
		}
		// By hand into lane 0, as the pages say, with eight lanes.
		r.hand(lane0, "new", spec("new", ""))
		r.hand(lane0, "edit", strings.Replace(text, `"5h"`, `"6h"`, 1))
		r.pass(lane0)
		if p := r.in(home("new"), "new"); p.Record.State != "waiting" {
			t.Errorf("new by hand: %+v", p)
		}
		vs := r.verdicts()
		if !slices.ContainsFunc(vs, func(v check.Verdict) bool { return v.ID == "edit" && strings.Contains(v.Reason, "change that one") }) {
			t.Errorf("there is no verdict on an edit in the wrong lane: %+v", vs)
		}
	})
}

// A partition count that was written by hand is one that checks move by.
func TestPartitionsByHand(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		_, err := r.s.findLanes(ctx)
		r.must(err)
		r.fill(20)
		for i, n := range []string{"8", "2"} {
			zones, err := r.Zones(ctx)
			r.must(err)
			r.must(r.client.HSet(ctx, r.KeyZones(), "default", fmt.Sprintf("%d %s", zones["default"].Version+1, n)).Err())
			ch, err := r.s.findLanes(ctx)
			r.must(err)
			if len(ch.spread) != 1 || len(ch.lost) != 0 {
				t.Errorf("findLanes = %+v", ch)
			}
			_, err = r.s.findLanes(ctx)
			r.must(err)
			zones, err = r.Zones(ctx)
			r.must(err)
			if zones["default"].Spread != 8 {
				t.Errorf("after %s by hand: %+v", n, zones["default"])
			}
			for name, z := range r.s.lanes.zones { // everybody knows
				z.since = z.since.Add(-time.Hour)
				r.s.lanes.zones[name] = z
			}
			if r.settleKnown(); i == 1 && len(r.lanesOf()) != 2 {
				t.Errorf("lanes = %v", r.lanesOf())
			}
		}
	})
}

// settleKnown is settle with a scheduler that reads the list of zones.
func (r *rig) settleKnown() {
	r.t.Helper()
	for range 6 {
		r.learned()
		r.passes()
		r.age()
	}
	_, err := r.s.findLanes(r.t.Context())
	r.must(err)
	r.wantSettled()
}

// learned lets everybody have known the zones for long.
func (r *rig) learned() {
	r.t.Helper()
	_, err := r.s.findLanes(r.t.Context())
	r.must(err)
	for name, z := range r.s.lanes.zones {
		z.since = time.Now().Add(-time.Hour)
		r.s.lanes.zones[name] = z
	}
}

// Nothing moves before everybody has had the time to learn of the new lanes.
func TestMovesWaitUntilLanesAreKnown(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		if learnTime <= 2*lookForLanes {
			t.Errorf("lanes are new for %s, and looked for each %s", learnTime, lookForLanes)
		}
		_, err := r.s.findLanes(t.Context())
		r.must(err)
		r.fill(8)
		r.partitions(4)
		for range 2 { // not seen yet; seen just now
			r.passes()
			if n := r.client.HLen(t.Context(), r.KeySpecs(lane0)).Val(); n != 8 {
				t.Errorf("%d specs in lane 0, want all 8", n)
			}
			begin := time.Now()
			_, err = r.s.findLanes(t.Context())
			r.must(err)
			z := r.s.lanes.zones["default"]
			if z.since.Before(begin) {
				t.Errorf("the new lanes are known since %s, want %s or later", z.since, begin)
			}
			z.since = time.Now().Add(time.Hour) // it stays just now, however long the passes take
			r.s.lanes.zones["default"] = z
		}
		r.settleKnown()
	})
}

// A check whose incident its handlers have yet to hear of stays, so that they
// hear of it in order.
func TestUndeliveredChangesHoldAMove(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.want(accepted, set("a", "1h")...)
		fresh := crit
		fresh.Incident = &check.Incident{ID: "default/a/5", To: check.StateCrit, Updated: r.now()}
		r.complete(r.lease("w")[0], fresh, r.now()+1000)
		r.must(r.client.XGroupCreate(ctx, r.KeyChanges(lane0), "pager", "0").Err())
		r.want(accepted, "op move id a to fra")
		r.pass(lane0)
		if p := r.place("a"); p.Record.State != "waiting" {
			t.Fatalf("it has moved before its incident was told: %+v", p)
		}
		found, err := r.client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "pager", Consumer: "w", Streams: []string{r.KeyChanges(lane0), ">"}, Block: -1}).Result()
		r.must(err)
		r.must(r.client.XAck(ctx, r.KeyChanges(lane0), "pager", found[0].Messages[0].ID).Err())
		r.must(r.client.HSet(ctx, r.KeyIncidents(lane0), "default/a/5/pager", "x-1").Err())
		r.must(r.Beat(ctx, check.Heartbeat{Name: "w", Handlers: []string{"pager"}}))
		r.settle()
		if got := r.client.HGet(ctx, r.KeyIncidents(fra0), "default/a/5/pager").Val(); got != "x-1" {
			t.Errorf("the handler's own id is %q in fra", got)
		}
	})
}

// dying is a queue whose process ends before or after its n-th step of moves.
type dying struct {
	*redisqueue.Queue
	left  int
	after bool
}

func (d *dying) step(do func() error) error {
	d.left--
	if d.left < 0 || d.left == 0 && !d.after {
		return errCrash
	}
	if err := do(); err != nil {
		return err
	}
	if d.left == 0 {
		return errCrash
	}
	return nil
}

func (d *dying) Plant(ctx context.Context, l check.Lane, s []check.Stone) (out []bool, err error) {
	err = d.step(func() error { out, err = d.Queue.Plant(ctx, l, s); return err })
	return out, err
}

func (d *dying) Adopt(ctx context.Context, l check.Lane, as []check.Adoption) (out []check.AdoptOutcome, err error) {
	err = d.step(func() error { out, err = d.Queue.Adopt(ctx, l, as); return err })
	return out, err
}

func (d *dying) Freeze(ctx context.Context, l check.Lane, items []check.Freezing) (out []check.Frozen, err error) {
	err = d.step(func() error { out, err = d.Queue.Freeze(ctx, l, items); return err })
	return out, err
}

func (d *dying) Arrive(ctx context.Context, l check.Lane, c []check.Cargo) (out []check.MoveOutcome, err error) {
	err = d.step(func() error { out, err = d.Queue.Arrive(ctx, l, c); return err })
	return out, err
}

func (d *dying) Depart(ctx context.Context, l check.Lane, c []check.Departure) (out []check.MoveOutcome, err error) {
	err = d.step(func() error { out, err = d.Queue.Depart(ctx, l, c); return err })
	return out, err
}

func (d *dying) Follow(ctx context.Context, l check.Lane, z check.Zone) (n int, err error) {
	err = d.step(func() error { n, err = d.Queue.Follow(ctx, l, z); return err })
	return n, err
}

func (d *dying) ChangeZone(ctx context.Context, zone string, z check.Zone) (ok bool, err error) {
	err = d.step(func() error { ok, err = d.Queue.ChangeZone(ctx, zone, z); return err })
	return ok, err
}

// Whatever the step at which a scheduler dies, nothing runs twice before the
// next one comes, and that one brings everything to its place.
func TestCrashAtEveryStepOfAMove(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 24; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %v", n, after), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, redistest.Mini(t))
				r.fill(6)
				r.want(accepted, set("x", "1h")...)
				r.partitions(3)
				entry := r.request("op move id x to fra")
				r.s.unlockIntake(t.Context())
				d := &dying{Queue: r.Queue, left: n, after: after}
				s := r.scheduler(d)
				st := newState()
				_ = s.takeInOnce(t.Context(), t.Context(), &st)
				r.must(r.IntakeUnlock(t.Context(), s.owner))
				for range 2 {
					for _, lane := range r.lanesOf() {
						_ = s.RepairOnce(t.Context(), lane)
					}
					r.age()
				}
				r.onePlace()
				r.st = newState()
				r.takeIn()
				r.settle()
				r.quiet()
				for _, v := range r.verdicts() {
					if v.Entry == entry && v.Verdict != accepted {
						t.Errorf("verdict = %+v", v)
					}
				}
				if p := r.in(fra0, "x"); p.Spec == "" {
					t.Errorf("x did not come: %+v", p)
				}
			})
		}
	}
}

// onePlace fails when a check can run in two lanes.
func (r *rig) onePlace() {
	r.t.Helper()
	seen := map[string]string{}
	for _, lane := range r.lanesOf() {
		for id, text := range r.client.HGetAll(r.t.Context(), r.KeyRuns(lane)).Val() {
			rec, err := redisqueue.ParseRecord(text)
			r.must(err)
			if rec.State != "waiting" && rec.State != "queued" && rec.State != "leased" {
				continue
			}
			if other, ok := seen[id]; ok {
				r.t.Errorf("%s can run in %s and in %s", id, other, lane)
			}
			seen[id] = lane.String()
		}
	}
}
