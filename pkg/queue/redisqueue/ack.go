package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var ackScript = script("ack")

// Ack writes the acknowledgement ack beside an incident, if its text is still
// incident, and the event change into `changes`.
func (q *Queue) Ack(ctx context.Context, lane check.Lane, incidentID, incident, ack, change string) (check.AdoptOutcome, error) {
	keys := []string{q.KeyIncidents(lane), q.KeyChanges(lane)}
	out, err := q.run(ctx, ackScript, "ack", keys, incidentID, incident, ack, change, KeepResults).Text()
	return check.AdoptOutcome(out), err
}
