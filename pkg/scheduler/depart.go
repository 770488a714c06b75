package scheduler

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// depart lets checks go from a lane that have arrived in another one. What a
// hand did to their specs in the old lane meanwhile is done in the new one.
func (s *Scheduler) depart(ctx context.Context, from, to check.Lane, cargo []check.Cargo) error {
	if len(cargo) == 0 {
		return nil
	}
	// A failover of the new lane's server must not take back what stands nowhere else.
	if safe, err := s.q.Replicated(ctx, to); err != nil || !safe {
		return err
	}
	items := make([]check.Departure, len(cargo))
	for i, c := range cargo {
		items[i] = check.Departure{Cargo: c, Away: from.Zone != to.Zone}
		if c.Spec != "" && check.SHA(c.Spec)[:16] == c.SHA {
			continue
		}
		if err := s.followHand(ctx, to, c); err != nil {
			return err
		}
	}
	_, err := s.q.Depart(ctx, from, items) // a conflict: the next pass sees what it is
	return err
}

// followHand repeats in the new lane what a hand has done to the spec of a
// frozen check in the old one, unless it has become another there.
func (s *Scheduler) followHand(ctx context.Context, to check.Lane, c check.Cargo) error {
	stored, err := s.q.Specs(ctx, to, []string{c.ID})
	if err != nil {
		return err
	}
	there := stored[0].Spec
	switch {
	case there == "" || check.SHA(there)[:16] != c.SHA:
		return nil
	case c.Spec == "":
		return s.q.DropSpec(ctx, to, c.ID, there)
	}
	_, err = s.q.ReplaceSpec(ctx, to, c.ID, there, c.Spec)
	return err
}
