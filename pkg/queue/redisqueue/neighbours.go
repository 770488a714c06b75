package redisqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Neighbours reads what is known of checks of a zone: one answer for each id.
func (q *Queue) Neighbours(ctx context.Context, zone string, ids []string) ([]check.Nearby, error) {
	lanes, err := q.lanesOfChecks(ctx, zone, ids)
	if err != nil {
		return nil, err
	}
	pipe := q.client.Pipeline()
	cmds := make([][3]*redis.StringCmd, len(ids))
	for i, id := range ids {
		lane := lanes[i]
		cmds[i] = [3]*redis.StringCmd{pipe.HGet(ctx, q.KeyRuns(lane), id), pipe.HGet(ctx, q.KeyLast(lane), id), pipe.HGet(ctx, q.KeySpecs(lane), id)}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	out := make([]check.Nearby, len(ids))
	for i, id := range ids {
		for _, cmd := range cmds[i] {
			if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
				return nil, fmt.Errorf("read check %s of zone %s: %w", id, zone, err)
			}
		}
		out[i] = check.Nearby{ID: id, Last: cmds[i][1].Val()}
		if rec, err := ParseRecord(cmds[i][0].Val()); err == nil {
			frozen := (rec.Way.Kind == 'w' || rec.Way.Kind == 'p')
			out[i].There = rec.State == "waiting" || rec.State == "queued" || rec.State == "leased" || frozen
			out[i].Paused, out[i].Crashes = rec.Paused || rec.Way.Kind == 'p', rec.Crashes
		}
		if c, err := check.Parse([]byte(cmds[i][2].Val())); err == nil && !c.At.IsZero() {
			out[i].At = c.At.UnixMilli()
		}
	}
	return out, nil
}

// lanesOfChecks tells where checks of a zone stand.
func (q *Queue) lanesOfChecks(ctx context.Context, zone string, ids []string) ([]check.Lane, error) {
	zones, err := q.Zones(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]check.Lane, len(ids))
	for i, id := range ids {
		out[i] = zones[zone].Home(zone, id)
		if zones[zone].Spread == 0 {
			continue
		}
		if out[i], err = q.LaneOf(ctx, zone, id); err != nil { // it may have yet to come there
			return nil, err
		}
	}
	return out, nil
}

// Hurry makes checks of a zone due now that wait for a later time; all others
// are left as they are.
func (q *Queue) Hurry(ctx context.Context, zone string, ids []string) error {
	lanes, err := q.lanesOfChecks(ctx, zone, ids)
	if err != nil {
		return err
	}
	pipe := q.client.Pipeline()
	for i, id := range ids {
		lane := lanes[i]
		pipe.ZAddArgs(ctx, q.KeyDue(lane), redis.ZAddArgs{XX: true, LT: true, Members: []redis.Z{{Score: 0, Member: id}}})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("hurry checks of zone %s: %w", zone, err)
	}
	return nil
}
