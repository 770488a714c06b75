package redisqueue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// LeaseBytes is about the most bytes of specs in one answer.
const LeaseBytes = 1 << 20

var leaseScript = script("lease")

// The answers of lease.lua that are no record.
const (
	takenOver = 1
	later     = 4
)

// Lease asks for the right to run the entries of req, which are all of one
// lane and were delivered to req.Worker. Entries in again are still the
// worker's to ask for again; those in neither list are nobody's business here
// any more: discarded, or another's.
//
// An entry whose spec was taken out of the registry by hand is put back for
// repair to find. When the specs are more than LeaseBytes, the rest is handed
// back to the stream.
func (q *Queue) Lease(ctx context.Context, req check.LeaseRequest) (leases []check.Lease, again []check.Entry, err error) {
	if len(req.Entries) == 0 {
		return nil, nil, nil
	}
	asked := time.Now()
	reply, lasts, err := q.leaseAndLast(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	leases = make([]check.Lease, 0, len(req.Entries))
	var unknown []int
	now, rest := toInt(reply[0]), reply[1:]
	for i, e := range req.Entries {
		reclaimed := false
		if toInt(rest[0]) == takenOver {
			reclaimed, rest = true, rest[1:]
		}
		record, isRecord := rest[0].(string)
		if toInt(rest[0]) == later {
			again = append(again, e)
		}
		rest = rest[1:]
		if !isRecord {
			continue
		}
		l := check.Lease{Entry: e, Token: req.Token, Record: record, Now: now, Asked: asked, Last: toText(lasts[i]), Reclaimed: reclaimed}
		if l.Crashes, l.Rev = leaseWords(record); l.Rev != req.Rev(i) {
			unknown = append(unknown, len(leases))
		}
		leases = append(leases, l)
	}
	if len(unknown) > 0 {
		leases, err = q.withSpecs(ctx, req.Lane, leases, unknown)
	}
	return leases, again, err
}

// leaseAndLast runs the script and reads the last records behind it, in one
// round trip: nobody but the new owner may write them then.
func (q *Queue) leaseAndLast(ctx context.Context, req check.LeaseRequest) (reply, lasts []any, err error) {
	lost := 1
	if req.Outage {
		lost = 0
	}
	n := len(req.Entries)
	args := make([]any, 5+2*n)
	args[0], args[1], args[2], args[3], args[4] = GroupWorkers, req.Token, req.Lease.Milliseconds(), req.Suspects, lost
	ids := make([]string, n)
	for i, e := range req.Entries {
		args[5+i], args[5+n+i] = e.ID, strconv.FormatInt(e.Planned, 10)+" "+e.SID
		ids[i] = e.ID
	}
	keys := []string{q.KeyReady(req.Lane), q.KeyRuns(req.Lane)}
	var script *redis.Cmd
	var last *redis.SliceCmd
	for _, eval := range []func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd{leaseScript.EvalSha, leaseScript.Eval} {
		pipe := q.client.Pipeline()
		script = eval(ctx, pipe, keys, args...)
		last = pipe.HMGet(ctx, q.KeyLast(req.Lane), ids...)
		_, _ = pipe.Exec(ctx) // each command has its own error
		if !redis.HasErrorPrefix(script.Err(), "NOSCRIPT") {
			break
		}
	}
	if err := script.Err(); err != nil {
		return nil, nil, fmt.Errorf("lease %s: %w", keys[0], err)
	}
	if err := last.Err(); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", q.KeyLast(req.Lane), err)
	}
	reply, err = script.Slice()
	return reply, last.Val(), err
}

// leaseWords reads the crash count and the revision out of a run record.
func leaseWords(record string) (crashes int, rev string) {
	for range 6 {
		_, record, _ = strings.Cut(record, " ")
	}
	count, record, _ := strings.Cut(record, " ")
	rev, _, _ = strings.Cut(record, " ")
	crashes, _ = strconv.Atoi(count)
	return crashes, rev
}

// withSpecs reads the specs of the leases with the given numbers. A lease
// whose spec is missing or too long is ended, one that does not fit into the
// answer any more is handed back.
func (q *Queue) withSpecs(ctx context.Context, lane check.Lane, leases []check.Lease, unknown []int) ([]check.Lease, error) {
	texts, err := q.boundedSpecs(ctx, lane, leases, unknown)
	if err != nil {
		return nil, err
	}
	drop := map[int]bool{}
	var back []check.Holding
	var end []check.Completion
	for k, i := range unknown {
		l := &leases[i]
		switch t := texts[k]; {
		case t.over:
			back = append(back, check.Holding{Entry: l.Entry, Token: l.Token})
			drop[i] = true
		case t.text == "":
			end = append(end, check.Completion{Entry: l.Entry, Token: l.Token, Rev: l.Rev, Record: l.Record, Next: l.Now + missingPause})
			drop[i] = true
		default:
			l.Spec = t.text
			if !ofRecord(l.Record, t.text) {
				l.Rev = "" // the record's revision is of another text: nobody may know this one by it
			}
		}
	}
	if _, err := q.Release(ctx, lane, back); err != nil {
		return nil, err
	}
	if _, err := q.Complete(ctx, lane, end); err != nil {
		return nil, err
	}
	kept := leases[:0]
	for i, l := range leases {
		if !drop[i] {
			kept = append(kept, l)
		}
	}
	return kept, nil
}

// ofRecord tells whether a spec is the one that the record knows. Another one
// was written by hand, or by a request a moment ago.
func ofRecord(record, text string) bool {
	w := strings.Split(record, " ")
	return len(w) == 11 && w[9] == check.SHA(text)[:16]
}

// missingPause is how long a check without a spec is left alone, ms: repair
// removes it before.
const missingPause = 30_000

// boundedText is a spec, or none: missing, too long, or over what an answer takes.
type boundedText struct {
	text string
	over bool
}

// boundedSpecs asks for lengths before it asks for texts, at most LeaseBytes.
func (q *Queue) boundedSpecs(ctx context.Context, lane check.Lane, leases []check.Lease, which []int) ([]boundedText, error) {
	pipe := q.client.Pipeline()
	lengths := make([]*redis.IntCmd, len(which))
	for k, i := range which {
		lengths[k] = pipe.HStrLen(ctx, q.KeySpecs(lane), leases[i].ID)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("measure %s: %w", q.KeySpecs(lane), err)
	}
	out := make([]boundedText, len(which))
	var ids []string
	var at []int
	total := int64(0)
	for k, i := range which {
		n := lengths[k].Val()
		switch {
		case n == 0 || n > check.MaxSpec:
		case total > 0 && total+n > LeaseBytes:
			out[k].over = true
		default:
			total += n
			ids, at = append(ids, leases[i].ID), append(at, k)
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	texts, err := q.client.HMGet(ctx, q.KeySpecs(lane), ids...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeySpecs(lane), err)
	}
	for k, text := range texts {
		out[at[k]].text = toText(text)
	}
	return out, nil
}
