package redisqueue

import (
	"context"
	"fmt"

	"github.com/redpoll/redpoll/pkg/check"
)

var ackScript = script("ack")

// Ack writes an acknowledgement beside an incident, and the event into
// `changes`, if the incident and the acknowledgement that stands there are
// still those that the caller read.
func (q *Queue) Ack(ctx context.Context, lane check.Lane, a check.Acking) (check.AdoptOutcome, error) {
	keys := []string{q.KeyIncidents(lane), q.KeyChanges(lane), q.KeyRuns(lane)}
	_, id, _, _ := check.ParseIncidentID(a.ID) // of no check when it is none
	out, err := q.run(ctx, ackScript, "ack", keys, a.ID, a.Incident, a.Old, a.Ack, a.Change, KeepResults, id).Text()
	return check.AdoptOutcome(out), err
}

// Incident reads the text of an incident and of its acknowledgement, empty when
// there is none.
func (q *Queue) Incident(ctx context.Context, lane check.Lane, id string) (incident, ack string, err error) {
	found, err := q.client.HMGet(ctx, q.KeyIncidents(lane), id, id+"/ack").Result()
	if err != nil {
		return "", "", fmt.Errorf("read incident %s in lane %s: %w", id, lane, err)
	}
	return toText(found[0]), toText(found[1]), nil
}

var orphanScript = script("orphan")

// EndOrphan resolves an open incident whose check has a last record without it,
// if both are still the texts that the caller read and the check does not run.
func (q *Queue) EndOrphan(ctx context.Context, lane check.Lane, o check.Orphan) (check.AdoptOutcome, error) {
	keys := []string{q.KeyRuns(lane), q.KeyLast(lane), q.KeyIncidents(lane), q.KeyChanges(lane)}
	out, err := q.run(ctx, orphanScript, "orphan", keys,
		o.Check, o.Last, o.ID, o.Incident, o.Resolved, o.Change, KeepResults).Text()
	return check.AdoptOutcome(out), err
}
