package cli

import (
	"context"
	"slices"

	"github.com/redpoll/redpoll/pkg/check"
)

// scanner gives each check once. Where none moves each page is given at once.
// Where they move, checks are held until all lanes were looked at: then it is
// known where each really is.
type scanner struct {
	app  *app
	conn *connection
	give func(lane check.Lane, page []stored) error

	given map[target]bool
	held  map[target]sight
}

// sight is a check as it was seen in a lane.
type sight struct {
	stored
	rev string
	// frozen says that it is on its way to another lane, or has left for it, and
	// to which, if that is known.
	frozen bool
	to     check.Lane
}

// scan reads the registry page by page and gives each check once to f, from the
// lane where it is.
func (a *app) scan(ctx context.Context, conn *connection, f func(lane check.Lane, page []stored) error) error {
	return a.scanBy(ctx, a.walk(conn), f)
}

func (a *app) scanBy(ctx context.Context, w *walker, f func(lane check.Lane, page []stored) error) error {
	s := &scanner{app: a, conn: w.conn, give: f, given: map[target]bool{}, held: map[target]sight{}}
	if err := w.run(ctx, func(lane check.Lane) error { return s.lane(ctx, w, lane) }); err != nil {
		return err
	}
	return s.rest(ctx)
}

// lane reads a lane's registry.
func (s *scanner) lane(ctx context.Context, w *walker, lane check.Lane) error {
	for cursor := uint64(0); ; {
		moving, err := w.moving(ctx, lane.Zone)
		if err != nil {
			return err
		}
		specs, next, err := s.conn.ScanSpecs(ctx, lane, cursor, scanPage)
		if err != nil {
			return err
		}
		if err := s.page(ctx, lane, specs, moving); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// page gives those of specs that are new and stay where they are, and holds the
// others.
func (s *scanner) page(ctx context.Context, lane check.Lane, specs []check.Stored, moving bool) error {
	var page, ask []stored
	for _, spec := range specs {
		st := parseStored(lane, spec)
		switch t := st.target(); {
		case moving && !s.given[t] || st.strange():
			ask = append(ask, st)
		case !s.given[t]:
			s.given[t] = true
			page = append(page, st)
		}
	}
	for part := range slices.Chunk(ask, scanPage) {
		if err := s.hold(ctx, lane, part); err != nil {
			return err
		}
	}
	return s.give(lane, page)
}

// hold notes checks with what their records say.
func (s *scanner) hold(ctx context.Context, lane check.Lane, page []stored) error {
	found, err := s.conn.Standings(ctx, lane, idsOf(page))
	if err != nil {
		return err
	}
	for i, st := range page {
		st.adopted(found[i].Record)
		t := st.target()
		is := sight{stored: st, rev: found[i].Rev}
		switch found[i].Kind {
		case check.StandsFrozen, check.StandsMoved, check.StandsAway:
			is.frozen, is.to = true, found[i].Lane
		}
		if was, ok := s.held[t]; !s.given[t] && (!ok || !was.better(is)) {
			s.held[t] = is
		}
	}
	return nil
}

// better tells whether one sight says more surely than another where a check is.
func (s sight) better(than sight) bool {
	if s.frozen != than.frozen {
		return !s.frozen
	}
	return check.CompareRevs(s.rev, than.rev) > 0
}

// rest gives the checks that were held.
func (s *scanner) rest(ctx context.Context) error {
	here, way := map[check.Lane][]stored{}, map[check.Lane]map[check.Lane][]stored{}
	for t, is := range s.held {
		switch {
		case s.given[t]:
		case !is.frozen:
			here[is.lane] = append(here[is.lane], is.stored)
		default:
			if way[is.lane] == nil {
				way[is.lane] = map[check.Lane][]stored{}
			}
			way[is.lane][is.to] = append(way[is.lane][is.to], is.stored)
		}
	}
	for from, all := range way {
		for to, list := range all {
			for page := range slices.Chunk(list, scanPage) {
				if err := s.overtake(ctx, from, to, page); err != nil {
					return err
				}
				for _, st := range page {
					here[st.lane] = append(here[st.lane], st)
				}
			}
		}
	}
	for lane, list := range here {
		for page := range slices.Chunk(list, scanPage) {
			if err := s.give(lane, page); err != nil {
				return err
			}
		}
	}
	return nil
}

// overtake puts in the place of those of a page that have arrived in the lane
// that they went to what stands there.
func (s *scanner) overtake(ctx context.Context, from, to check.Lane, page []stored) error {
	ids := idsOf(page)
	var there []check.Standing
	var specs []check.Stored
	var err error
	if to != (check.Lane{}) {
		if there, err = s.conn.Standings(ctx, to, ids); err != nil {
			return err
		}
		if specs, err = s.conn.Specs(ctx, to, ids); err != nil {
			return err
		}
	}
	left, err := s.conn.Specs(ctx, from, ids)
	if err != nil {
		return err
	}
	for i := range page {
		switch {
		case there != nil && there[i].Kind == check.StandsHere && specs[i].Spec != "":
			page[i] = parseStored(to, specs[i])
		case left[i].Spec == "": // it has gone on
			st, err := s.app.lookup(ctx, s.conn, page[i].target())
			if err != nil {
				return err
			}
			if st.Spec != "" {
				page[i] = st
			}
		}
	}
	return nil
}

func idsOf(page []stored) []string {
	ids := make([]string, len(page))
	for i, st := range page {
		ids[i] = st.ID
	}
	return ids
}

// withLast reads the last records of a page of checks. Of one that has left the
// lane meanwhile it reads all where that is now.
func (a *app) withLast(ctx context.Context, conn *connection, lane check.Lane, page []stored) error {
	full, err := conn.Specs(ctx, lane, idsOf(page))
	if err != nil {
		return err
	}
	for i := range full {
		if page[i].Last = full[i].Last; full[i].Spec != "" {
			continue
		}
		there, err := a.lookup(ctx, conn, page[i].target())
		if err != nil {
			return err
		}
		if there.Spec != "" {
			page[i] = there
		}
	}
	return nil
}
