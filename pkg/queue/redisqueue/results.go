package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// ResultEntry is one committed result: its stream id and the Event as JSON.
type ResultEntry struct {
	Lane  check.Lane
	SID   string
	Event string
}

// Tail reads results of lanes that came after the given entries and updates
// from; it waits up to block, and MaxBlock at most, for the first. A lane
// without an entry starts with what comes next. On a cluster read one lane
// per call.
func (q *Queue) Tail(ctx context.Context, from map[check.Lane]string, lanes []check.Lane, count int, block time.Duration) ([]ResultEntry, error) {
	streams := make([]string, 0, 2*len(lanes))
	byKey := make(map[string]check.Lane, len(lanes))
	for _, l := range lanes {
		streams = append(streams, q.KeyResults(l))
		byKey[q.KeyResults(l)] = l
		if from[l] == "" {
			from[l] = "$"
			last, err := q.client.XRevRangeN(ctx, q.KeyResults(l), "+", "-", 1).Result()
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", q.KeyResults(l), err)
			}
			from[l] = "0"
			if len(last) > 0 {
				from[l] = last[0].ID
			}
		}
	}
	for _, l := range lanes {
		streams = append(streams, from[l])
	}
	found, err := q.client.XRead(ctx, &redis.XReadArgs{Streams: streams, Count: int64(count), Block: readBlock(block)}).Result()
	if errors.Is(err, redis.Nil) || isTimeout(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	var out []ResultEntry
	for _, s := range found {
		lane := byKey[s.Stream]
		for _, m := range s.Messages {
			out = append(out, resultEntry(lane, m))
			from[lane] = m.ID
		}
	}
	return out, nil
}

// LatestResults reads the newest count results of a lane, oldest first.
func (q *Queue) LatestResults(ctx context.Context, lane check.Lane, count int) ([]ResultEntry, error) {
	found, err := q.client.XRevRangeN(ctx, q.KeyResults(lane), "+", "-", int64(count)).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyResults(lane), err)
	}
	out := make([]ResultEntry, len(found))
	for i, m := range found {
		out[len(found)-1-i] = resultEntry(lane, m)
	}
	return out, nil
}

func resultEntry(lane check.Lane, m redis.XMessage) ResultEntry {
	return ResultEntry{Lane: lane, SID: m.ID, Event: toText(m.Values["event"])}
}

// IncidentEntry is one incident as the queue keeps it.
type IncidentEntry = check.IncidentEntry

// Incidents reads all incidents of a lane that are kept, open and resolved.
func (q *Queue) Incidents(ctx context.Context, lane check.Lane) ([]IncidentEntry, error) {
	var out []IncidentEntry
	acks := map[string]string{}
	seen := map[string]bool{}
	for cursor := uint64(0); ; {
		pairs, next, err := q.client.HScan(ctx, q.KeyIncidents(lane), cursor, "", 500).Result()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", q.KeyIncidents(lane), err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			id, extra := splitIncident(pairs[i])
			switch {
			case extra == "ack":
				acks[id] = pairs[i+1]
			case extra == "" && !seen[id]:
				seen[id] = true
				out = append(out, IncidentEntry{Lane: lane, ID: id, Incident: pairs[i+1]})
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	for i := range out {
		out[i].Ack = acks[out[i].ID]
	}
	return out, nil
}

// splitIncident takes a field of `incidents` apart: an incident's id is
// zone/check/planned, and what stands beside it adds one more word.
func splitIncident(field string) (id, extra string) {
	slashes := 0
	for i := range len(field) {
		if field[i] == '/' {
			if slashes++; slashes == 3 {
				return field[:i], field[i+1:]
			}
		}
	}
	return field, ""
}

// DropIncidents removes incidents with everything that stands beside them.
func (q *Queue) DropIncidents(ctx context.Context, lane check.Lane, ids []string) error {
	drop := map[string]bool{}
	for _, id := range ids {
		drop[id] = true
	}
	for cursor := uint64(0); len(ids) > 0; {
		pairs, next, err := q.client.HScan(ctx, q.KeyIncidents(lane), cursor, "", 500).Result()
		if err != nil {
			return fmt.Errorf("read %s: %w", q.KeyIncidents(lane), err)
		}
		var fields []string
		for i := 0; i+1 < len(pairs); i += 2 {
			if id, _ := splitIncident(pairs[i]); drop[id] {
				fields = append(fields, pairs[i])
			}
		}
		if len(fields) > 0 {
			if err := q.client.HDel(ctx, q.KeyIncidents(lane), fields...).Err(); err != nil {
				return fmt.Errorf("drop incidents of lane %s: %w", lane, err)
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	return nil
}
