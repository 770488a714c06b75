package cli

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/scheduler"
)

// repair mends what was found: places in Redis at once, texts and removals by
// a request, so that a scheduler validates them and resolves incidents.
func (v *verifier) repair(ctx context.Context) error {
	lanes, err := v.app.lanes(ctx, v.conn)
	if err != nil {
		return err
	}
	var orders []fields
	for _, lane := range lanes {
		var place []string
		stray, incidents := false, false
		for i := range v.report.Problems {
			p := &v.report.Problems[i]
			if p.Lane != lane.String() {
				continue
			}
			if textProblem(p.Kind) {
				continue
			}
			switch p.Kind {
			case kindTwin, kindFrozen:
				continue // schedulers carry checks on
			case "stray":
				stray = true
			case check.FindingIncident:
				incidents = true
			case check.FindingVanished:
				orders = append(orders, fields{{"op", "delete"}, {"id", p.ID}, {"zone", p.Zone}})
			case check.FindingNew, check.FindingHand, "wrong_lane":
				order, err := v.adoption(ctx, lane, p.ID)
				if err != nil {
					return err
				}
				if order == nil {
					continue
				}
				orders = append(orders, order)
			default:
				place = append(place, p.ID)
			}
			p.Mended = true
		}
		if err := v.place(ctx, lane, place); err != nil {
			return err
		}
		if incidents {
			if err := scheduler.New(v.conn, scheduler.Config{}).EndIncidents(ctx, lane); err != nil {
				return err
			}
		}
		if stray {
			if _, err := v.sweep(ctx, lane, nil, true); err != nil {
				return err
			}
		}
	}
	if len(orders) == 0 {
		return nil
	}
	return v.order(ctx, orders)
}

// place puts checks where they should be.
func (v *verifier) place(ctx context.Context, lane check.Lane, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	found, err := v.conn.Specs(ctx, lane, ids)
	if err != nil {
		return err
	}
	ms, err := v.conn.Now(ctx)
	if err != nil {
		return err
	}
	now := time.UnixMilli(ms)
	var items []check.RepairItem
	for _, s := range found {
		c, err := check.Parse([]byte(s.Spec))
		if err != nil {
			continue // it has changed meanwhile
		}
		items = append(items, check.RepairItem{
			ID: s.ID, SHA: check.SHA(s.Spec), Ahead: ahead(c, now), Place: check.First(c, now, true).UnixMilli(),
		})
	}
	for len(items) > 0 {
		n := min(len(items), verifyPage)
		if _, err := v.conn.Repair(ctx, lane, items[:n], true); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// adoption makes the request that sets a check to the text that stands in the
// registry, nil when there is none by now.
func (v *verifier) adoption(ctx context.Context, lane check.Lane, id string) (fields, error) {
	found, err := v.conn.Specs(ctx, lane, []string{id})
	if err != nil {
		return nil, err
	}
	s := parseStored(lane, found[0])
	if s.check == nil {
		return nil, nil
	}
	return fields{{"spec", string(s.check.Text())}, {"first", "spread"}}, nil
}

// order sends requests and tells of those that were rejected.
func (v *verifier) order(ctx context.Context, orders []fields) error {
	next := 0
	s := &submitter{
		conn: v.conn, wait: v.wait,
		next: func() fields {
			if next == len(orders) {
				return nil
			}
			next++
			return orders[next-1]
		},
		verdict: func(_ int, answer check.Verdict) {
			if answer.Verdict != check.VerdictRejected {
				return
			}
			v.app.printVerdict(answer)
			for i := range v.report.Problems {
				if p := &v.report.Problems[i]; p.ID == answer.ID && p.Zone == answer.Zone {
					p.Mended = false
				}
			}
		},
	}
	if err := s.run(ctx); err != nil {
		return v.app.unanswered(s, err)
	}
	return nil
}
