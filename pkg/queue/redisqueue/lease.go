package redisqueue

import (
	"context"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
)

// LeaseBytes is about the most bytes of specs and last records in one answer.
const LeaseBytes = 1 << 20

var leaseScript = script("lease")

// The codes of lease.lua.
const (
	leased = iota
	takenOver
	discarded
	held
	later
)

// Lease asks for the right to run the entries of req, which are all of one
// lane and were delivered to req.Worker. Entries in later are still the
// worker's to ask for again; those in neither list are nobody's business here
// any more: discarded, or another's.
func (q *Queue) Lease(ctx context.Context, req check.LeaseRequest) (leases []check.Lease, again []check.Entry, err error) {
	if len(req.Entries) == 0 {
		return nil, nil, nil
	}
	args := make([]any, 0, 6+3*len(req.Entries))
	args = append(args, GroupWorkers, req.Token, req.Lease.Milliseconds(), req.Suspects, LeaseBytes, check.MaxSpec)
	for i, e := range req.Entries {
		rev := ""
		if i < len(req.Revs) {
			rev = req.Revs[i]
		}
		args = append(args, e.SID, e.ID, rev)
	}
	keys := []string{q.KeyReady(req.Lane), q.KeyRuns(req.Lane), q.KeySpecs(req.Lane), q.KeyLast(req.Lane)}
	reply, err := q.words(ctx, leaseScript, "lease", keys, args...)
	if err != nil {
		return nil, nil, err
	}
	leases = make([]check.Lease, 0, len(req.Entries))
	now, rest := toInt(reply[0]), reply[1:]
	for _, e := range req.Entries {
		code := toInt(rest[0])
		rest = rest[1:]
		switch code {
		case leased, takenOver:
			planned, _ := strconv.ParseInt(toText(rest[0]), 10, 64)
			crashes, _ := strconv.Atoi(toText(rest[2]))
			leases = append(leases, check.Lease{
				Entry: e, Token: req.Token, Planned: planned, Rev: toText(rest[1]), Crashes: crashes,
				Spec: toText(rest[3]), Last: toText(rest[4]), Now: now, Reclaimed: code == takenOver,
			})
			rest = rest[5:]
		case later:
			again = append(again, e)
		}
	}
	return leases, again, nil
}
