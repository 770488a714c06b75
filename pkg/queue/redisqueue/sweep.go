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
	sweepIncidents = check.SweepIncidents
	sweepEnd       = sweepIncidents + 1
)

// Sweep looks at one page of records, due times or last records for what has
// no spec any more, or of incidents for open ones that their checks do not know.
// FindingVanished and FindingDone are the caller's to remove, FindingFrozen and
// FindingTombstone its to carry to another lane, FindingIncident and
// FindingAckOver its to end.
func (q *Queue) Sweep(ctx context.Context, lane check.Lane, c check.SweepCursor, count int, mend bool) ([]check.Finding, check.SweepCursor, error) {
	if c.Part == sweepIncidents {
		found, cursor, err := q.sweepIncidents(ctx, lane, c.Cursor)
		if err != nil {
			return nil, c, err
		}
		return found, check.SweepCursor{Part: c.Part, Cursor: cursor, Done: cursor == 0, Stones: c.Stones}, nil
	}
	ids, cursor, err := q.sweepPage(ctx, lane, c, count)
	if err != nil {
		return nil, c, err
	}
	next := check.SweepCursor{Part: c.Part, Cursor: cursor, Stones: c.Stones}
	if cursor == 0 {
		next = check.SweepCursor{Part: c.Part + 1, Done: c.Part+1 >= sweepEnd, Stones: c.Stones}
	}
	if len(ids) == 0 {
		return nil, next, nil
	}
	args := make([]any, 0, 2+len(ids))
	args = append(args, bit(mend), bit(c.Stones && c.Part == sweepRuns))
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
			open := !mend || kind == check.FindingVanished || kind == check.FindingDone || kind == check.FindingFrozen || kind == check.FindingTombstone
			if open && mend && c.Part != sweepRuns {
				continue // its record says the same
			}
			out = append(out, check.Finding{ID: ids[i], Kind: kind, Open: open})
		}
	}
	return out, next, nil
}

// sweepPage reads ids; a scan answers with pairs of which the first is the id.
func (q *Queue) sweepPage(ctx context.Context, lane check.Lane, c check.SweepCursor, count int) ([]string, uint64, error) {
	var pairs []string
	var cursor uint64
	var key string
	var err error
	switch c.Part {
	case sweepRuns:
		key = q.KeyRuns(lane)
		pairs, cursor, err = q.client.HScan(ctx, key, c.Cursor, "", int64(count)).Result()
	case sweepDue:
		key = q.KeyDue(lane)
		pairs, cursor, err = q.client.ZScan(ctx, key, c.Cursor, "", int64(count)).Result()
	case sweepLast:
		key = q.KeyLast(lane)
		pairs, cursor, err = q.client.HScan(ctx, key, c.Cursor, "", int64(count)).Result()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("sweep %s: %w", key, err)
	}
	ids := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		ids = append(ids, pairs[i])
	}
	return ids, cursor, nil
}
