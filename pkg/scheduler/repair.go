package scheduler

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// passEvery is how often a lane is gone through, from start to start. A
	// large lane takes longer than that, and its next pass follows at once.
	passEvery = 5 * time.Second
	// pagePause is the rest after a page of pageSize checks. A page costs Redis
	// about 1 ms, so that is 2% of it for all lanes together.
	pagePause = 50 * time.Millisecond
	// movePause is the rest while checks of the zone move, and maxPause the
	// longest of all.
	movePause = 5 * time.Millisecond
	maxPause  = 2 * time.Second
	pageSize  = 200
	// fullEvery is how often a lane's incidents are looked at, and one of more
	// than smallPages pages is swept for due times and last results that belong to
	// nothing; records without a spec are looked for in each pass, since that is
	// how a spec is removed by hand.
	fullEvery  = time.Minute
	smallPages = 5
	// pageBytes is what a page of specs should stay below.
	pageBytes = 1 << 20
	// idleLook is how often a repair loop without work looks for some.
	idleLook = 200 * time.Millisecond
	// cleanEvery is the pace of clearing what is left of workers and incidents,
	// and workerMemory how long that is kept.
	cleanEvery     = 10 * time.Minute
	workerMemory   = time.Hour
	incidentMemory = 7 * 24 * time.Hour
)

// repairState is what the repair loop knows. Nothing of it outlives the lock.
type repairState struct {
	crew     crew
	horizons horizons
	passes   map[check.Lane]*pass
	settling map[string]*settling
	turn     uint      // counts pages
	cleaned  time.Time // heartbeats and downtimes
	away     time.Time // when the lock was not this scheduler's the last time
}

// pass is the present walk over one lane: the registry first, then what is
// left of checks without a spec.
type pass struct {
	lane    check.Lane
	t       *trouble
	cursor  uint64
	sweeps  bool // the registry is done
	first   bool // the first pass in which checks may move, since this scheduler has the lock
	sweep   check.SweepCursor
	count   int
	pages   int       // of the registry, in this pass
	moving  int       // checks that this pass found in the wrong lane
	version int       // of the zone, when this pass began
	begun   time.Time // of this pass
	full    time.Time // the latest pass that swept everything
	after   time.Time // not before
	served  time.Time // latest page
	cleaned time.Time
}

// repair goes over all lanes, page by page in turn, while this scheduler
// holds the intake's lock.
func (s *Scheduler) repair(ctx, work context.Context) {
	s.repairs.away = time.Now()
	for ctx.Err() == nil {
		if !s.holdsLock() {
			s.repairs = repairState{away: time.Now()}
			pause(ctx, jitter(lockRetry))
			continue
		}
		s.cleanWorkers(work)
		if err := s.dropLanes(work, time.Now()); err != nil {
			s.log.WarnContext(ctx, "keys of a lane that was given up stay", "err", err)
		}
		p := s.nextPass(time.Now())
		if p == nil {
			pause(ctx, jitter(idleLook))
			continue
		}
		begin := time.Now()
		if err := s.repairPage(work, p); err != nil {
			p.after = time.Now().Add(p.t.note(ctx, err))
		} else {
			p.t.passed(ctx)
		}
		p.served = time.Now()
		pause(ctx, p.rest(p.served.Sub(begin)))
	}
}

// rest is the pause after a page that took so long. Checks that move are to
// arrive: half of the time goes into them.
func (p *pass) rest(took time.Duration) time.Duration {
	if p.sweep.Stones || p.moving > 0 {
		return min(max(movePause, took), maxPause)
	}
	return min(max(pagePause, 10*took), maxPause)
}

// nextPass gives the lane that waits longest among those that are due. While
// checks of a zone move, its lanes from which nothing has to go any more get
// every eighth page only, so that the others come to an end.
func (s *Scheduler) nextPass(now time.Time) *pass {
	if s.repairs.passes == nil {
		s.repairs.passes = map[check.Lane]*pass{}
	}
	var next, clean *pass
	for _, lane := range s.lanes.all() {
		p := s.repairs.passes[lane]
		if p == nil {
			p = &pass{lane: lane, t: s.trouble("repair", "lane", lane.String()), count: pageSize, first: true}
			s.repairs.passes[lane] = p
		}
		first := &next
		if s.repairs.clean(lane) {
			first = &clean
		}
		if !now.Before(p.after) && (*first == nil || p.served.Before((*first).served)) {
			*first = p
		}
	}
	s.repairs.turn++
	if next == nil || clean != nil && s.repairs.turn%8 == 0 {
		return clean
	}
	return next
}

