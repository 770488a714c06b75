package scheduler

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// learnTime is how long schedulers and workers may take to learn that a zone
	// has other lanes: until then no check moves within it.
	learnTime = 4 * time.Second
	// departAfter is how long a check that has moved stands in both lanes, in the
	// old one as frozen: if the new one loses its latest writes, it comes again.
	departAfter = 5 * time.Second
	// patience is how long a frozen check waits for replicas of its old lane. One
	// that never gets there, or a replica that comes no further, must not keep it
	// from running for good.
	patience = time.Minute
	// deliverTime is how long a check with a fresh incident waits for its changes
	// to be delivered, since those of its new lane are delivered beside them.
	deliverTime = 10 * time.Minute
)

// homeOf gives the lane that a check of a lane belongs to; zone is the one that
// its spec says, empty for a spec that cannot be read.
func homeOf(zones map[string]check.Zone, lane check.Lane, id, zone string) check.Lane {
	if zone == "" {
		zone = lane.Zone
	}
	return zones[zone].Home(zone, id)
}

// carry moves checks of a lane on: those that do not belong to it, and those
// that are frozen. Each step is safe to repeat, also by others at the same time,
// and whatever goes wrong is gone on with by the next who looks at the lane.
func (s *Scheduler) carry(ctx context.Context, zones map[string]check.Zone, lane check.Lane, specs []check.Stored) error {
	if len(specs) == 0 {
		return nil
	}
	if err := s.allowMoves(ctx); err != nil {
		return err
	}
	found, err := s.freeze(ctx, zones, lane, specs)
	if err != nil {
		return err
	}
	going := map[check.Lane][]check.Cargo{}
	for i, f := range found {
		if f.Outcome == check.MoveFrozen && f.To != (check.Lane{}) {
			going[f.To] = append(going[f.To], check.Cargo{Frozen: f, Spec: specs[i].Spec})
		}
	}
	return s.carryOn(ctx, lane, going)
}

// carryOn lets frozen checks of a lane arrive in others, and depart.
func (s *Scheduler) carryOn(ctx context.Context, lane check.Lane, going map[check.Lane][]check.Cargo) error {
	asked, safe := false, false
	for to, cargo := range going {
		leaving, rest, err := s.arrived(ctx, to, cargo)
		if err != nil {
			return err
		}
		if len(rest) > 0 && !asked {
			// A failover of this lane's server must not wake what runs elsewhere.
			if safe, err = s.q.Replicated(ctx, lane); err != nil {
				return err
			}
			asked = true
		}
		if !safe {
			rest = slices.DeleteFunc(rest, func(c check.Cargo) bool { return c.Now-c.Since < patience.Milliseconds() })
		}
		kept, err := s.carryTo(ctx, lane, to, rest)
		if err != nil {
			return err
		}
		if err := s.depart(ctx, lane, to, append(leaving, kept...)); err != nil {
			return err
		}
	}
	return nil
}

// freeze freezes what does not belong to a lane, and gives an answer for each of
// specs. While replicas of the lane are behind nothing more is frozen, since it
// could not arrive: it goes on where it is.
func (s *Scheduler) freeze(ctx context.Context, zones map[string]check.Zone, lane check.Lane, specs []check.Stored) ([]check.Frozen, error) {
	items := make([]check.Freezing, len(specs))
	leaves := false
	for i, st := range specs {
		items[i] = check.Freezing{ID: st.ID, SHA: check.SHA(st.Spec)}
		zone := lane.Zone
		if c, err := check.Parse([]byte(st.Spec)); err == nil {
			zone = c.ZoneName()
		}
		if err := s.knowZone(ctx, zones, zone); err != nil {
			return nil, err
		}
		if home := homeOf(zones, lane, st.ID, zone); home != lane && st.Spec != "" {
			items[i].To, leaves = home, true
		}
	}
	if leaves {
		safe, err := s.q.Replicated(ctx, lane)
		if err != nil {
			return nil, err
		}
		for i := range items {
			if !safe {
				items[i].To = check.Lane{}
			}
		}
	}
	if err := s.waitForDelivery(ctx, lane, items); err != nil {
		return nil, err
	}
	return s.q.Freeze(ctx, lane, items)
}

// old says that a check was frozen for long enough to depart, if it has
// arrived.
func old(f check.Frozen) bool { return f.Now-f.Since >= departAfter.Milliseconds() }

