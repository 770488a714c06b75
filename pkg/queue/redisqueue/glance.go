package redisqueue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Glance is what can be read of a lane at any pace, whatever its size.
type Glance struct {
	check.Stats
	// Checks is how many the registry holds.
	Checks int64
	// Incidents are some of those that are kept; Next is where to go on, 0 after
	// the last. One that changes while they are read may come twice.
	Incidents []IncidentEntry
	Next      uint64
	// Results are the newest, newest first.
	Results []ResultEntry
}

// glancePage is about how many fields of incidents one glance reads.
const glancePage = 500

// Glance looks at a lane: its counts, a part of its incidents from the cursor
// on, and the newest results, at most count and none from before since, unix ms.
func (q *Queue) Glance(ctx context.Context, lane check.Lane, cursor uint64, since int64, count int) (Glance, error) {
	stats, err := q.Stats(ctx, lane)
	if err != nil {
		return Glance{}, err
	}
	g := Glance{Stats: stats}
	pipe := q.client.Pipeline()
	checks := pipe.HLen(ctx, q.KeySpecs(lane))
	page := pipe.HScan(ctx, q.KeyIncidents(lane), cursor, "", glancePage)
	newest := pipe.XRevRangeN(ctx, q.KeyResults(lane), "+", fmt.Sprint(max(since, 0)), int64(count))
	if cmds, err := pipe.Exec(ctx); err != nil {
		return Glance{}, fmt.Errorf("look at lane %s: %w", lane, named(cmds, err))
	}
	g.Checks = checks.Val()
	g.Incidents, g.Next = pageOfIncidents(lane, page)
	for _, m := range newest.Val() {
		g.Results = append(g.Results, resultEntry(lane, m))
	}
	return g, nil
}

// pageOfIncidents reads a page of incidents. An entry with an Ack and without an
// Incident is the acknowledgement of one that stands on another page.
func pageOfIncidents(lane check.Lane, page *redis.ScanCmd) (list []IncidentEntry, next uint64) {
	pairs, next := page.Val()
	acks := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		id, extra := splitIncident(pairs[i])
		switch extra {
		case "":
			list = append(list, IncidentEntry{Lane: lane, ID: id, Incident: pairs[i+1]})
		case "ack":
			acks[id] = pairs[i+1]
		}
	}
	for i := range list {
		list[i].Ack = acks[list[i].ID]
		delete(acks, list[i].ID)
	}
	for id, ack := range acks {
		list = append(list, IncidentEntry{Lane: lane, ID: id, Ack: ack})
	}
	return list, next
}
