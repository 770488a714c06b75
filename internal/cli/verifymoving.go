package cli

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// places tells what is wrong with checks that repair has looked at. One that
// was adopted and stands in another lane than its own is on its way.
func (v *verifier) places(ctx context.Context, lane check.Lane, read []stored, kinds map[string]string, zones map[string]check.Zone) ([]problem, error) {
	var out []problem
	var frozen []string
	for _, p := range read {
		kind := kinds[p.ID]
		away := zones[p.check.ZoneName()].Home(p.check.ZoneName(), p.ID) != lane
		switch {
		case kind == kindFrozen:
			frozen = append(frozen, p.ID)
			v.report.Moving++
			continue
		case kind == check.FindingHand && away:
			kind = "wrong_lane"
		case kind != check.FindingHand:
			v.seen(p.check, lane)
			if away {
				v.report.Moving++
			}
		}
		if kind == "" && p.refused != "" {
			kind = kindRefused
		}
		if kind != "" {
			out = append(out, newProblem(lane, p.ID, kind))
		}
	}
	stuck, err := v.stuck(ctx, lane, frozen)
	return append(out, stuck...), err
}

// stuck gives those of frozen checks that nobody carries on.
func (v *verifier) stuck(ctx context.Context, lane check.Lane, ids []string) ([]problem, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	now, err := v.conn.Now(ctx)
	if err != nil {
		return nil, err
	}
	places, err := v.conn.Places(ctx, lane, ids)
	if err != nil {
		return nil, err
	}
	var out []problem
	for _, p := range places {
		if p.Record.State == kindFrozen && now-p.Record.Way.Since > frozenTime {
			out = append(out, newProblem(lane, p.ID, kindFrozen))
		}
	}
	return out, nil
}
