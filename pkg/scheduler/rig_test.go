package scheduler

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

var lane0 = check.Lane{Zone: "default"}

// probeParams are those of the command that the tests' schedulers know.
type probeParams struct {
	Host string `json:"host"`
}

func testCommands() check.Commands {
	return check.Commands{
		"probe": check.Typed(probeParams{}, func(p probeParams) (check.Command, error) {
			switch p.Host {
			case "":
				return nil, errors.New("host: is missing")
			case "panic":
				panic("validator of probe")
			}
			return check.CommandFunc(nil), nil
		}),
	}
}

// rig is a scheduler on a Redis of its own, driven by hand.
type rig struct {
	*redisqueue.Queue
	t        *testing.T
	client   *redis.Client
	s        *Scheduler
	st       intakeState
	repaired []string // id/kind
}

func newRig(t *testing.T, c *redis.Client) *rig {
	t.Helper()
	r := &rig{Queue: redisqueue.New(c, ""), t: t, client: c, st: newState()}
	r.s = r.scheduler(r.Queue)
	r.must(r.Prepare(t.Context(), lane0))
	_, err := r.IntakePending(t.Context(), "0-0", 1) // makes the group
	r.must(err)
	return r
}

func newState() intakeState { return intakeState{block: time.Millisecond, dirty: true} }

func (r *rig) scheduler(q Queue) *Scheduler {
	return New(q, Config{Commands: testCommands(), Hooks: Hooks{
		Repaired: func(_ check.Lane, id, kind string) { r.repaired = append(r.repaired, id+"/"+kind) },
	}})
}

// eachRig runs f on miniredis and on a real server.
func eachRig(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, c *redis.Client) { f(t, newRig(t, c)) })
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// request puts words (field, value, ...) into the intake; op delete id web1 may
// be given as one text.
func (r *rig) request(words ...string) string {
	r.t.Helper()
	if len(words) == 1 {
		words = strings.Fields(words[0])
	}
	id, err := r.Request(r.t.Context(), words)
	r.must(err)
	return id
}

// takeIn applies what is in the intake.
func (r *rig) takeIn() {
	r.t.Helper()
	r.must(r.s.takeInOnce(r.t.Context(), r.t.Context(), &r.st))
}

// verdicts reads the intake's log.
func (r *rig) verdicts() []check.Verdict {
	r.t.Helper()
	found, err := r.client.XRange(r.t.Context(), r.KeyIntakeLog(), "-", "+").Result()
	r.must(err)
	var out []check.Verdict
	for _, m := range found {
		word := func(name string) string { s, _ := m.Values[name].(string); return s }
		out = append(out, check.Verdict{
			Entry: word("entry"), Zone: word("zone"), ID: word("id"), Op: word("op"), Verdict: word("verdict"), Reason: word("reason"),
		})
	}
	return out
}

// ask applies one request and gives its verdict.
func (r *rig) ask(words ...string) check.Verdict {
	r.t.Helper()
	entry := r.request(words...)
	r.takeIn()
	for _, v := range slices.Backward(r.verdicts()) {
		if v.Entry == entry {
			return v
		}
	}
	r.t.Fatalf("no verdict on %q", words)
	return check.Verdict{}
}

// want asks and compares the verdict.
func (r *rig) want(verdict string, words ...string) check.Verdict {
	r.t.Helper()
	v := r.ask(words...)
	if v.Verdict != verdict {
		r.t.Errorf("verdict on %q = %s (%s), want %s", words, v.Verdict, v.Reason, verdict)
	}
	return v
}

func (r *rig) place(id string) redisqueue.Place {
	r.t.Helper()
	places, err := r.Places(r.t.Context(), lane0, []string{id})
	r.must(err)
	return places[0]
}

func (r *rig) now() int64 {
	r.t.Helper()
	ms, err := r.Now(r.t.Context())
	r.must(err)
	return ms
}

// lease dispatches what is due and leases it as a worker would.
func (r *rig) lease(worker string) []check.Lease {
	r.t.Helper()
	ctx := r.t.Context()
	_, err := r.Dispatch(ctx, lane0, 200)
	r.must(err)
	entries, err := r.Read(ctx, worker, []check.Lane{lane0}, 200, 0)
	r.must(err)
	if len(entries) == 0 {
		return nil
	}
	leases, _, err := r.Lease(ctx, check.LeaseRequest{
		Lane: lane0, Worker: worker, Token: worker + "/" + entries[0].SID, Lease: time.Minute, Suspects: 1, Entries: entries,
	})
	r.must(err)
	return leases
}

// complete ends a run with a result that is due again at next.
func (r *rig) complete(l check.Lease, last check.Last, next int64) check.Outcome {
	r.t.Helper()
	text, err := json.Marshal(last)
	r.must(err)
	c := check.Completion{Entry: l.Entry, Token: l.Token, Rev: l.Rev, Record: l.Record, Next: next, Last: string(text), Event: "{}"}
	if open := last.Open(); open != nil {
		inc, err := json.Marshal(open)
		r.must(err)
		c.IncidentID, c.Incident, c.Change = open.ID, string(inc), "{}"
	}
	out, err := r.Complete(r.t.Context(), lane0, []check.Completion{c})
	r.must(err)
	return out[0]
}

// quiet fails unless the intake is empty and nothing is pending.
func (r *rig) quiet() {
	r.t.Helper()
	n, err := r.client.XLen(r.t.Context(), r.KeyIntake()).Result()
	r.must(err)
	p, err := r.client.XPending(r.t.Context(), r.KeyIntake(), redisqueue.GroupSchedulers).Result()
	r.must(err)
	if n != 0 || p.Count != 0 {
		r.t.Errorf("intake holds %d entries, %d pending, want none", n, p.Count)
	}
}