// repairPage does the next page of a pass.
func (s *Scheduler) repairPage(ctx context.Context, p *pass) error {
	if !p.sweeps {
		if p.cursor == 0 {
			if err := s.beginPass(ctx, p); err != nil {
				return err
			}
		}
		p.pages++
		next, err := s.repairSpecs(ctx, p)
		if err != nil {
			return err
		}
		p.cursor, p.sweeps = next, next == 0
		return nil
	}
	next, err := s.sweepPage(ctx, p.lane, p.sweep)
	if err != nil {
		return err
	}
	p.sweep = next
	skip := time.Since(p.full) < fullEvery && (next.Part > 0 && p.pages > smallPages || next.Part >= check.SweepIncidents)
	if !next.Done && !skip {
		return nil
	}
	if next.Done {
		p.full = time.Now()
	}
	p.sweep, p.sweeps, p.first = check.SweepCursor{}, false, p.first && p.version < 0
	p.after = p.begun.Add(passEvery)
	if err := s.passed(ctx, p); err != nil {
		return err
	}
	return s.cleanLane(ctx, p)
}

// beginPass begins a walk over a lane. While checks of its zone move, it looks
// for tombstones too.
func (s *Scheduler) beginPass(ctx context.Context, p *pass) error {
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return err
	}
	z := zones[p.lane.Zone]
	p.begun, p.pages, p.moving = time.Now(), 0, 0
	p.version = z.Version
	if s.lanes.age(p.lane.Zone, z.Version, p.begun) < learnTime {
		p.version = -1 // others may not know it yet
	}
	p.sweep = check.SweepCursor{Stones: z.Spread > 0}
	return nil
}

// What repair itself finds, beside the kinds that the queue knows.
const (
	kindMoved    = "moved"     // a spec stood in the wrong lane
	kindZoneLost = "zone_lost" // a zone was missing from the list of zones
	// kindBadRecord is a run record that could not be read: the queue drops it.
	kindBadRecord = "bad_record"
)

// RepairKinds gives the kinds that Hooks.Repaired is called with.
func RepairKinds() []string {
	return []string{
		kindBadRecord, check.FindingFar, check.FindingHand, "long_lease", check.FindingLost, "lost_entry", "lost_pending",
		check.FindingIncident, kindMoved, "paused_due", "stray", check.FindingVanished, kindZoneLost,
	}
}

// found counts and logs what was wrong with a check.
func (s *Scheduler) found(ctx context.Context, lane check.Lane, f check.Finding) {
	s.hooks.Repaired(lane, f.ID, f.Kind)
	s.log.WarnContext(ctx, "repaired", "lane", lane.String(), "check", clean(f.ID, maxWord), "kind", f.Kind)
}

// cleanLane clears consumers of workers that are gone and old incidents. It waits
// until workers that live have beaten again, if it was Redis that was away.
func (s *Scheduler) cleanLane(ctx context.Context, p *pass) error {
	if time.Since(p.cleaned) < cleanEvery || time.Since(s.repairs.away) < beatsBack {
		return nil
	}
	p.cleaned = time.Now()
	if err := s.q.Prepare(ctx, p.lane); err != nil { // it may have been deleted
		return err
	}
	if _, err := s.q.DropConsumers(ctx, p.lane, workerMemory); err != nil {
		return err
	}
	now, err := s.q.Now(ctx)
	if err != nil {
		return err
	}
	kept, err := s.q.Incidents(ctx, p.lane)
	if err != nil {
		return err
	}
	if err := s.resolveLostWorkers(ctx, p.lane, kept, now); err != nil {
		return err
	}
	_, err = s.q.DropResolved(ctx, p.lane, kept, now-incidentMemory.Milliseconds())
	return err
}

// cleanWorkers drops the heartbeats of workers that are gone for good, and
// downtimes that are over.
func (s *Scheduler) cleanWorkers(ctx context.Context) {
	if time.Since(s.repairs.cleaned) < cleanEvery {
		return
	}
	s.repairs.cleaned = time.Now()
	if err := s.dropWorkers(ctx); err != nil {
		s.log.WarnContext(ctx, "old heartbeats stay", "err", err)
	}
	if err := s.cleanDowntimes(ctx); err != nil {
		s.log.WarnContext(ctx, "old downtimes stay", "err", err)
	}
}

func (s *Scheduler) dropWorkers(ctx context.Context) error {
	now, err := s.q.Now(ctx)
	if err != nil {
		return err
	}
	list, err := s.q.Workers(ctx)
	if err != nil {
		return err
	}
	var gone []string
	for _, hb := range list {
		if now-hb.At > workerMemory.Milliseconds() {
			gone = append(gone, hb.Name)
		}
	}
	return s.q.DropWorkers(ctx, gone...)
}
