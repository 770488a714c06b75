package scheduler

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// sweepPage looks at a page of what is left of checks without a spec, and
// removes those that were taken out of the registry by hand or are done; or at a
// page of incidents.
func (s *Scheduler) sweepPage(ctx context.Context, lane check.Lane, c check.SweepCursor) (check.SweepCursor, error) {
	findings, next, err := s.q.Sweep(ctx, lane, c, pageSize, true)
	if err != nil {
		return c, err
	}
	if c.Part == check.SweepIncidents {
		return next, s.endIncidents(ctx, lane, findings)
	}
	kinds := map[string]string{}
	var ids, stones []string
	var frozen []check.Stored
	for _, f := range findings {
		switch {
		case f.Kind == check.FindingFrozen:
			frozen = append(frozen, check.Stored{ID: f.ID})
		case f.Kind == check.FindingTombstone:
			stones = append(stones, f.ID)
		case f.Open && kinds[f.ID] == "":
			kinds[f.ID] = f.Kind
			ids = append(ids, f.ID)
		case !f.Open && f.Kind != "expired": // a tombstone's end is nothing wrong
			s.found(ctx, lane, f)
		}
	}
	if err := s.sweepMoves(ctx, lane, frozen, stones); err != nil {
		return c, err
	}
	if len(ids) == 0 {
		return next, nil
	}
	stored, err := s.q.Specs(ctx, lane, ids)
	if err != nil {
		return c, err
	}
	ms, err := s.q.Now(ctx)
	if err != nil {
		return c, err
	}
	for _, st := range stored {
		if kinds[st.ID] == check.FindingDone && stays(st, ms) {
			continue
		}
		out, err := s.q.Remove(ctx, lane, removal(lane, st, "", time.UnixMilli(ms)))
		if err != nil {
			return c, err
		}
		// Anything else: it came back, or ran to its end; the next pass sees.
		gone := out == check.AdoptChanged || out == check.AdoptMissing
		if gone && kinds[st.ID] == check.FindingVanished {
			s.found(ctx, lane, check.Finding{ID: st.ID, Kind: check.FindingVanished})
		}
	}
	return next, nil
}

// sweepMoves carries on frozen checks whose specs a hand has taken away, and
// puts tombstones where their checks belong.
func (s *Scheduler) sweepMoves(ctx context.Context, lane check.Lane, frozen []check.Stored, stones []string) error {
	if len(frozen) == 0 && len(stones) == 0 {
		return nil
	}
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return err
	}
	if len(stones) > 0 {
		if err := s.plant(ctx, zones, lane, stones); err != nil {
			return err
		}
	}
	return s.carry(ctx, zones, lane, frozen)
}
