package redisqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Downtimes reads all downtimes, by id, deleted ones included: the texts as
// they stand there. Without the key there are none.
func (q *Queue) Downtimes(ctx context.Context) (map[string]string, error) {
	all, err := q.client.HGetAll(ctx, q.KeyDowntimes()).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyDowntimes(), err)
	}
	return all, nil
}

// Downtime reads the text of one, empty when there is none.
func (q *Queue) Downtime(ctx context.Context, id string) (string, error) {
	text, err := q.client.HGet(ctx, q.KeyDowntimes(), id).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", q.KeyDowntimes(), err)
	}
	return text, nil
}

var downtimeScript = script("downtime")

// PutDowntime writes a downtime in the place of the text old, which is empty
// when there was none; an empty text takes it out.
func (q *Queue) PutDowntime(ctx context.Context, id, old, text string) (check.AdoptOutcome, error) {
	out, err := q.run(ctx, downtimeScript, "downtime", []string{q.KeyDowntimes()}, id, old, text, check.MaxDowntimes).Text()
	return check.AdoptOutcome(out), err
}
