package redisqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Cargo reads all that goes with frozen checks. handlers are names that may
// stand beside an incident.
func (q *Queue) Cargo(ctx context.Context, lane check.Lane, frozen []check.Frozen, handlers []string) ([]check.Cargo, error) {
	ids := make([]string, len(frozen))
	for i, f := range frozen {
		ids[i] = f.ID
	}
	stored, err := q.Specs(ctx, lane, ids)
	if err != nil {
		return nil, err
	}
	out := make([]check.Cargo, len(frozen))
	pipe := q.client.Pipeline()
	fields, values := make([][]string, len(frozen)), make([]*redis.SliceCmd, len(frozen))
	for i, st := range stored {
		out[i] = check.Cargo{Frozen: frozen[i], Spec: st.Spec, Last: st.Last}
		var last check.Last
		if st.Last == "" || json.Unmarshal([]byte(st.Last), &last) != nil || last.Open() == nil {
			continue
		}
		id := last.Open().ID
		fields[i] = []string{id, id + "/ack"}
		for _, h := range handlers {
			fields[i] = append(fields[i], id+"/"+h)
		}
		values[i] = pipe.HMGet(ctx, q.KeyIncidents(lane), fields[i]...)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read %s: %w", q.KeyIncidents(lane), err)
	}
	for i := range out {
		for k, field := range fields[i] {
			if text := toText(values[i].Val()[k]); text != "" {
				out[i].Incidents = append(out[i].Incidents, field, text)
			}
		}
	}
	return out, nil
}

var arriveScript = script("arrive")

// Arrive takes checks into a lane that were frozen in others. It may be
// repeated: what came before is kept.
func (q *Queue) Arrive(ctx context.Context, lane check.Lane, cargo []check.Cargo) ([]check.MoveOutcome, error) {
	keys := []string{q.KeySpecs(lane), q.KeyRuns(lane), q.KeyDue(lane), q.KeyLast(lane), q.KeyIncidents(lane)}
	out := make([]check.MoveOutcome, 0, len(cargo))
	for len(cargo) > 0 {
		var args []any
		n, size := 0, 0
		for ; n < len(cargo) && (n == 0 || size < LeaseBytes); n++ {
			c := &cargo[n]
			args = append(args, c.ID, c.Record, c.Spec, c.Last, len(c.Incidents)/2)
			for _, text := range c.Incidents {
				args = append(args, text)
				size += len(text)
			}
			size += len(c.Spec) + len(c.Last)
		}
		cargo = cargo[n:]
		reply, err := q.words(ctx, arriveScript, "arrive", keys, args...)
		if err != nil {
			return out, err
		}
		for _, v := range reply {
			out = append(out, check.MoveOutcome(toText(v)))
		}
	}
	return out, nil
}
