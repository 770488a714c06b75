package redisqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

var ackScript = script("ack")

// Ack writes the acknowledgement ack beside an incident, if its text is still
// incident, and the event change into `changes`.
func (q *Queue) Ack(ctx context.Context, lane check.Lane, incidentID, incident, ack, change string) (check.AdoptOutcome, error) {
	keys := []string{q.KeyIncidents(lane), q.KeyChanges(lane), q.KeyRuns(lane)}
	_, id, _, _ := check.ParseIncidentID(incidentID) // of no check when it is none
	out, err := q.run(ctx, ackScript, "ack", keys, incidentID, incident, ack, change, KeepResults, id).Text()
	return check.AdoptOutcome(out), err
}

// Incident reads the text of an incident, empty when there is none.
func (q *Queue) Incident(ctx context.Context, lane check.Lane, id string) (string, error) {
	text, err := q.client.HGet(ctx, q.KeyIncidents(lane), id).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read incident %s in lane %s: %w", id, lane, err)
	}
	return text, nil
}
