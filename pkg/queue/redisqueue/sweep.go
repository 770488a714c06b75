package redisqueue

import (
	"context"
	"fmt"

	"github.com/redpoll/redpoll/pkg/check"
)

var sweepScript = script("sweep")

// FindingExpired is a tombstone past its time: housekeeping, nothing wrong.
const FindingExpired = "expired"

// A sweep walks over these parts of a lane, one after the other.
const (
	sweepRuns = iota
	sweepDue
	sweepLast
	sweepEnd
)

// SweepCursor is where a sweep goes on; the zero value is its start.
type SweepCursor struct {
	part   int
	cursor uint64
}

// Done tells that the sweep has seen everything.
func (c SweepCursor) Done() bool { return c.part == sweepEnd }

// Sweep looks at one page of records, due times or last records for what has
// no spec any more. FindingVanished and FindingDone are the caller's to remove.
func (q *Queue) Sweep(ctx context.Context, lane check.Lane, c SweepCursor, count int, mend bool) ([]check.Finding, SweepCursor, error) {
	ids, cursor, err := q.sweepPage(ctx, lane, c, count)
	if err != nil {
		return nil, c, err
	}
	next := SweepCursor{part: c.part, cursor: cursor}
	if cursor == 0 {
		next = SweepCursor{part: c.part + 1}
	}
	if len(ids) == 0 {
		return nil, next, nil
	}
	args := make([]any, 0, 1+len(ids))
	args = append(args, bit(mend))
	for _, id := range ids {
		args = append(args, id)
	}
	keys := []string{q.KeySpecs(lane), q.KeyRuns(lane), q.KeyDue(lane), q.KeyLast(lane)}
	reply, err := q.words(ctx, sweepScript, "sweep", keys, args...)
	if err != nil {
		return nil, c, err
	}
	var out []check.Finding
	for i, v := range reply {
		if kind := toText(v); kind != "" {
			open := !mend || kind == check.FindingVanished || kind == check.FindingDone
			out = append(out, check.Finding{ID: ids[i], Kind: kind, Open: open})
		}
	}
	return out, next, nil
}

// sweepPage reads ids; a scan answers with pairs of which the first is the id.
func (q *Queue) sweepPage(ctx context.Context, lane check.Lane, c SweepCursor, count int) ([]string, uint64, error) {
	var pairs []string
	var cursor uint64
	var err error
	switch c.part {
	case sweepRuns:
		pairs, cursor, err = q.client.HScan(ctx, q.KeyRuns(lane), c.cursor, "", int64(count)).Result()
	case sweepDue:
		pairs, cursor, err = q.client.ZScan(ctx, q.KeyDue(lane), c.cursor, "", int64(count)).Result()
	case sweepLast:
		pairs, cursor, err = q.client.HScan(ctx, q.KeyLast(lane), c.cursor, "", int64(count)).Result()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("sweep lane %s: %w", lane, err)
	}
	ids := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		ids = append(ids, pairs[i])
	}
	return ids, cursor, nil
}
