package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// maxLease is the longest lease that a worker may ask for.
const maxLease = check.MaxLease

var repairScript = script("repair")

// Repair compares checks of the registry with their records, the schedule and
// the stream, at most a few hundred a call. With mend it mends what it finds;
// findings with Open set need the caller: FindingHand is to be adopted (or sent
// again as Bad), FindingFrozen to be carried on, FindingLost and FindingFar are to be sent again with a Place.
func (q *Queue) Repair(ctx context.Context, lane check.Lane, items []check.RepairItem, mend bool) ([]check.Finding, error) {
	var bad, ask []check.RepairItem
	for _, it := range items {
		if it.Bad && mend {
			bad = append(bad, it)
		} else {
			ask = append(ask, it)
		}
	}
	if _, err := q.refuse(ctx, lane, bad); err != nil || len(ask) == 0 {
		return nil, err
	}
	args := make([]any, 0, 3+4*len(ask))
	args = append(args, GroupWorkers, maxLease.Milliseconds(), bit(mend))
	for _, it := range ask {
		args = append(args, it.ID, it.SHA, it.Ahead, it.Place)
	}
	keys := []string{q.KeyRuns(lane), q.KeyDue(lane), q.KeyReady(lane)}
	reply, err := q.words(ctx, repairScript, "repair", keys, args...)
	if err != nil {
		return nil, err
	}
	var out []check.Finding
	for i, v := range reply {
		kind := toText(v)
		if kind == "" {
			continue
		}
		placed := (kind == check.FindingLost || kind == check.FindingFar) && ask[i].Place != 0
		open := kind == check.FindingHand || kind == check.FindingFrozen || ((kind == check.FindingLost || kind == check.FindingFar) && !placed)
		out = append(out, check.Finding{ID: ask[i].ID, Kind: kind, Open: open || !mend})
	}
	return out, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
