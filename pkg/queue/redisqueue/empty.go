package redisqueue

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Delivered tells whether every handler has got every change of a lane.
func (q *Queue) Delivered(ctx context.Context, lane check.Lane) (bool, error) {
	key := q.KeyChanges(lane)
	last, err := q.client.XRevRangeN(ctx, key, "+", "-", 1).Result()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	if len(last) == 0 {
		return true, nil
	}
	groups, err := q.client.XInfoGroups(ctx, key).Result()
	if err != nil && !isNoKey(err) {
		return false, fmt.Errorf("groups of %s: %w", key, err)
	}
	for _, g := range groups {
		if g.Pending > 0 || compareSIDs(g.LastDeliveredID, last[0].ID) < 0 {
			return false, nil
		}
	}
	return true, nil
}

// compareSIDs compares ids of stream entries.
func compareSIDs(a, b string) int {
	aMS, aSeq, _ := strings.Cut(a, "-")
	bMS, bSeq, _ := strings.Cut(b, "-")
	num := func(text string) uint64 { n, _ := strconv.ParseUint(text, 10, 64); return n }
	return cmp.Or(cmp.Compare(num(aMS), num(bMS)), cmp.Compare(num(aSeq), num(bSeq)))
}

// Empty tells whether a lane has no checks and no incidents. Results, changes
// and what is left of removed checks may be there.
func (q *Queue) Empty(ctx context.Context, lane check.Lane) (bool, error) {
	checks, incidents, err := q.contents(ctx, lane)
	return checks+incidents == 0, err
}

// contents counts the checks and the fields of incidents in a lane.
func (q *Queue) contents(ctx context.Context, lane check.Lane) (checks, incidents int64, err error) {
	pipe := q.client.Pipeline()
	specs, due, fields := pipe.HLen(ctx, q.KeySpecs(lane)), pipe.ZCard(ctx, q.KeyDue(lane)), pipe.HLen(ctx, q.KeyIncidents(lane))
	if cmds, err := pipe.Exec(ctx); err != nil {
		return 0, 0, fmt.Errorf("count lane %s: %w", lane, named(cmds, err))
	}
	return specs.Val() + due.Val(), fields.Val(), nil
}

// DropLane deletes the keys of a lane that its zone has given up, unless there
// are checks in it.
func (q *Queue) DropLane(ctx context.Context, lane check.Lane) error {
	if checks, _, err := q.contents(ctx, lane); err != nil || checks > 0 {
		return err
	}
	err := q.client.Unlink(ctx, q.KeyReady(lane), q.KeyRuns(lane), q.KeyLast(lane), q.KeyIncidents(lane),
		q.KeyResults(lane), q.KeyChanges(lane), q.KeyReaders(lane), q.KeyDead(lane)).Err()
	if err != nil {
		return fmt.Errorf("delete the keys of lane %s: %w", lane, err)
	}
	return nil
}

// Reach tells how many lanes of a zone there are up to the last one that has
// keys, and at least n. Eight lanes without any end the search.
func (q *Queue) Reach(ctx context.Context, zone string, n int) (int, error) {
	const page = 8
	for from := n; from < MaxPartitions; from += page {
		pipe := q.client.Pipeline()
		found := make([]*redis.IntCmd, min(page, MaxPartitions-from))
		for i := range found {
			lane := check.Lane{Zone: zone, Part: from + i}
			found[i] = pipe.Exists(ctx, q.KeySpecs(lane), q.KeyDue(lane), q.KeyReady(lane), q.KeyRuns(lane), q.KeyIncidents(lane), q.KeyResults(lane), q.KeyChanges(lane))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return n, fmt.Errorf("look for lanes of zone %s: %w", zone, err)
		}
		before := n
		for i, cmd := range found {
			if cmd.Val() > 0 {
				n = from + i + 1
			}
		}
		if n == before {
			break
		}
	}
	return n, nil
}
