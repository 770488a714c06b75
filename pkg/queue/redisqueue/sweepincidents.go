package redisqueue

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redpoll/redpoll/pkg/check"
)

// incidentPage is about how many fields of `incidents` one look takes: most are
// of resolved ones, of which nothing else is asked.
const incidentPage = 1000

// sweepIncidents looks at a page of a lane's incidents.
func (q *Queue) sweepIncidents(ctx context.Context, lane check.Lane, cursor uint64) ([]check.Finding, uint64, error) {
	pairs, next, err := q.client.HScan(ctx, q.KeyIncidents(lane), cursor, "", incidentPage).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("sweep %s: %w", q.KeyIncidents(lane), err)
	}
	var open, acked []string
	texts := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch id, extra := splitIncident(pairs[i]); {
		case extra == "" && isOpen(pairs[i+1]):
			open = append(open, id)
			texts[id] = pairs[i+1]
		case extra == "ack" && ends(pairs[i+1]):
			acked = append(acked, id)
		}
	}
	lost, err := q.unknownIncidents(ctx, lane, open, texts)
	if err != nil {
		return nil, 0, err
	}
	over, err := q.endedAcks(ctx, lane, acked)
	return append(lost, over...), next, err
}

func isOpen(incident string) bool {
	var inc check.Incident
	return json.Unmarshal([]byte(incident), &inc) == nil && inc.Resolved == 0
}

func isResolved(incident string) bool {
	var inc check.Incident
	return json.Unmarshal([]byte(incident), &inc) == nil && inc.Resolved != 0
}

// ends says whether an acknowledgement has an end that was not told yet.
func ends(ack string) bool {
	var a check.Ack
	return json.Unmarshal([]byte(ack), &a) == nil && !a.Until.IsZero() && !a.Ended && !a.Removed
}

// unknownIncidents gives those incidents that are open, and of which the last
// records of their checks say nothing. The incident is read before the record
// and after it: what ended in between is not lost.
func (q *Queue) unknownIncidents(ctx context.Context, lane check.Lane, ids []string, texts map[string]string) ([]check.Finding, error) {
	var own, checks []string
	for _, id := range ids {
		_, name, _, err := check.ParseIncidentID(id)
		if _, worker := check.WorkerOf(name); err == nil && !worker {
			own, checks = append(own, id), append(checks, name)
		}
	}
	if len(own) == 0 {
		return nil, nil
	}
	lasts, err := q.client.HMGet(ctx, q.KeyLast(lane), checks...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyLast(lane), err)
	}
	var lost []string
	for i, id := range own {
		if !knows(toText(lasts[i]), id) {
			lost = append(lost, id)
		}
	}
	if len(lost) == 0 {
		return nil, nil
	}
	again, err := q.client.HMGet(ctx, q.KeyIncidents(lane), lost...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyIncidents(lane), err)
	}
	var out []check.Finding
	for i, id := range lost {
		if toText(again[i]) == texts[id] {
			out = append(out, check.Finding{ID: id, Kind: check.FindingIncident, Open: true})
		}
	}
	return out, nil
}

// knows says whether a last record has the incident, open.
func knows(last, id string) bool {
	var l check.Last
	if json.Unmarshal([]byte(last), &l) != nil {
		return false
	}
	open := l.Open()
	return open != nil && open.ID == id
}

// endedAcks gives those acknowledgements of open incidents that are over.
func (q *Queue) endedAcks(ctx context.Context, lane check.Lane, ids []string) ([]check.Finding, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	now, err := q.Now(ctx)
	if err != nil {
		return nil, err
	}
	var out []check.Finding
	for _, id := range ids {
		incident, text, err := q.Incident(ctx, lane, id)
		if err != nil {
			return nil, err
		}
		var ack check.Ack
		if isOpen(incident) && ends(text) && json.Unmarshal([]byte(text), &ack) == nil && !ack.Holds(now) {
			out = append(out, check.Finding{ID: id, Kind: check.FindingAckOver, Open: true})
		}
	}
	return out, nil
}
