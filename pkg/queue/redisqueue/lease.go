package redisqueue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// LeaseBytes is about the most bytes of specs in one answer.
const LeaseBytes = 1 << 20

var leaseScript = script("lease")

// The codes of lease.lua.
const (
	leased = iota
	takenOver
	discarded
	held
	later
	_ // a bad record
	leasedSame
)

// Lease asks for the right to run the entries of req, which are all of one
// lane and were delivered to req.Worker. Entries in again are still the
// worker's to ask for again; those in neither list are nobody's business here
// any more: discarded, or another's.
func (q *Queue) Lease(ctx context.Context, req check.LeaseRequest) (leases []check.Lease, again []check.Entry, err error) {
	if len(req.Entries) == 0 {
		return nil, nil, nil
	}
	args := make([]any, 0, 6+3*len(req.Entries))
	args = append(args, GroupWorkers, req.Token, req.Lease.Milliseconds(), req.Suspects, LeaseBytes, check.MaxSpec)
	ids := make([]string, len(req.Entries))
	for i, e := range req.Entries {
		args = append(args, e.SID, e.ID, req.Rev(i))
		ids[i] = e.ID
	}
	reply, lasts, err := q.leaseAndLast(ctx, req.Lane, args, ids)
	if err != nil {
		return nil, nil, err
	}
	leases = make([]check.Lease, 0, len(req.Entries))
	now, rest := toInt(reply[0]), reply[1:]
	for i, e := range req.Entries {
		code := toInt(rest[0])
		rest = rest[1:]
		l := check.Lease{Entry: e, Token: req.Token, Now: now, Last: toText(lasts[i])}
		switch code {
		case leasedSame:
			l.Rev = req.Rev(i)
			leases = append(leases, l)
		case leased, takenOver:
			l.Rev, l.Spec, l.Reclaimed = toText(rest[0]), toText(rest[2]), code == takenOver
			l.Crashes, _ = strconv.Atoi(toText(rest[1]))
			leases = append(leases, l)
			rest = rest[3:]
		case later:
			again = append(again, e)
		}
	}
	return leases, again, nil
}

// leaseAndLast runs the script and reads the last records behind it, in one
// round trip: nobody but the new owner may write them then.
func (q *Queue) leaseAndLast(ctx context.Context, lane check.Lane, args []any, ids []string) (reply, lasts []any, err error) {
	keys := []string{q.KeyReady(lane), q.KeyRuns(lane), q.KeySpecs(lane)}
	var script *redis.Cmd
	var last *redis.SliceCmd
	for _, eval := range []func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd{leaseScript.EvalSha, leaseScript.Eval} {
		pipe := q.client.Pipeline()
		script = eval(ctx, pipe, keys, args...)
		last = pipe.HMGet(ctx, q.KeyLast(lane), ids...)
		if _, err = pipe.Exec(ctx); !redis.HasErrorPrefix(script.Err(), "NOSCRIPT") {
			break
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("lease %s: %w", keys[0], err)
	}
	reply, err = script.Slice()
	return reply, last.Val(), err
}
