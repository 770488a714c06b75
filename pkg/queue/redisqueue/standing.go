package redisqueue

import (
	"context"
	"fmt"

	"github.com/redpoll/redpoll/pkg/check"
)

// Standings tells what a lane knows of checks, one answer for each id.
func (q *Queue) Standings(ctx context.Context, lane check.Lane, ids []string) ([]check.Standing, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	texts, err := q.client.HMGet(ctx, q.KeyRuns(lane), ids...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyRuns(lane), err)
	}
	out := make([]check.Standing, len(ids))
	for i, text := range texts {
		out[i] = standing(toText(text))
	}
	return out, nil
}

func standing(text string) check.Standing {
	rec, err := ParseRecord(text)
	if err != nil {
		return check.Standing{Record: text}
	}
	st := check.Standing{Kind: check.StandsHere, Lane: rec.Way.Lane, Rev: rec.Rev, SHA: rec.SHA, Record: text}
	switch {
	case rec.State == "removed":
		st.Kind, st.Until = check.StandsRemoved, rec.First
	case rec.Way.Kind == 'm':
		st.Kind = check.StandsMoved
	case rec.Way.Kind == 'z':
		st.Kind = check.StandsAway
	case rec.Way.Kind == 'c':
		st.Kind = check.StandsExpected
	case rec.Way.Kind != 0:
		st.Kind = check.StandsFrozen
	}
	return st
}

var plantScript = script("plant")

// Plant writes tombstones into a lane, each unless something newer stands
// there, and says for each whether it stands there now.
func (q *Queue) Plant(ctx context.Context, lane check.Lane, stones []check.Stone) ([]bool, error) {
	if len(stones) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 4*len(stones))
	for _, s := range stones {
		word := "-"
		if s.From != (check.Lane{}) {
			word = ">" + s.From.String() + "/c/0/-"
		}
		args = append(args, s.ID, s.Rev, word, s.Until)
	}
	reply, err := q.words(ctx, plantScript, "plant", []string{q.KeyRuns(lane)}, args...)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(reply))
	for i, v := range reply {
		out[i] = toText(v) == "planted"
	}
	return out, nil
}

var forgetScript = script("forget")

// Forget drops the record of a check, if it is still that one.
func (q *Queue) Forget(ctx context.Context, lane check.Lane, id, record string) error {
	return q.run(ctx, forgetScript, "forget", []string{q.KeyRuns(lane)}, id, record).Err()
}

// maxAgain is how many records LaneOf follows back into lanes that it has seen.
const maxAgain = 4

// LaneOf tells in which lane a check of a zone stands: the one that it belongs
// to, unless it has yet to come there.
func (q *Queue) LaneOf(ctx context.Context, zone, id string) (check.Lane, error) {
	zones, err := q.Zones(ctx)
	if err != nil {
		return check.Lane{}, err
	}
	home := zones[zone].Home(zone, id)
	lanes := []check.Lane{home}
	if zones[zone].Spread > 0 {
		lanes = append(lanes, lanesOf(zone, zones[zone])...)
	}
	seen := map[check.Lane]bool{}
	found, again := home, 0
	for len(lanes) > 0 {
		lane := lanes[0]
		if lanes = lanes[1:]; seen[lane] {
			continue
		}
		seen[lane] = true
		st, err := q.Standings(ctx, lane, []string{id})
		if err != nil {
			return home, err
		}
		switch st[0].Kind {
		case check.StandsHere:
			return lane, nil
		case check.StandsFrozen: // unless it has arrived
			found = lane
			lanes = append([]check.Lane{st[0].Lane}, lanes...)
		case check.StandsMoved, check.StandsExpected:
			lanes = append([]check.Lane{st[0].Lane}, lanes...)
			if again++; again <= maxAgain { // it may have come there behind our look
				delete(seen, st[0].Lane)
			}
		}
	}
	return found, nil
}
