package scheduler

import (
	"context"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// expectTime is how long a record says that a check is expected from another
// zone: it comes when its run has ended.
const expectTime = time.Hour

// move makes the adoption of a request to move a check to another zone: the spec
// as it is, with that zone. Where it comes to a record says from where it is
// expected, so that requests find it until it has come.
func (b *batch) move(ctx context.Context, lane check.Lane, r *request, st check.Stored) (check.Adoption, bool, error) {
	c, err := b.movable(ctx, lane, r, st)
	if c == nil || err != nil {
		return check.Adoption{}, false, err
	}
	back := r.req.To == lane.Zone // it was to leave, and has not left yet
	if !back {
		if ok, err := b.expect(ctx, lane, r); err != nil || !ok {
			return check.Adoption{}, false, err
		}
	}
	text := string(c.Text())
	return check.Adoption{
		ID: c.ID, Rev: r.entry, Spec: text, SHA: check.SHA(text), OldSHA: check.SHA(st.Spec), Paused: c.Paused,
		First: check.First(c, b.now, true).UnixMilli(), Keep: true, Leaves: !back,
	}, true, nil
}

// expect makes a place ready where a check comes to; false: there is a verdict
// already.
func (b *batch) expect(ctx context.Context, lane check.Lane, r *request) (bool, error) {
	if err := b.s.knowZone(ctx, b.zones, r.req.To); err != nil {
		return false, err
	}
	there, err := b.search(ctx, r.req.To, []string{r.req.ID})
	if err != nil {
		return false, err
	}
	found, err := b.s.q.Standings(ctx, there[0], []string{r.req.ID})
	if err != nil {
		return false, err
	}
	if found[0].Kind == check.StandsHere || found[0].Kind == check.StandsFrozen && found[0].Lane.Zone == r.req.To {
		if r.made(found[0].Rev) { // it came from another lane of this zone, which it has yet to leave
			r.conclude(check.AdoptRepeated)
			return false, nil
		}
		r.reject("zone " + r.req.To + " has a check " + r.req.ID + " already: delete one of them")
		return false, nil
	}
	stone := check.Stone{ID: r.req.ID, Rev: r.entry, From: lane, Until: b.now.Add(expectTime).UnixMilli()}
	_, err = b.s.q.Plant(ctx, b.laneOf(r.req.To, r.req.ID), []check.Stone{stone})
	return err == nil, err
}

// made tells whether a check of that revision is what this very request made of
// it; it may have arrived in other lanes since.
func (r *request) made(rev string) bool {
	return rev == r.entry || strings.HasPrefix(rev, r.entry+".")
}

// movable gives the check that a request moves, with its new zone. Nil: there
// is a verdict already.
func (b *batch) movable(ctx context.Context, lane check.Lane, r *request, st check.Stored) (*check.Check, error) {
	if st.Spec == "" {
		r.conclude(check.AdoptMissing)
		return nil, nil
	}
	c, err := check.Parse([]byte(st.Spec))
	if err != nil {
		r.reject("the check's spec in the registry is not valid: " + err.Error())
		return nil, nil
	}
	if c.ZoneName() == r.req.To {
		out := check.AdoptUnchanged
		found, err := b.s.q.Standings(ctx, lane, []string{r.req.ID})
		if err == nil && r.made(found[0].Rev) {
			out = check.AdoptRepeated
		}
		r.conclude(out)
		return nil, err
	}
	c.Zone = r.req.To
	warnings, fault, err := b.validate(ctx, c)
	if err != nil {
		return nil, err
	}
	if r.warnings = warnings; fault != nil {
		r.reject("in zone " + r.req.To + ": " + fault.Error())
		return nil, nil
	}
	return c, nil
}

// send carries checks on at once that are to move, as far as they only wait.
func (b *batch) send(ctx context.Context, lane check.Lane, reqs []*request, out []check.AdoptOutcome) {
	var ids []string
	var going []*request
	for i, r := range reqs {
		if r.req.Op == check.OpMove && (out[i] == check.AdoptChanged || out[i] == check.AdoptRepeated) {
			ids, going = append(ids, r.req.ID), append(going, r)
		}
	}
	if len(ids) == 0 {
		return
	}
	if err := b.s.carryIDs(ctx, lane, ids); err != nil {
		b.s.log.WarnContext(ctx, "checks that are to move wait for the next pass", "lane", lane.String(), "err", err)
	}
	found, err := b.s.q.Standings(ctx, lane, ids)
	for i, r := range going {
		if err == nil && found[i].Kind == check.StandsHere {
			r.warnings = append(r.warnings, "it moves when its run has ended")
		}
	}
}
