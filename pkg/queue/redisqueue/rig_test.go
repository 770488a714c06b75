package redisqueue

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

var lane = check.Lane{Zone: "default"}

// rig is a queue with short words for what tests do all the time.
type rig struct {
	*Queue
	t   *testing.T
	rev int
}

func eachQueue(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, c *redis.Client) {
		r := &rig{Queue: New(c, ""), t: t}
		r.must(r.Prepare(t.Context(), lane))
		f(t, r)
	})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func sha(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func specText(id string, n int) string {
	return fmt.Sprintf(`{"id":%q,"command":"tcp","every":"30s","meta":{"n":"%d"}}`, id, n)
}

// set adopts a spec as a new request that keeps the schedule.
func (r *rig) set(id string, n int, first int64) check.AdoptOutcome {
	r.t.Helper()
	old, err := r.Specs(r.t.Context(), lane, []string{id})
	r.must(err)
	r.rev++
	a := check.Adoption{ID: id, Rev: fmt.Sprintf("%d-0", 1000+r.rev), Spec: specText(id, n), First: first, Keep: true}
	a.SHA = sha(a.Spec)
	if old[0].Spec != "" {
		a.OldSHA = sha(old[0].Spec)
	}
	out, err := r.Adopt(r.t.Context(), lane, []check.Adoption{a})
	r.must(err)
	return out[0]
}

func (r *rig) now() int64 {
	r.t.Helper()
	now, err := r.Now(r.t.Context())
	r.must(err)
	return now
}

func (r *rig) dispatch() check.Dispatched {
	r.t.Helper()
	d, err := r.Dispatch(r.t.Context(), lane, 0)
	r.must(err)
	return d
}

func (r *rig) read(worker string) []check.Entry {
	r.t.Helper()
	entries, err := r.Read(r.t.Context(), worker, []check.Lane{lane}, 100, 0)
	r.must(err)
	return entries
}

func (r *rig) lease(token string, entries ...check.Entry) []check.Lease {
	r.t.Helper()
	leases, _, err := r.Lease(r.t.Context(), check.LeaseRequest{
		Lane: lane, Worker: "w", Token: token, Lease: time.Minute, Suspects: 1, Entries: entries,
	})
	r.must(err)
	return leases
}

// start makes a check, dispatches, reads and leases it.
func (r *rig) start(id, token string) check.Lease {
	r.t.Helper()
	r.set(id, 1, r.now())
	r.dispatch()
	leases := r.lease(token, r.read("w")...)
	if len(leases) != 1 || leases[0].ID != id {
		r.t.Fatalf("leases = %v, want one of %s", leases, id)
	}
	return leases[0]
}

func done(l check.Lease, next int64) check.Completion {
	return check.Completion{
		Record: l.Record,
		Entry:  l.Entry, Token: l.Token, Rev: l.Rev, Next: next, Last: `{"state":"OK"}`, Event: `{"result":{"state":"OK"}}`,
	}
}

func (r *rig) complete(items ...check.Completion) []check.Outcome {
	r.t.Helper()
	out, err := r.Complete(r.t.Context(), lane, items)
	r.must(err)
	return out
}

func (r *rig) place(id string) Place {
	r.t.Helper()
	p, err := r.Places(r.t.Context(), lane, []string{id})
	r.must(err)
	return p[0]
}

func (r *rig) ready() int64 {
	r.t.Helper()
	n, err := r.client.XLen(r.t.Context(), r.KeyReady(lane)).Result()
	r.must(err)
	return n
}

// expire makes a lease run out now.
func (r *rig) expire(id string) {
	r.t.Helper()
	ctx := r.t.Context()
	text, err := r.client.HGet(ctx, r.KeyRuns(lane), id).Result()
	r.must(err)
	words := strings.Split(text, " ")
	words[5] = "1"
	r.must(r.client.HSet(ctx, r.KeyRuns(lane), id, strings.Join(words, " ")).Err())
}

// eventually waits for something that the server's clock brings.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not happen within 20 s")
		}
	}
}

func (r *rig) sweep(mend bool) []check.Finding {
	r.t.Helper()
	var all []check.Finding
	for c := (check.SweepCursor{}); !c.Done; {
		found, next, err := r.Sweep(r.t.Context(), lane, c, 100, mend)
		r.must(err)
		all, c = append(all, found...), next
	}
	return all
}
