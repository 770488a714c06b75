package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

var errCrash = errors.New("the process ended here")

// crashing is a Queue whose process ends before or after its n-th write of the
// intake.
type crashing struct {
	*redisqueue.Queue
	left  int
	after bool
}

func (c *crashing) write(do func() error) error {
	c.left--
	if c.left == 0 && !c.after {
		return errCrash
	}
	if err := do(); err != nil {
		return err
	}
	if c.left == 0 || c.left < 0 {
		return errCrash
	}
	return nil
}

func (c *crashing) Adopt(ctx context.Context, l check.Lane, as []check.Adoption) (out []check.AdoptOutcome, err error) {
	err = c.write(func() error { out, err = c.Queue.Adopt(ctx, l, as); return err })
	return out, err
}

func (c *crashing) Remove(ctx context.Context, l check.Lane, rm check.Removal) (out check.AdoptOutcome, err error) {
	err = c.write(func() error { out, err = c.Queue.Remove(ctx, l, rm); return err })
	return out, err
}

func (c *crashing) RunNow(ctx context.Context, l check.Lane, id, rev string) (out check.AdoptOutcome, err error) {
	err = c.write(func() error { out, err = c.Queue.RunNow(ctx, l, id, rev); return err })
	return out, err
}

func (c *crashing) IntakeDone(ctx context.Context, vs []check.Verdict) error {
	return c.write(func() error { return c.Queue.IntakeDone(ctx, vs) })
}

// Whatever the point at which a scheduler dies, the next one brings the same
// about: every request is applied, and its verdict is the one of a quiet run.
func TestCrashAtEveryPointOfTheIntake(t *testing.T) {
	t.Parallel()
	requests := [][]string{
		set("a", "1h"), set("b", "1h"), {"op", "pause", "id", "a"}, set("c", "1h"), {"op", "delete", "id", "b"},
		{"op", "run", "id", "c"}, {"op", "resume", "id", "a"}, {"op", "delete", "id", "c"}, set("b", "2h"), {"id", "rubbish"},
	}
	state := func(t *testing.T, n int, after bool) string {
		t.Helper()
		r := newRig(t, redistest.Mini(t))
		var entries []string
		for _, words := range requests {
			entries = append(entries, r.request(words...))
		}
		if n > 0 {
			q := &crashing{Queue: r.Queue, left: n, after: after}
			st := newState()
			// The process ends: what this scheduler would do next never is.
			dying := r.scheduler(q)
			_ = dying.takeInOnce(t.Context(), t.Context(), &st)
			r.must(r.IntakeUnlock(t.Context(), dying.owner)) // 2 s later
		}
		r.takeIn()
		r.quiet()
		verdicts := map[string]string{}
		for _, v := range r.verdicts() {
			verdicts[v.Entry] = v.Verdict
		}
		var out strings.Builder
		for i, e := range entries {
			fmt.Fprintf(&out, "%s %s; ", requests[i], verdicts[e])
		}
		for _, id := range []string{"a", "b", "c"} {
			p := r.place(id)
			fmt.Fprintf(&out, "%s: %s %s paused %v due %v; ", id, p.Spec, p.Record.State, p.Record.Paused, p.Due > 0)
		}
		return out.String()
	}
	want := state(t, 0, false)
	if !strings.Contains(want, "rubbish] rejected") || strings.Count(want, accepted) != len(requests)-1 {
		t.Fatalf("a quiet run gives %s", want)
	}
	for n := 1; n <= 8; n++ {
		for _, after := range []bool{false, true} {
			if got := state(t, n, after); got != want {
				t.Errorf("crash at write %d (after it: %v):\n got %s\nwant %s", n, after, got, want)
			}
		}
	}
}

// Two schedulers that both believe to hold the lock never bring a check back
// that was deleted last, and always end with the one that was set last.
func TestRacingSchedulersKeepTheOrder(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, c *redis.Client) {
		r := newRig(t, c)
		ctx := t.Context()
		last := map[string]string{}
		for i := range 300 {
			id := fmt.Sprintf("c%d", rand.N(5))
			words := set(id, fmt.Sprintf("%dh", 1+i%100))
			last[id] = words[7]
			if rand.N(2) == 0 {
				words = []string{"op", "delete", "id", id}
				last[id] = ""
			}
			r.request(words...)
		}
		entries, err := r.IntakeNew(ctx, 1000, 0)
		r.must(err)
		var wg sync.WaitGroup
		for range 3 {
			s := r.scheduler(r.Queue)
			s.held.Store(time.Now().Add(time.Hour).UnixNano())
			wg.Go(func() {
				for page := range slices.Chunk(entries, 20) {
					if _, err := s.apply(ctx, page, false); err != nil {
						t.Errorf("apply() = %v", err)
					}
				}
			})
		}
		wg.Wait()
		r.quiet()
		for id, every := range last {
			if spec := r.place(id).Spec; every == "" && spec != "" || !strings.Contains(spec, every) {
				t.Errorf("%s ends as %q, want every %q", id, spec, every)
			}
		}
	})
}

