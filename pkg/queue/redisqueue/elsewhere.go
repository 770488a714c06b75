package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// Elsewhere tells which checks have arrived in another lane, though what the
// lane holds of them is still there: it is old.
func (q *Queue) Elsewhere(ctx context.Context, lane check.Lane, ids []string) ([]bool, error) {
	here, err := q.Standings(ctx, lane, ids)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(ids))
	going := map[check.Lane][]int{}
	for i, st := range here {
		switch {
		case st.Kind == check.StandsMoved || st.Kind == check.StandsAway:
			out[i] = true
		case st.Kind == check.StandsFrozen && st.Lane.Zone != "":
			going[st.Lane] = append(going[st.Lane], i)
		}
	}
	for to, list := range going {
		names := make([]string, len(list))
		for n, i := range list {
			names[n] = ids[i]
		}
		there, err := q.Standings(ctx, to, names)
		if err != nil {
			return nil, err
		}
		for n, i := range list {
			out[i] = there[n].Arrived(here[i].Rev)
		}
	}
	return out, nil
}
