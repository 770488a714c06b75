package redisqueue

import (
	"context"
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// movedTTL is how long the record of a check stays that moved within its zone:
// a scheduler with an older list of zones finds the way by it.
const movedTTL = time.Hour

var departScript = script("depart")

// Depart lets checks go that have arrived elsewhere. What is not as the caller
// read it stays, as a conflict. Incidents stay for Follow.
func (q *Queue) Depart(ctx context.Context, lane check.Lane, items []check.Departure) ([]check.MoveOutcome, error) {
	if len(items) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 5*len(items))
	for i := range items {
		d := &items[i]
		kind, ttl, sha := "m", movedTTL, ""
		if d.Away {
			kind, ttl = "z", TombstoneTTL
		}
		if d.Spec != "" {
			sha = check.SHA(d.Spec)
		}
		args = append(args, d.ID, d.Record, sha, kind, ttl.Milliseconds())
	}
	keys := []string{q.KeySpecs(lane), q.KeyRuns(lane), q.KeyDue(lane), q.KeyLast(lane)}
	reply, err := q.words(ctx, departScript, "depart", keys, args...)
	if err != nil {
		return nil, err
	}
	out := make([]check.MoveOutcome, len(reply))
	for i, v := range reply {
		out[i] = check.MoveOutcome(toText(v))
	}
	return out, nil
}

var shedScript = script("shed")

// Follow carries incidents of checks that moved after them. What has come to
// stand in the new lane meanwhile is newer and stays. In a lane that zone z has
// given up, those of removed checks go where these would be. It says how many
// fields went.
func (q *Queue) Follow(ctx context.Context, lane check.Lane, z check.Zone) (int, error) {
	moved := 0
	for cursor := uint64(0); ; {
		pairs, next, err := q.client.HScan(ctx, q.KeyIncidents(lane), cursor, "", 500).Result()
		if err != nil {
			return moved, fmt.Errorf("read %s: %w", q.KeyIncidents(lane), err)
		}
		n, err := q.follow(ctx, lane, z, pairs)
		if moved += n; err != nil {
			return moved, err
		}
		if cursor = next; cursor == 0 {
			return moved, nil
		}
	}
}

// follow carries those of fields and values whose checks are elsewhere.
func (q *Queue) follow(ctx context.Context, lane check.Lane, z check.Zone, pairs []string) (int, error) {
	var ids []string
	var at []int
	for i := 0; i+1 < len(pairs); i += 2 {
		incident, _ := splitIncident(pairs[i])
		if _, id, _, err := check.ParseIncidentID(incident); err == nil {
			ids, at = append(ids, id), append(at, i)
		}
	}
	found, err := q.Standings(ctx, lane, ids)
	if err != nil {
		return 0, err
	}
	pipe := q.client.Pipeline()
	var fields []any
	for k, st := range found {
		to := lane
		switch st.Kind {
		case check.StandsMoved, check.StandsAway:
			to = st.Lane
		case check.StandsRemoved, check.StandsNot:
			if lane.Part >= z.Partitions && z.Partitions > 0 {
				to = z.Home(lane.Zone, ids[k])
			}
		}
		if to == lane {
			continue
		}
		field, value := pairs[at[k]], pairs[at[k]+1]
		pipe.HSetNX(ctx, q.KeyIncidents(to), field, value)
		fields = append(fields, field, value)
	}
	if len(fields) == 0 {
		return 0, nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("carry incidents of lane %s: %w", lane, err)
	}
	return q.run(ctx, shedScript, "shed", []string{q.KeyIncidents(lane)}, fields...).Int()
}