// A slow scheduler that applies its batch long after another one did the same
// and more brings nothing back.
func TestLateSchedulerBringsNothingBack(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.request(set("a", "1h")...)
		r.request("op run id a")
		late, err := r.IntakeNew(ctx, 10, 0)
		r.must(err)
		r.takeIn()
		r.want(accepted, "op delete id a")
		slow := r.scheduler(r.Queue)
		slow.held.Store(time.Now().Add(time.Hour).UnixNano())
		if _, err := slow.apply(ctx, late, false); err != nil {
			t.Fatal(err)
		}
		if p := r.place("a"); p.Spec != "" || p.Due != 0 || p.Record.State != "removed" {
			t.Errorf("a = %+v, want it removed", p)
		}
	})
}

// Fault 10 of the ancestors: a check in memory was lost with the process. No
// check is only in the memory of a scheduler: after each step of its life
// the scheduler is thrown away.
func TestCheckIsNeverOnlyInMemory(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		anew := func() {
			r.must(r.IntakeUnlock(t.Context(), r.s.owner))
			r.s = r.scheduler(r.Queue)
			r.st = newState()
		}
		r.request(set("a", "1h")...)
		_, err := r.IntakeNew(t.Context(), 10, 0) // read by one that dies
		r.must(err)
		anew()
		r.takeIn()
		anew()
		ls := r.lease("w")
		if len(ls) != 1 || ls[0].ID != "a" {
			t.Fatalf("leases = %+v, want a", ls)
		}
		anew()
		if out := r.complete(ls[0], check.Last{}, r.now()); out != check.OutcomeDone {
			t.Fatalf("complete = %v", out)
		}
		anew()
		if ls = r.lease("w2"); len(ls) != 1 || ls[0].ID != "a" {
			t.Fatalf("leases = %+v, want a again", ls)
		}
	})
}

// A lane that does not answer holds up its own requests alone, and they are
// applied in order when it is back.
func TestLaneAwayHoldsUpItselfAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Mini(t))
	away := true
	r.s = r.scheduler(&laneAway{Queue: r.Queue, zone: "eu", away: &away})
	r.request(append(set("a", "1h"), "zone", "eu")...)
	r.request(append(set("a", "2h"), "zone", "eu")...)
	r.want(accepted, set("a", "1h")...)
	if n := len(r.verdicts()); n != 1 {
		t.Fatalf("%d verdicts, want that of the other lane", n)
	}
	away = false
	r.st.tried = time.Time{}
	r.takeIn()
	r.quiet()
	st, err := r.Specs(t.Context(), check.Lane{Zone: "eu"}, []string{"a"})
	r.must(err)
	if !strings.Contains(st[0].Spec, `"2h"`) {
		t.Errorf("spec = %s, want the later one", st[0].Spec)
	}
}

func TestLaneAwayForGoodIsToldToTheUser(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Mini(t))
	away := true
	r.s = r.scheduler(&laneAway{Queue: r.Queue, zone: "eu", away: &away})
	r.request(append(set("a", "1h"), "zone", "eu")...)
	for range triesAway {
		r.st.tried = time.Time{}
		r.takeIn()
	}
	r.quiet()
	if v := r.verdicts(); len(v) != 1 || v[0].Verdict != rejected || !strings.Contains(v[0].Reason, "connection refused") {
		t.Errorf("verdicts = %+v", v)
	}
	if len(r.s.tries) != 0 {
		t.Errorf("%d tries are still remembered", len(r.s.tries))
	}
}

// laneAway is a Queue that does not reach one zone.
type laneAway struct {
	*redisqueue.Queue
	zone string
	away *bool
}

func (q *laneAway) Specs(ctx context.Context, lane check.Lane, ids []string) ([]check.Stored, error) {
	if *q.away && lane.Zone == q.zone {
		return nil, errors.New("dial tcp: connection refused")
	}
	return q.Queue.Specs(ctx, lane, ids)
}

// A scheduler that lost the lock during a batch leaves the verdicts to the one
// that has it.
func TestNoVerdictsWithoutTheLock(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		entry := r.request(set("a", "1h")...)
		entries, err := r.IntakeNew(ctx, 10, 0)
		r.must(err)
		ok, err := r.IntakeLock(ctx, "another")
		if err != nil || !ok {
			t.Fatalf("IntakeLock() = %v, %v", ok, err)
		}
		r.must(r.client.Persist(ctx, r.KeyIntakeLock()).Err()) // for as long as the test takes
		if _, err := r.s.apply(ctx, entries, false); !errors.Is(err, errLockLost) {
			t.Errorf("apply() = %v, want errLockLost", err)
		}
		if vs := r.verdicts(); len(vs) != 0 {
			t.Errorf("verdicts = %+v", vs)
		}
		r.must(r.IntakeUnlock(ctx, "another"))
		r.takeIn()
		r.quiet()
		if vs := r.verdicts(); len(vs) != 1 || vs[0].Entry != entry || vs[0].Verdict != accepted {
			t.Errorf("verdicts = %+v", vs)
		}
	})
}
