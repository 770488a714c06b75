package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var adoptScript = script("adopt")

// Adopt takes new or changed specs of one lane under care, in order, at most a
// few hundred a call.
func (q *Queue) Adopt(ctx context.Context, lane check.Lane, items []check.Adoption) ([]check.AdoptOutcome, error) {
	args := make([]any, 0, 8*len(items))
	for i := range items {
		a := &items[i]
		mode, keep := "run", 0
		if a.Paused {
			mode = "paused"
		}
		if a.Keep {
			keep = 1
		}
		if a.Leaves {
			keep = 2
		}
		args = append(args, a.ID, a.Rev, a.Spec, a.SHA, mode, a.OldSHA, a.First, keep)
	}
	return q.adopt(ctx, lane, args)
}

// refuse marks the texts of found specs as not valid.
func (q *Queue) refuse(ctx context.Context, lane check.Lane, items []check.RepairItem) ([]check.AdoptOutcome, error) {
	args := make([]any, 0, 8*len(items))
	for _, it := range items {
		args = append(args, it.ID, "", "", it.SHA, "bad", it.SHA, 0, 0)
	}
	return q.adopt(ctx, lane, args)
}

func (q *Queue) adopt(ctx context.Context, lane check.Lane, args []any) ([]check.AdoptOutcome, error) {
	if len(args) == 0 {
		return nil, nil
	}
	keys := []string{q.KeySpecs(lane), q.KeyRuns(lane), q.KeyDue(lane)}
	reply, err := q.words(ctx, adoptScript, "adopt", keys, args...)
	if err != nil {
		return nil, err
	}
	out := make([]check.AdoptOutcome, len(reply))
	for i, v := range reply {
		out[i] = check.AdoptOutcome(toText(v))
	}
	return out, nil
}
