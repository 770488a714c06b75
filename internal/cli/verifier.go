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
	// homes are the lanes in which checks can run, as far as they were seen, and
	// twins those that were seen in two.
	homes map[target]check.Lane
	twins []twin
	// met are the checks that were looked at, and again says that those are left
	// out: others may have moved into a lane behind the first look.
	met   map[target]bool
	again bool
}

// twin is a check that may be able to run in two lanes.
type twin struct {
	target
	one, other check.Lane
}

const (
	kindTwin   = "twin"
	kindFrozen = "frozen"
	// frozenTime is how long a move may take from its first step on, ms.
	frozenTime = 60_000
)

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
		runs := pipe.HLen(ctx, v.conn.KeyRuns(lane))
		due, ready := pipe.ZCard(ctx, v.conn.KeyDue(lane)), pipe.XLen(ctx, v.conn.KeyReady(lane))
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("count lane %s: %w", lane, err)
		}
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
	look := func(lane check.Lane) error {
		specs, err := v.specs(ctx, lane, wanted[lane])
		out = append(out, specs...)
		if err != nil || v.again {
			return err
		}
		left, err := v.sweep(ctx, lane, wanted[lane], false)
		out = append(out, left...)
		return err
	}
	if only == nil {
		err = v.everything(ctx, look)
	}
	for lane := range wanted {
		if err == nil {
			err = look(lane)
		}
	}
	if err != nil {
		return nil, err
	}
	doubled, err := v.doubled(ctx)
	return append(out, doubled...), err
}

// everything has all lanes looked at, and those again whose checks move.
func (v *verifier) everything(ctx context.Context, look func(lane check.Lane) error) error {
	v.met = map[target]bool{}
	w := v.app.walk(v.conn)
	err := w.run(ctx, func(lane check.Lane) error {
		v.again = w.nth > 1
		return look(lane)
	})
	v.again = false
	v.report.Checks = len(v.met)
	return err
}

// unmet notes a check, and tells whether it is to be looked at.
func (v *verifier) unmet(t target) bool {
	before := v.met[t]
	if v.met != nil {
		v.met[t] = true
	}
	return !before || !v.again
}

// doubled looks again at the checks that were seen in two lanes: one that moved
// in between was not in both.
func (v *verifier) doubled(ctx context.Context) ([]problem, error) {
	var out []problem
	for _, t := range v.twins {
		here := 0
		for _, lane := range []check.Lane{t.one, t.other} {
			found, err := v.conn.Standings(ctx, lane, []string{t.id})
			if err != nil {
				return nil, err
			}
			if found[0].Kind == check.StandsHere {
				here++
			}
		}
		if here == 2 {
			out = append(out, newProblem(t.other, t.id, kindTwin))
		}
	}
	return out, nil
}

// seen notes in which lane a check can run.
func (v *verifier) seen(c *check.Check, lane check.Lane) {
	t := target{c.ZoneName(), c.ID}
	if v.homes == nil {
		v.homes = map[target]check.Lane{}
	}
	before, ok := v.homes[t]
	if ok && before != lane && !slices.ContainsFunc(v.twins, func(w twin) bool { return w.target == t }) {
		v.twins = append(v.twins, twin{t, before, lane})
	}
	v.homes[t] = lane
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
	if wanted != nil {
		found, err := v.conn.Specs(ctx, lane, slices.Collect(maps.Keys(wanted)))
		if err != nil {
			return nil, err
		}
		gone := func(s check.Stored) bool { return s.Spec == "" }
		return v.pages(ctx, lane, slices.DeleteFunc(found, gone), zones)
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
		found, err := v.pages(ctx, lane, slices.DeleteFunc(specs, twice), zones)
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
func (v *verifier) pages(ctx context.Context, lane check.Lane, specs []check.Stored, zones map[string]check.Zone) ([]problem, error) {
	var out []problem
	for page := range slices.Chunk(specs, verifyPage) {
		found, err := v.page(ctx, lane, page, zones)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// page verifies some specs of a lane.
func (v *verifier) page(ctx context.Context, lane check.Lane, page []check.Stored, zones map[string]check.Zone) ([]problem, error) {
	now, err := v.conn.Now(ctx)
	if err != nil {
		return nil, err
	}
	var out []problem
	var items []check.RepairItem
	var read []stored
	for _, s := range page {
		p := parseStored(lane, s)
		switch {
		case !v.unmet(p.target()):
			continue
		case p.err != nil:
			out = append(out, newProblem(lane, s.ID, "bad_spec"))
			continue
		case p.check.ID != s.ID:
			out = append(out, newProblem(lane, s.ID, "wrong_id"))
			continue
		}
		items = append(items, check.RepairItem{ID: s.ID, SHA: check.SHA(s.Spec), Ahead: ahead(p.check, time.UnixMilli(now))})
		read = append(read, p)
	}
	if len(items) == 0 {
		return out, nil
	}
	found, err := v.conn.Repair(ctx, lane, items, false)
	if err != nil {
		return out, err
	}
	kinds := map[string]string{}
	for _, f := range found {
		kinds[f.ID] = f.Kind
	}
	if err := refusals(ctx, v.conn, lane, read); err != nil {
		return out, err
	}
	placed, err := v.places(ctx, lane, read, kinds, zones)
	return append(out, placed...), err
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
