package redisqueue

import (
	"context"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
)

// DispatchMax is the most checks that one Dispatch moves.
const DispatchMax = 200

var dispatchScript = script("dispatch")

// Dispatch moves at most limit (and at most DispatchMax) due checks of a lane
// into its stream. Any number of schedulers may call it at once.
func (q *Queue) Dispatch(ctx context.Context, lane check.Lane, limit int) (check.Dispatched, error) {
	if limit <= 0 || limit > DispatchMax {
		limit = DispatchMax
	}
	keys := []string{q.KeyDue(lane), q.KeyReady(lane), q.KeyRuns(lane)}
	reply, err := q.words(ctx, dispatchScript, "dispatch", keys, limit)
	if err != nil {
		return check.Dispatched{}, err
	}
	d := check.Dispatched{Moved: int(toInt(reply[0])), Now: toInt(reply[1]), Next: -1}
	if next, err := strconv.ParseFloat(toText(reply[2]), 64); err == nil && next != -1 && next < 1e15 {
		d.Next = max(int64(next), 0)
	}
	for i, id := range reply[4:] {
		if i < int(toInt(reply[3])) {
			d.Frozen = append(d.Frozen, toText(id))
		} else {
			d.Dropped = append(d.Dropped, toText(id))
		}
	}
	return d, nil
}
