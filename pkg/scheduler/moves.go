package scheduler

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// moves are the checks that dispatch froze and that nobody has carried on yet.
type moves struct {
	wake chan struct{} // holds one: there are some

	mu     sync.Mutex
	frozen map[check.Lane][]string // guarded by mu
	// allowed: it was written down that checks may move. Guarded by mu.
	allowed bool
	// names are of handlers that workers offer, read at some time. Guarded by mu.
	names []string
	asked time.Time
	// given are lanes whose keys are to be deleted. Guarded by mu.
	given []givenUp
}

func newMoves() moves {
	return moves{wake: make(chan struct{}, 1), frozen: map[check.Lane][]string{}}
}

func (m *moves) add(lane check.Lane, ids []string) {
	if len(ids) == 0 {
		return
	}
	m.mu.Lock()
	m.frozen[lane] = append(m.frozen[lane], ids...)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *moves) take() map[check.Lane][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.frozen
	m.frozen = map[check.Lane][]string{}
	return all
}

// carryFrozen carries checks on as soon as dispatch has frozen them. What it
// does not manage the repair pass does.
func (s *Scheduler) carryFrozen(ctx, work context.Context) {
	t := s.trouble("moves")
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.moves.wake:
		}
		for lane, ids := range s.moves.take() {
			for page := range slices.Chunk(ids, pageSize) {
				if err := s.carryIDs(work, lane, page); err != nil {
					t.failed(ctx, err)
					continue
				}
				t.passed(ctx)
			}
		}
	}
}

func (s *Scheduler) carryIDs(ctx context.Context, lane check.Lane, ids []string) error {
	stored, err := s.q.Specs(ctx, lane, ids)
	if err != nil {
		return err
	}
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return err
	}
	return s.carry(ctx, zones, lane, stored)
}

// handlerNames gives the names of all handlers that workers offer, at most 10 s
// old.
func (s *Scheduler) handlerNames(ctx context.Context) ([]string, error) {
	s.moves.mu.Lock()
	defer s.moves.mu.Unlock()
	if time.Since(s.moves.asked) < 10*time.Second {
		return s.moves.names, nil
	}
	beats, err := s.q.Workers(ctx)
	if err != nil && replyCode(err) != wrongType {
		return nil, err
	}
	s.moves.asked, s.moves.names = time.Now(), nil
	for i := range beats {
		s.moves.names = append(s.moves.names, beats[i].Handlers...)
	}
	slices.Sort(s.moves.names)
	s.moves.names = slices.Compact(s.moves.names)
	return s.moves.names, nil
}

// allowMoves writes down, once, that checks may move.
func (s *Scheduler) allowMoves(ctx context.Context) error {
	s.moves.mu.Lock()
	defer s.moves.mu.Unlock()
	if s.moves.allowed {
		return nil
	}
	err := s.q.AllowMoves(ctx)
	s.moves.allowed = err == nil
	return err
}

// carryAway carries on those of specs that are not where they belong, or on
// their way; away says true of those that belong to another lane of the zone.
func (s *Scheduler) carryAway(ctx context.Context, l *look, specs []check.Stored, away map[string]bool) error {
	name := l.lane.Zone
	if len(away) == 0 || s.lanes.age(name, l.zones[name].Version, time.Now()) < learnTime {
		return nil
	}
	var going []check.Stored
	within := false
	for _, st := range specs {
		if inZone, ok := away[st.ID]; ok {
			going = append(going, st)
			within = within || inZone
		}
	}
	if within {
		if err := s.spread(ctx, l); err != nil {
			return err
		}
	}
	return s.carry(ctx, l.zones, l.lane, going)
}

// spread writes down that checks of a zone stand in other lanes than their own,
// so that requests look for them there too.
func (s *Scheduler) spread(ctx context.Context, l *look) error {
	z, ok := l.zones[l.lane.Zone]
	if !ok || z.Partitions == 0 || z.Spread > 0 {
		return nil
	}
	z.Version, z.Spread = z.Version+1, max(z.Partitions, l.lane.Part+1)
	l.zones[l.lane.Zone] = z
	_, err := s.q.ChangeZone(ctx, l.lane.Zone, z)
	s.lanes.soon()
	return err
}

const (
	// dropAfter is how long after a lane was given up its keys are deleted: by
	// then everybody knows. After dropLimit somebody else has done it.
	dropAfter = 15 * time.Second
	dropLimit = 5 * time.Minute
)

// givenUp is a lane whose keys are to be deleted, unless its zone has got
// another version by then.
type givenUp struct {
	lane    check.Lane
	version int
	at      time.Time
}

// giveUp notes lanes that their zones have given up.
func (m *moves) giveUp(lanes []check.Lane, list map[string]check.Zone, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.given = slices.DeleteFunc(m.given, func(g givenUp) bool { return now.Sub(g.at) > dropLimit })
	for _, lane := range lanes {
		m.given = append(m.given, givenUp{lane, list[lane.Zone].Version, now})
	}
}

// ripe takes those of the given up lanes whose time has come.
func (m *moves) ripe(now time.Time) (ripe []givenUp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.given = slices.DeleteFunc(m.given, func(g givenUp) bool {
		is := now.Sub(g.at) >= dropAfter
		if is {
			ripe = append(ripe, g)
		}
		return is
	})
	return ripe
}

// dropLanes deletes the keys of lanes that were given up a while ago.
func (s *Scheduler) dropLanes(ctx context.Context, now time.Time) error {
	ripe := s.moves.ripe(now)
	if len(ripe) == 0 {
		return nil
	}
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return err
	}
	for _, g := range ripe {
		if zones[g.lane.Zone].Version != g.version {
			continue
		}
		if err := s.q.DropLane(ctx, g.lane); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "lane deleted", "lane", g.lane.String())
	}
	return nil
}

// plant puts the tombstones of a lane also where their checks belong, so that an
// older request finds them there.
func (s *Scheduler) plant(ctx context.Context, zones map[string]check.Zone, lane check.Lane, ids []string) error {
	found, err := s.q.Standings(ctx, lane, ids)
	if err != nil {
		return err
	}
	stones := map[check.Lane][]check.Stone{}
	for i, st := range found {
		if home := zones[lane.Zone].Home(lane.Zone, ids[i]); st.Kind == check.StandsRemoved && home != lane {
			stones[home] = append(stones[home], check.Stone{ID: ids[i], Rev: st.Rev, Until: st.Until})
		}
	}
	for home, page := range stones {
		if _, err := s.q.Plant(ctx, home, page); err != nil {
			return err
		}
	}
	return nil
}
