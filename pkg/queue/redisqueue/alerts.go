package redisqueue

import (
	"context"
	"fmt"

	"github.com/redpoll/redpoll/pkg/check"
)

// Alerts reads what stands of incidents for a handler, one answer for each id.
func (q *Queue) Alerts(ctx context.Context, lane check.Lane, handler string, ids []string) ([]check.Alert, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	fields := make([]string, 0, 3*len(ids))
	for _, id := range ids {
		fields = append(fields, id, id+"/ack", id+"/"+handler)
	}
	values, err := q.client.HMGet(ctx, q.KeyIncidents(lane), fields...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyIncidents(lane), err)
	}
	out := make([]check.Alert, len(ids))
	for i, id := range ids {
		v := values[3*i:]
		out[i] = check.Alert{ID: id, Incident: toText(v[0]), Ack: toText(v[1]), Ref: toText(v[2]), Known: v[2] != nil}
	}
	return out, nil
}

// ScanIncidents reads a page of a lane's incidents, about count fields; cursor
// is 0 at the start, next is 0 at the end. An incident may come twice.
func (q *Queue) ScanIncidents(ctx context.Context, lane check.Lane, cursor uint64, count int) (found []check.Alert, next uint64, err error) {
	pairs, next, err := q.client.HScan(ctx, q.KeyIncidents(lane), cursor, "", int64(count)).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("scan %s: %w", q.KeyIncidents(lane), err)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if id, extra := splitIncident(pairs[i]); extra == "" {
			found = append(found, check.Alert{ID: id, Incident: pairs[i+1]})
		}
	}
	return found, next, nil
}
