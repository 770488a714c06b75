package redisqueue

import (
	"context"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

var freezeScript = script("freeze")

// Freeze takes waiting checks of a lane out of the schedule, at most a few
// hundred a call. Those that are queued or run are marked: the dispatch that
// would queue them next freezes them instead. Nothing but Arrive and Depart
// changes a frozen check.
func (q *Queue) Freeze(ctx context.Context, lane check.Lane, items []check.Freezing) ([]check.Frozen, error) {
	if len(items) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 3*len(items))
	for _, it := range items {
		to := ""
		if it.To != (check.Lane{}) {
			to = it.To.String()
		}
		args = append(args, it.ID, it.SHA, to)
	}
	reply, err := q.words(ctx, freezeScript, "freeze", []string{q.KeyRuns(lane), q.KeyDue(lane)}, args...)
	if err != nil {
		return nil, err
	}
	out := make([]check.Frozen, len(items))
	for i, v := range reply[1:] {
		out[i] = check.Frozen{ID: items[i].ID, Outcome: check.MoveOutcome(toText(v)), Now: toInt(reply[0])}
		if text := toText(v); strings.Contains(text, " ") {
			out[i].Outcome, out[i].Record = check.MoveFrozen, text
			rec, err := ParseRecord(text)
			if err != nil {
				return nil, err
			}
			out[i].To, out[i].Since, out[i].Rev, out[i].SHA = rec.Way.Lane, rec.Way.Since, rec.Rev, rec.SHA
		}
	}
	return out, nil
}

// Way is what the record of a check that moves says of that.
type Way struct {
	Lane  check.Lane // the other lane; the zero value: nobody has said which
	Kind  byte       // w, p, b: frozen; m, z, c: moved, away, expected
	Since int64      // when it was frozen, unix ms
}

// parseWay reads the word committed of a check that moves, >lane/kind/at/nonce.
func parseWay(committed string) (w Way, ok bool) {
	words := strings.Split(strings.TrimPrefix(committed, ">"), "/")
	if !strings.HasPrefix(committed, ">") || len(words) != 4 || len(words[1]) != 1 {
		return w, false
	}
	w.Kind = words[1][0]
	w.Since, _ = strconv.ParseInt(words[2], 10, 64)
	zone, part, ok := strings.Cut(words[0], ":")
	if !ok {
		return w, words[0] == "?"
	}
	n, err := strconv.Atoi(part)
	w.Lane = check.Lane{Zone: zone, Part: n}
	return w, err == nil && n >= 0 && n < MaxPartitions && check.ValidZone(zone)
}
