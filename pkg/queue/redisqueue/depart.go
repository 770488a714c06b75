package redisqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// movedTTL is how long the record of a check stays that moved within its zone:
// a scheduler with an older list of zones finds the way by it.
const movedTTL = time.Hour

var departScript = script("depart")

// Depart lets checks go that have arrived elsewhere. What is not as the caller
// read it stays, as a conflict. Their open incidents go with them: what is left
// of one looks open for ever. All else about incidents stays for Follow.
func (q *Queue) Depart(ctx context.Context, lane check.Lane, items []check.Departure) ([]check.MoveOutcome, error) {
	if len(items) == 0 {
		return nil, nil
	}
	open, err := q.handOver(ctx, lane, items)
	if err != nil {
		return nil, err
	}
	args := make([]any, 0, 7*len(items))
	for i := range items {
		d := &items[i]
		kind, ttl, sha := "m", movedTTL, ""
		if d.Away {
			kind, ttl = "z", TombstoneTTL
		}
		if d.Spec != "" {
			sha = check.SHA(d.Spec)
		}
		args = append(args, d.ID, d.Record, sha, kind, ttl.Milliseconds(), open[i].id, open[i].text)
	}
	keys := []string{q.KeySpecs(lane), q.KeyRuns(lane), q.KeyDue(lane), q.KeyLast(lane), q.KeyIncidents(lane)}
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

// openIncident is one with its text, empty for a check without any.
type openIncident struct{ id, text string }

// handOver gives the open incident of each check. A newer check that stands where
// one goes may know nothing of it: there it is written, for repair to resolve it.
// Where a key is not of its type there is none: the script that follows names it.
func (q *Queue) handOver(ctx context.Context, lane check.Lane, items []check.Departure) ([]openIncident, error) {
	open, err := q.openIncidents(ctx, lane, items)
	if err != nil {
		return open, err
	}
	pipe := q.client.Pipeline()
	there, records := make([]*redis.BoolCmd, len(items)), make([]*redis.StringCmd, len(items))
	for i, o := range open {
		if o.id != "" {
			there[i], records[i] = pipe.HExists(ctx, q.KeyIncidents(items[i].To), o.id), pipe.HGet(ctx, q.KeyRuns(items[i].To), items[i].ID)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look for incidents of lane %s: %w", lane, err)
	}
	pipe = q.client.Pipeline()
	for i, o := range open { // a full server refuses a write that would change nothing
		if o.id == "" || there[i].Val() {
			continue
		}
		// from a lane that the check has left, or was removed in, the incident may have gone on
		if kind := standing(records[i].Val()).Kind; kind == check.StandsHere || kind == check.StandsFrozen {
			pipe.HSetNX(ctx, q.KeyIncidents(items[i].To), o.id, o.text)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("carry incidents of lane %s: %w", lane, err)
	}
	return open, nil
}

// openIncidents reads the open incident of each check.
func (q *Queue) openIncidents(ctx context.Context, lane check.Lane, items []check.Departure) ([]openIncident, error) {
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	open := make([]openIncident, len(items))
	lasts, err := q.client.HMGet(ctx, q.KeyLast(lane), ids...).Result()
	if err != nil && !isReply(err) {
		return nil, fmt.Errorf("read %s: %w", q.KeyLast(lane), err)
	}
	var names []string
	var at []int
	for i, v := range lasts {
		var last check.Last
		if text := toText(v); text != "" && json.Unmarshal([]byte(text), &last) == nil && last.Open() != nil {
			names, at = append(names, last.Open().ID), append(at, i)
		}
	}
	if len(names) == 0 {
		return open, nil
	}
	texts, err := q.client.HMGet(ctx, q.KeyIncidents(lane), names...).Result()
	if err != nil && !isReply(err) {
		return nil, fmt.Errorf("read %s: %w", q.KeyIncidents(lane), err)
	}
	for k, v := range texts {
		if text := toText(v); isOpen(text) {
			open[at[k]] = openIncident{names[k], text}
		}
	}
	return open, nil
}

var shedScript = script("shed")

// Follow carries incidents of checks that moved after them. What has come to
// stand in the new lane meanwhile is newer and stays, unless it is open and what
// comes is resolved: that is final. In a lane that zone z has
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
		if _, extra := splitIncident(field); extra == "" && isResolved(value) {
			pipe.HSet(ctx, q.KeyIncidents(to), field, value)
		} else {
			pipe.HSetNX(ctx, q.KeyIncidents(to), field, value)
		}
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
