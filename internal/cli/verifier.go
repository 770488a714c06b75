package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// verifier proves the invariants and mends what is not so.
type verifier struct {
	app    *app
	conn   *connection
	wait   time.Duration
	report verifyReport
}

// verifyPage is how many checks one script looks at.
const verifyPage = 200

// count tells how much there is to look at.
func (v *verifier) count(ctx context.Context) error {
	lanes, err := v.app.lanes(ctx, v.conn)
	if err != nil {
		return err
	}
	v.report = verifyReport{Lanes: len(lanes)}
	for _, lane := range lanes {
		pipe := v.conn.Client().Pipeline()
		specs, runs := pipe.HLen(ctx, v.conn.KeySpecs(lane)), pipe.HLen(ctx, v.conn.KeyRuns(lane))
		due, ready := pipe.ZCard(ctx, v.conn.KeyDue(lane)), pipe.XLen(ctx, v.conn.KeyReady(lane))
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("count lane %s: %w", lane, err)
		}
		v.report.Checks += int(specs.Val())
		v.report.Records += int(runs.Val())
		v.report.Waiting += int(due.Val())
		v.report.Ready += int(ready.Val())
	}
	return nil
}

// pass looks at all checks, or at those that were found before.
func (v *verifier) pass(ctx context.Context, only []problem) ([]problem, error) {
	lanes, err := v.app.lanes(ctx, v.conn)
	if err != nil {
		return nil, err
	}
	wanted := make(map[check.Lane]map[string]bool)
	for _, p := range only {
		for _, lane := range lanes {
			if lane.String() == p.Lane {
				if wanted[lane] == nil {
					wanted[lane] = make(map[string]bool)
				}
				wanted[lane][p.ID] = true
			}
		}
	}
	var out []problem
	for _, lane := range lanes {
		if only != nil && wanted[lane] == nil {
			continue
		}
		specs, err := v.specs(ctx, lane, wanted[lane])
		if err != nil {
			return nil, err
		}
		left, err := v.sweep(ctx, lane, wanted[lane], false)
		if err != nil {
			return nil, err
		}
		out = append(append(out, specs...), left...)
	}
	return out, nil
}

func newProblem(lane check.Lane, id, kind string) problem {
	return problem{Zone: lane.Zone, Lane: lane.String(), ID: id, Kind: kind}
}

// specs looks at every check of the registry, or at those that are wanted.
func (v *verifier) specs(ctx context.Context, lane check.Lane, wanted map[string]bool) ([]problem, error) {
	zones, err := v.conn.Zones(ctx)
	if err != nil {
		return nil, err
	}
	partitions := max(zones[lane.Zone].Partitions, 1)
	if wanted != nil {
		found, err := v.conn.Specs(ctx, lane, slices.Collect(maps.Keys(wanted)))
		if err != nil {
			return nil, err
		}
		gone := func(s check.Stored) bool { return s.Spec == "" }
		return v.pages(ctx, lane, slices.DeleteFunc(found, gone), partitions)
	}
	var out []problem
	seen := make(map[string]bool)
	for cursor := uint64(0); ; {
		specs, next, err := v.conn.ScanSpecs(ctx, lane, cursor, verifyPage)
		if err != nil {
			return nil, err
		}
		twice := func(s check.Stored) bool {
			before := seen[s.ID]
			seen[s.ID] = true
			return before
		}
		found, err := v.pages(ctx, lane, slices.DeleteFunc(specs, twice), partitions)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		if cursor = next; cursor == 0 {
			return out, nil
		}
	}
}

// pages verifies specs of a lane, some at a time: a small hash comes in one
// piece, whatever its size.
func (v *verifier) pages(ctx context.Context, lane check.Lane, specs []check.Stored, partitions int) ([]problem, error) {
	var out []problem
	for page := range slices.Chunk(specs, verifyPage) {
		found, err := v.page(ctx, lane, page, partitions)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// page verifies some specs of a lane.
func (v *verifier) page(ctx context.Context, lane check.Lane, page []check.Stored, partitions int) ([]problem, error) {
	now, err := v.conn.Now(ctx)
	if err != nil {
		return nil, err
	}
	var out []problem
	var items []check.RepairItem
	for _, s := range page {
		p := parseStored(lane, s)
		switch {
		case p.err != nil:
			out = append(out, newProblem(lane, s.ID, "bad_spec"))
			continue
		case p.check.ID != s.ID:
			out = append(out, newProblem(lane, s.ID, "wrong_id"))
			continue
		case p.check.ZoneName() != lane.Zone, check.Partition(s.ID, partitions) != lane.Part:
			out = append(out, newProblem(lane, s.ID, "wrong_lane"))
			continue
		}
		items = append(items, check.RepairItem{ID: s.ID, SHA: check.SHA(s.Spec), Ahead: ahead(p.check, time.UnixMilli(now))})
	}
	if len(items) == 0 {
		return out, nil
	}
	found, err := v.conn.Repair(ctx, lane, items, false)
	for _, f := range found {
		out = append(out, newProblem(lane, f.ID, f.Kind))
	}
	return out, err
}

// ahead is how far in the future a check may be due, ms, by the rule that
// repair goes by; 0 for any time, which a one-shot may always have here.
func ahead(c *check.Check, now time.Time) int64 {
	limit, _ := check.Horizon(c, now)
	if limit.IsZero() || !c.At.IsZero() {
		return 0
	}
	return max(limit.Sub(now).Milliseconds(), 1)
}

// sweep looks for what is left of checks that have no spec.
func (v *verifier) sweep(ctx context.Context, lane check.Lane, wanted map[string]bool, mend bool) ([]problem, error) {
	var out []problem
	seen := make(map[string]bool)
	for cursor := (check.SweepCursor{}); !cursor.Done; {
		found, next, err := v.conn.Sweep(ctx, lane, cursor, verifyPage, mend)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			// A one-shot that ran, a tombstone past its time and the end of an
			// acknowledgement are no fault.
			if f.Kind == check.FindingDone || f.Kind == "expired" || f.Kind == check.FindingAckOver || seen[f.ID] || wanted != nil && !wanted[f.ID] {
				continue
			}
			seen[f.ID] = true
			out = append(out, newProblem(lane, f.ID, f.Kind))
		}
		cursor = next
	}
	return out, nil
}
