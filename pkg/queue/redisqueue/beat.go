package redisqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// Now reads the server's clock, unix ms.
func (q *Queue) Now(ctx context.Context) (int64, error) {
	t, err := q.client.Time(ctx).Result()
	if err != nil {
		return 0, fmt.Errorf("read the server's time: %w", err)
	}
	return t.UnixMilli(), nil
}

// Beat writes a worker's heartbeat, with the server's time in it.
func (q *Queue) Beat(ctx context.Context, hb check.Heartbeat) error {
	now, err := q.Now(ctx)
	if err != nil {
		return err
	}
	hb.At = now
	text, err := json.Marshal(hb)
	if err != nil {
		return fmt.Errorf("heartbeat of %s: %w", hb.Name, err)
	}
	if err := q.client.HSet(ctx, q.KeyWorkers(), hb.Name, text).Err(); err != nil {
		return fmt.Errorf("write heartbeat of %s into %s: %w", hb.Name, q.KeyWorkers(), err)
	}
	return nil
}

// Workers reads all heartbeats, sorted by name. Entries that are no heartbeat
// are left out.
func (q *Queue) Workers(ctx context.Context) ([]check.Heartbeat, error) {
	all, err := q.client.HGetAll(ctx, q.KeyWorkers()).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyWorkers(), err)
	}
	out := make([]check.Heartbeat, 0, len(all))
	for name, text := range all {
		if hb, ok := parseBeat(name, text); ok {
			out = append(out, hb)
		}
	}
	slices.SortFunc(out, func(a, b check.Heartbeat) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// parseBeat reads the heartbeat of a worker.
func parseBeat(name, text string) (hb check.Heartbeat, ok bool) {
	if json.Unmarshal([]byte(text), &hb) != nil {
		return hb, false
	}
	hb.Name = name
	return hb, true
}

// DropWorkers removes the heartbeats of workers that are gone for good, or
// that end.
func (q *Queue) DropWorkers(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	if err := q.client.HDel(ctx, q.KeyWorkers(), names...).Err(); err != nil {
		return fmt.Errorf("drop heartbeats of %s: %w", q.KeyWorkers(), err)
	}
	return nil
}