// arrived parts frozen checks: those that have been in their new lane for a
// while, as what stands there shows, and the rest.
func (s *Scheduler) arrived(ctx context.Context, to check.Lane, cargo []check.Cargo) (leaving, rest []check.Cargo, err error) {
	var ids []string
	var asked []check.Cargo
	for _, c := range cargo {
		if old(c.Frozen) {
			ids, asked = append(ids, c.ID), append(asked, c)
		} else {
			rest = append(rest, c)
		}
	}
	if len(ids) == 0 {
		return nil, rest, nil
	}
	found, err := s.q.Standings(ctx, to, ids)
	if err != nil {
		return nil, nil, err
	}
	for i, c := range asked {
		if found[i].Arrived(c.Rev) {
			leaving = append(leaving, c)
		} else {
			rest = append(rest, c)
		}
	}
	return leaving, rest, nil
}

// waitForDelivery lets those of items stay for now whose incidents handlers have
// yet to hear of. Those that are frozen go on all the same.
func (s *Scheduler) waitForDelivery(ctx context.Context, lane check.Lane, items []check.Freezing) error {
	if done, err := s.q.Delivered(ctx, lane); err != nil || done {
		return err
	}
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.ID
	}
	stored, err := s.q.Specs(ctx, lane, ids)
	if err != nil {
		return err
	}
	now, err := s.q.Now(ctx)
	if err != nil {
		return err
	}
	for i, st := range stored {
		var last check.Last
		if st.Last != "" && json.Unmarshal([]byte(st.Last), &last) == nil && last.Incident != nil &&
			now-max(last.Incident.Updated, last.Incident.Resolved) < deliverTime.Milliseconds() {
			items[i].To = check.Lane{}
		}
	}
	return nil
}

// knowZone enters a zone that checks are to go to and that nobody knows.
func (s *Scheduler) knowZone(ctx context.Context, zones map[string]check.Zone, zone string) error {
	if zones[zone].Partitions > 0 {
		return nil
	}
	if err := s.q.EnterZone(ctx, zone); err != nil {
		return err
	}
	s.lanes.soon()
	zones[zone] = check.Zone{Partitions: 1}
	return nil
}

// carryTo lets frozen checks arrive in a lane, and gives those that may leave,
// since there is newer word of them. Their specs stay the ones of going, which
// were read while they were frozen.
func (s *Scheduler) carryTo(ctx context.Context, from, to check.Lane, going []check.Cargo) (kept []check.Cargo, err error) {
	if len(going) == 0 {
		return nil, nil
	}
	names, err := s.handlerNames(ctx)
	if err != nil {
		return nil, err
	}
	frozen := make([]check.Frozen, len(going))
	for i, c := range going {
		frozen[i] = c.Frozen
	}
	cargo, err := s.q.Cargo(ctx, from, frozen, names)
	if err != nil {
		return nil, err
	}
	outcomes, err := s.q.Arrive(ctx, to, cargo)
	if err != nil {
		return nil, err
	}
	taken := 0
	for i, c := range cargo {
		switch outcomes[i] {
		case check.MoveTaken:
			taken++
		case check.MoveBehind:
			if err := s.catchUp(ctx, to, c); err != nil {
				return nil, err
			}
		case check.MoveKept:
			if old(c.Frozen) {
				kept = append(kept, going[i])
			}
		}
	}
	if taken > 0 {
		s.hooks.Moved(from, to, taken)
		s.log.InfoContext(ctx, "checks moved", "from", from.String(), "to", to.String(), "count", taken)
	}
	return kept, nil
}

// catchUp brings a newer spec to a check that stands already where it comes to.
func (s *Scheduler) catchUp(ctx context.Context, to check.Lane, c check.Cargo) error {
	spec, err := check.Parse([]byte(c.Spec))
	if err != nil {
		return nil // a bad one that a hand has left; it stays where it is
	}
	there, err := s.q.Specs(ctx, to, []string{c.ID})
	if err != nil {
		return err
	}
	now, err := s.q.Now(ctx)
	if err != nil {
		return err
	}
	a := check.Adoption{
		ID: c.ID, Rev: c.Rev, Spec: c.Spec, SHA: check.SHA(c.Spec), Paused: spec.Paused, First: check.First(spec, time.UnixMilli(now), true).UnixMilli(),
	}
	if there[0].Spec != "" {
		a.OldSHA = check.SHA(there[0].Spec)
	}
	_, err = s.q.Adopt(ctx, to, []check.Adoption{a}) // the next pass sees what came of it
	return err
}
