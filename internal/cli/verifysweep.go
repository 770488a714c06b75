package cli

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// sweep looks for what is left of checks that have no spec.
func (v *verifier) sweep(ctx context.Context, lane check.Lane, wanted map[string]bool, mend bool) ([]problem, error) {
	var out []problem
	seen := make(map[string]bool)
	for cursor := (check.SweepCursor{}); !cursor.Done; {
		found, next, err := v.conn.Sweep(ctx, lane, cursor, verifyPage, mend)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			// A one-shot that ran, a tombstone past its time and the end of an
			// acknowledgement are no fault.
			if f.Kind == check.FindingDone || f.Kind == "expired" || f.Kind == check.FindingFrozen || f.Kind == check.FindingAckOver || seen[f.ID] || wanted != nil && !wanted[f.ID] {
				continue
			}
			seen[f.ID] = true
			out = append(out, newProblem(lane, f.ID, f.Kind))
		}
		cursor = next
	}
	return out, nil
}
