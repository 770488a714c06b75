package scheduler

import (
	"context"
	"time"
	"unique"

	"github.com/redpoll/redpoll/pkg/check"
)

// repairSpecs verifies a page of the registry and gives the cursor of the next.
func (s *Scheduler) repairSpecs(ctx context.Context, p *pass) (next uint64, err error) {
	specs, next, err := s.q.ScanSpecs(ctx, p.lane, p.cursor, p.count)
	if err != nil {
		return 0, err
	}
	p.count = nextPage(specs, p.count)
	ms, err := s.q.Now(ctx)
	if err != nil {
		return 0, err
	}
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return 0, err
	}
	look := &look{zones: zones, lane: p.lane, now: time.UnixMilli(ms), first: p.first}
	for len(specs) > 0 { // a small hash comes in one piece, whatever its size
		page := specs[:min(len(specs), pageSize)]
		specs = specs[len(page):]
		moving, err := s.verify(ctx, look, page)
		if err != nil {
			return 0, err
		}
		p.moving += moving
	}
	return next, nil
}

// nextPage is how many specs to ask for, so that large ones make small pages.
func nextPage(specs []check.Stored, count int) int {
	size := 0
	for _, st := range specs {
		size += len(st.Spec)
	}
	switch {
	case size > pageBytes:
		return max(count/2, 10)
	case size < pageBytes/2:
		return min(count*2, pageSize)
	}
	return count
}

// look is what a pass sees a page of specs by.
type look struct {
	zones map[string]check.Zone
	lane  check.Lane
	now   time.Time // the server's
	// first: only what is frozen already is carried on. The scheduler that froze
	// it may have died, and this pass is a quick one.
	first bool
}

// verify has the queue compare specs with their records, and does what the
// queue cannot: adopt what was written by hand, find places, and carry on what
// belongs to another lane. It says how many of these there are.
func (s *Scheduler) verify(ctx context.Context, l *look, specs []check.Stored) (moving int, err error) {
	lane, now := l.lane, l.now
	items := make([]check.RepairItem, len(specs))
	texts := make(map[string]check.Stored, len(specs))
	away := map[string]bool{} // what is to go, or goes; true: to a lane of this zone
	for i, st := range specs {
		sha := check.SHA(st.Spec)
		known := s.repairs.horizons.of(sha, st.Spec, now)
		items[i] = check.RepairItem{ID: st.ID, SHA: sha, Ahead: known.ahead(now)}
		texts[st.ID] = st
		if home := homeOf(l.zones, lane, st.ID, known.zone); home != lane {
			away[st.ID] = home.Zone == lane.Zone
		}
	}
	findings, err := s.q.Repair(ctx, lane, items, true)
	if err != nil {
		return 0, err
	}
	var hand []check.Stored
	var place []check.RepairItem
	frozen := map[string]bool{}
	for _, f := range findings {
		st := texts[f.ID]
		switch {
		case f.Kind == kindBadRecord && !f.Open: // dropped: what stays is a text without a record
			s.found(ctx, lane, f)
			hand = append(hand, st)
		case !f.Open:
			s.found(ctx, lane, f)
		case f.Kind == check.FindingFrozen:
			inZone := away[f.ID] // false where it is not known: it stands in the list all the same
			away[f.ID], frozen[f.ID] = inZone, inZone
		case f.Kind == check.FindingNew || f.Kind == check.FindingHand:
			hand = append(hand, st)
		default:
			if it, ok := s.placed(st, now); ok {
				place = append(place, it)
			}
		}
	}
	moving = len(away)
	if l.first {
		away = frozen
	}
	for _, st := range hand {
		delete(away, st.ID) // it is adopted first
	}
	if err := s.place(ctx, lane, place); err != nil {
		return moving, err
	}
	if err := s.carryAway(ctx, l, specs, away); err != nil {
		return moving, err
	}
	return moving, s.adoptFound(ctx, lane, hand, now)
}

// placed says where a check goes that has lost its place: to its next slot.
func (s *Scheduler) placed(st check.Stored, now time.Time) (check.RepairItem, bool) {
	c, err := check.Parse([]byte(st.Spec))
	if err != nil {
		return check.RepairItem{}, false
	}
	sha := check.SHA(st.Spec)
	return check.RepairItem{
		ID: st.ID, SHA: sha, Ahead: s.repairs.horizons.ahead(sha, st.Spec, now), Place: check.First(c, now, true).UnixMilli(),
	}, true
}

func (s *Scheduler) place(ctx context.Context, lane check.Lane, items []check.RepairItem) error {
	if len(items) == 0 {
		return nil
	}
	findings, err := s.q.Repair(ctx, lane, items, true)
	for _, f := range findings {
		if !f.Open {
			s.found(ctx, lane, f)
		}
	}
	return err
}

// maxHorizons bounds the memory of horizons, about 100 bytes each.
const maxHorizons = 200_000

// horizons remember how far ahead the checks of a text may be due, so that a
// pass does not parse every spec anew. The zero value is ready.
type horizons struct{ bySHA map[string]horizon }

type horizon struct {
	period int64  // ms, of a grid; 0: limit and until hold
	limit  int64  // the latest due time, unix ms; 0: any
	until  int64  // when that has to be found anew, unix ms
	zone   string // that the text says, empty when it cannot be read
}

// of gives what is known of a text.
func (h *horizons) of(sha, text string, now time.Time) horizon {
	known, ok := h.bySHA[sha]
	if !ok || known.period == 0 && known.until <= now.UnixMilli() {
		known = horizonOf(text, now)
		if len(h.bySHA) >= maxHorizons || h.bySHA == nil {
			h.bySHA = map[string]horizon{}
		}
		h.bySHA[sha] = known
	}
	return known
}

// ahead gives how far in the future a check may be due, ms; 0 for any time.
func (h *horizons) ahead(sha, text string, now time.Time) int64 {
	return h.of(sha, text, now).ahead(now)
}

func (h horizon) ahead(now time.Time) int64 {
	switch {
	case h.period > 0:
		return 2 * h.period
	case h.limit == 0:
		return 0
	}
	return max(h.limit-now.UnixMilli(), 1)
}

func horizonOf(text string, now time.Time) horizon {
	never := horizon{until: 1 << 62}
	c, err := check.Parse([]byte(text))
	if err != nil {
		return never
	}
	never.zone = unique.Make(c.ZoneName()).Value() // a few strings for all specs
	if c.Every > 0 {
		return horizon{period: c.Every.D().Milliseconds(), zone: never.zone}
	}
	limit, until := check.Horizon(c, now)
	if limit.IsZero() {
		return never
	}
	return horizon{limit: limit.UnixMilli(), until: until.UnixMilli(), zone: never.zone}
}
