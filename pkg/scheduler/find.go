package scheduler

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

// find says for each request in which lane its check stands: the one that it
// belongs to, unless checks of its zone move, or a lane has answered that it is
// not there. Where Redis does not answer the request is left for another try.
func (b *batch) find(ctx context.Context, wave []*request) {
	zones := map[string][]*request{}
	for _, r := range wave {
		if r.moved {
			r.moved = false
			if err := b.follow(ctx, r); err != nil {
				b.leave(ctx, []*request{r}, err)
			}
			continue
		}
		if r.lane = b.laneOf(r.req.Zone, r.req.ID); b.zones[r.req.Zone].Spread > 0 {
			zones[r.req.Zone] = append(zones[r.req.Zone], r)
		}
	}
	for zone, reqs := range zones {
		ids := make([]string, len(reqs))
		for i, r := range reqs {
			ids[i] = r.req.ID
		}
		lanes, err := b.search(ctx, zone, ids)
		if err != nil {
			b.leave(ctx, reqs, err)
			continue
		}
		for i, r := range reqs {
			r.lane = lanes[i]
		}
	}
}

// search looks through all lanes of a zone for checks. Those that stand in none
// get the lane that they belong to.
func (b *batch) search(ctx context.Context, zone string, ids []string) ([]check.Lane, error) {
	z := b.zones[zone]
	out := make([]check.Lane, len(ids))
	best := make([]check.StandingKind, len(ids))
	for i, id := range ids {
		out[i] = z.Home(zone, id)
	}
	if z.Spread == 0 {
		return out, nil
	}
	for part := range z.Lanes() {
		lane := check.Lane{Zone: zone, Part: part}
		found, err := b.s.q.Standings(ctx, lane, ids)
		if err != nil {
			return nil, err
		}
		for i, st := range found {
			// Where it runs, and first of all where it belongs; or else where it
			// is frozen, from where its way can be followed.
			here := st.Kind == check.StandsHere && (best[i] != check.StandsHere || lane == z.Home(zone, ids[i]))
			if here || st.Kind == check.StandsFrozen && best[i] == check.StandsNot {
				out[i], best[i] = lane, st.Kind
			}
		}
	}
	return out, nil
}

// maxHops bounds the way from record to record.
const maxHops = 8

// follow finds a check from the record in r.lane on. A record that leads to
// nothing is dropped.
func (b *batch) follow(ctx context.Context, r *request) error {
	first, lane := r.lane, r.lane
	var start check.Standing
	for hop := range maxHops {
		st, err := b.standing(ctx, lane, r.req.ID)
		if err != nil {
			return err
		}
		if hop == 0 {
			start = st
		}
		next := lane
		switch st.Kind {
		case check.StandsHere:
			r.lane = lane
			return nil
		case check.StandsFrozen:
			next = st.Lane
		case check.StandsMoved, check.StandsExpected:
			next = st.Lane
		case check.StandsAway:
			if r.req.Op == check.OpAck || r.req.Op == check.OpUnack {
				next = st.Lane
			}
		}
		if next == lane || next == (check.Lane{}) {
			break
		}
		lane = next
	}
	return b.lost(ctx, r, first, start)
}

// standing reads what a lane knows of a check. One that is frozen there is
// carried on, so that it can be found where it goes.
func (b *batch) standing(ctx context.Context, lane check.Lane, id string) (check.Standing, error) {
	found, err := b.s.q.Standings(ctx, lane, []string{id})
	if err == nil && found[0].Kind == check.StandsFrozen {
		if err = b.s.carryIDs(ctx, lane, []string{id}); err == nil {
			found, err = b.s.q.Standings(ctx, lane, []string{id})
		}
	}
	if err != nil {
		return check.Standing{}, err
	}
	return found[0], nil
}

// lost decides about a request whose check was not found by following start.
func (b *batch) lost(ctx context.Context, r *request, first check.Lane, start check.Standing) error {
	if start.Kind == check.StandsFrozen {
		r.left = true // it could not be carried on yet
		return nil
	}
	lanes, err := b.search(ctx, r.req.Zone, []string{r.req.ID})
	if err != nil {
		return err
	}
	r.lane = lanes[0]
	if r.lane == first && (start.Kind == check.StandsMoved || start.Kind == check.StandsExpected) {
		return b.s.q.Forget(ctx, first, r.req.ID, start.Record)
	}
	return nil
}

// elsewhere looks for those of requests whose checks are not in the lane, and
// which no script would tell that they are in another one.
func (b *batch) elsewhere(ctx context.Context, lane check.Lane, reqs []*request, stored []check.Stored) error {
	var ids []string
	var asking []*request
	for i, r := range reqs {
		if stored[i].Spec == "" && r.req.Op != check.OpSet {
			ids, asking = append(ids, r.req.ID), append(asking, r)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := b.s.q.Standings(ctx, lane, ids)
	if err != nil {
		return err
	}
	for i, r := range asking {
		switch st := found[i]; st.Kind {
		case check.StandsFrozen, check.StandsMoved, check.StandsExpected:
			r.moved = true
		case check.StandsAway:
			r.away = st.Lane.Zone
			r.moved = (r.req.Op == check.OpAck || r.req.Op == check.OpUnack) && r.req.Incident != ""
			if r.req.Op == check.OpMove && st.Rev == r.entry {
				r.conclude(check.AdoptRepeated)
			}
		}
	}
	return nil
}
