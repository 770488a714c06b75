package scheduler

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// fakeQueue is a Queue of functions; what is nil answers that all is quiet.
type fakeQueue struct {
	zones         func() (map[string]check.Zone, error)
	enterZone     func(zone string) error
	restoreZone   func(zone string, z check.Zone) error
	prepare       func(lane check.Lane) error
	dispatch      func(lane check.Lane, limit int) (check.Dispatched, error)
	stats         func(lane check.Lane) (check.Stats, error)
	lock          func(owner string) (bool, error)
	unlock        func(owner string) error
	pending       func(after string, count int) ([]check.IntakeEntry, error)
	fresh         func(count int) ([]check.IntakeEntry, error)
	done          func([]check.Verdict) error
	workers       func() ([]check.Heartbeat, error)
	specs         func(lane check.Lane, ids []string) ([]check.Stored, error)
	adopt         func(lane check.Lane, as []check.Adoption) ([]check.AdoptOutcome, error)
	remove        func(lane check.Lane, r check.Removal) (check.AdoptOutcome, error)
	runNow        func(lane check.Lane, id, rev string) (check.AdoptOutcome, error)
	incident      func(lane check.Lane, id string) (incident, ack string, err error)
	ackFunc       func(lane check.Lane, a check.Acking) (check.AdoptOutcome, error)
	downtimes     func() (map[string]string, error)
	putDowntime   func(id, old, text string) (check.AdoptOutcome, error)
	scanSpecs     func(lane check.Lane, cursor uint64, count int) ([]check.Stored, uint64, error)
	repairFunc    func(lane check.Lane, items []check.RepairItem) ([]check.Finding, error)
	sweep         func(lane check.Lane, c check.SweepCursor) ([]check.Finding, check.SweepCursor, error)
	putSpec       func(lane check.Lane, id, text string) (bool, error)
	replaceSpec   func(lane check.Lane, id, old, text string) (bool, error)
	dropSpec      func(lane check.Lane, id, text string) error
	dropWorkers   func(names []string) error
	dropConsumers func(lane check.Lane, idle time.Duration) (int, error)
	changeZone    func(zone string, z check.Zone) (bool, error)
}

var _ Queue = (*fakeQueue)(nil)

func (f *fakeQueue) Zones(context.Context) (map[string]check.Zone, error) {
	if f.zones == nil {
		return map[string]check.Zone{"default": {Version: 1, Partitions: 1}}, nil
	}
	return f.zones()
}

func (f *fakeQueue) RestoreZone(_ context.Context, zone string, z check.Zone) error {
	if f.restoreZone == nil {
		return nil
	}
	return f.restoreZone(zone, z)
}

func (f *fakeQueue) EnterZone(_ context.Context, zone string) error {
	if f.enterZone == nil {
		return nil
	}
	return f.enterZone(zone)
}

func (f *fakeQueue) Now(context.Context) (int64, error) { return time.Now().UnixMilli(), nil }

func (f *fakeQueue) Prepare(_ context.Context, lane check.Lane) error {
	if f.prepare == nil {
		return nil
	}
	return f.prepare(lane)
}

func (f *fakeQueue) Dispatch(_ context.Context, lane check.Lane, limit int) (check.Dispatched, error) {
	if f.dispatch == nil {
		return check.Dispatched{Now: time.Now().UnixMilli(), Next: -1}, nil
	}
	return f.dispatch(lane, limit)
}

func (f *fakeQueue) Stats(_ context.Context, lane check.Lane) (check.Stats, error) {
	if f.stats == nil {
		return check.Stats{}, nil
	}
	return f.stats(lane)
}

func (f *fakeQueue) IntakeLock(_ context.Context, owner string) (bool, error) {
	if f.lock == nil {
		return true, nil
	}
	return f.lock(owner)
}

func (f *fakeQueue) IntakeUnlock(_ context.Context, owner string) error {
	if f.unlock == nil {
		return nil
	}
	return f.unlock(owner)
}

func (f *fakeQueue) IntakePending(_ context.Context, after string, count int) ([]check.IntakeEntry, error) {
	if f.pending == nil {
		return nil, nil
	}
	return f.pending(after, count)
}

func (f *fakeQueue) IntakeNew(ctx context.Context, count int, block time.Duration) ([]check.IntakeEntry, error) {
	if f.fresh != nil {
		if found, err := f.fresh(count); err != nil || len(found) > 0 {
			return found, err
		}
	}
	pause(ctx, block)
	return nil, nil
}

func (f *fakeQueue) IntakeDone(_ context.Context, verdicts []check.Verdict) error {
	if f.done == nil {
		return nil
	}
	return f.done(verdicts)
}

func (f *fakeQueue) Workers(context.Context) ([]check.Heartbeat, error) {
	if f.workers == nil {
		return nil, nil
	}
	return f.workers()
}

func (f *fakeQueue) Specs(_ context.Context, lane check.Lane, ids []string) ([]check.Stored, error) {
	if f.specs == nil {
		out := make([]check.Stored, len(ids))
		for i, id := range ids {
			out[i].ID = id
		}
		return out, nil
	}
	return f.specs(lane, ids)
}

func (f *fakeQueue) Adopt(_ context.Context, lane check.Lane, as []check.Adoption) ([]check.AdoptOutcome, error) {
	if f.adopt == nil {
		out := make([]check.AdoptOutcome, len(as))
		for i := range as {
			out[i] = check.AdoptNew
		}
		return out, nil
	}
	return f.adopt(lane, as)
}

func (f *fakeQueue) Remove(_ context.Context, lane check.Lane, r check.Removal) (check.AdoptOutcome, error) {
	if f.remove == nil {
		return check.AdoptChanged, nil
	}
	return f.remove(lane, r)
}

func (f *fakeQueue) RunNow(_ context.Context, lane check.Lane, id, rev string) (check.AdoptOutcome, error) {
	if f.runNow == nil {
		return check.AdoptChanged, nil
	}
	return f.runNow(lane, id, rev)
}

func (f *fakeQueue) Incident(_ context.Context, lane check.Lane, id string) (incident, ack string, err error) {
	if f.incident == nil {
		return "", "", nil
	}
	return f.incident(lane, id)
}

func (f *fakeQueue) Ack(_ context.Context, lane check.Lane, a check.Acking) (check.AdoptOutcome, error) {
	if f.ackFunc == nil {
		return check.AdoptChanged, nil
	}
	return f.ackFunc(lane, a)
}

func (f *fakeQueue) EndOrphan(context.Context, check.Lane, check.Orphan) (check.AdoptOutcome, error) {
	return check.AdoptChanged, nil
}

func (f *fakeQueue) Downtimes(context.Context) (map[string]string, error) {
	if f.downtimes == nil {
		return nil, nil
	}
	return f.downtimes()
}

func (f *fakeQueue) Downtime(ctx context.Context, id string) (string, error) {
	all, err := f.Downtimes(ctx)
	return all[id], err
}

func (f *fakeQueue) PutDowntime(_ context.Context, id, old, text string) (check.AdoptOutcome, error) {
	if f.putDowntime == nil {
		return check.AdoptChanged, nil
	}
	return f.putDowntime(id, old, text)
}

func (f *fakeQueue) Incidents(context.Context, check.Lane) ([]check.IncidentEntry, error) {
	return nil, nil
}

func (f *fakeQueue) Raise(context.Context, check.Lane, check.Raise) (check.AdoptOutcome, error) {
	return check.AdoptChanged, nil
}

func (f *fakeQueue) ScanSpecs(_ context.Context, lane check.Lane, cursor uint64, count int) ([]check.Stored, uint64, error) {
	if f.scanSpecs == nil {
		return nil, 0, nil
	}
	return f.scanSpecs(lane, cursor, count)
}

func (f *fakeQueue) Repair(_ context.Context, lane check.Lane, items []check.RepairItem, _ bool) ([]check.Finding, error) {
	if f.repairFunc == nil {
		return nil, nil
	}
	return f.repairFunc(lane, items)
}

func (f *fakeQueue) Sweep(_ context.Context, lane check.Lane, c check.SweepCursor, _ int, _ bool) ([]check.Finding, check.SweepCursor, error) {
	if f.sweep == nil {
		return nil, check.SweepCursor{Done: true}, nil
	}
	return f.sweep(lane, c)
}

func (f *fakeQueue) PutSpec(_ context.Context, lane check.Lane, id, text string) (bool, error) {
	if f.putSpec == nil {
		return true, nil
	}
	return f.putSpec(lane, id, text)
}

func (f *fakeQueue) ReplaceSpec(_ context.Context, lane check.Lane, id, old, text string) (bool, error) {
	if f.replaceSpec == nil {
		return true, nil
	}
	return f.replaceSpec(lane, id, old, text)
}

func (f *fakeQueue) DropSpec(_ context.Context, lane check.Lane, id, text string) error {
	if f.dropSpec == nil {
		return nil
	}
	return f.dropSpec(lane, id, text)
}

func (f *fakeQueue) DropWorkers(_ context.Context, names ...string) error {
	if f.dropWorkers == nil {
		return nil
	}
	return f.dropWorkers(names)
}

func (f *fakeQueue) DropConsumers(_ context.Context, lane check.Lane, idle time.Duration) (int, error) {
	if f.dropConsumers == nil {
		return 0, nil
	}
	return f.dropConsumers(lane, idle)
}

func (f *fakeQueue) DropResolved(context.Context, check.Lane, []check.IncidentEntry, int64) (int, error) {
	return 0, nil
}

func (f *fakeQueue) ChangeZone(_ context.Context, zone string, z check.Zone) (bool, error) {
	if f.changeZone == nil {
		return true, nil
	}
	return f.changeZone(zone, z)
}

func (f *fakeQueue) AllowMoves(context.Context) error { return nil }

func (f *fakeQueue) Freeze(_ context.Context, _ check.Lane, items []check.Freezing) ([]check.Frozen, error) {
	out := make([]check.Frozen, len(items))
	for i, it := range items {
		out[i] = check.Frozen{ID: it.ID, Outcome: check.MoveBusy}
	}
	return out, nil
}

func (f *fakeQueue) Cargo(context.Context, check.Lane, []check.Frozen, []string) ([]check.Cargo, error) {
	return nil, nil
}

func (f *fakeQueue) Replicated(context.Context, check.Lane) (bool, error) { return true, nil }

func (f *fakeQueue) Arrive(context.Context, check.Lane, []check.Cargo) ([]check.MoveOutcome, error) {
	return nil, nil
}

func (f *fakeQueue) Depart(context.Context, check.Lane, []check.Departure) ([]check.MoveOutcome, error) {
	return nil, nil
}

func (f *fakeQueue) Follow(context.Context, check.Lane, check.Zone) (int, error) { return 0, nil }

func (f *fakeQueue) Standings(_ context.Context, _ check.Lane, ids []string) ([]check.Standing, error) {
	return make([]check.Standing, len(ids)), nil
}

func (f *fakeQueue) Plant(_ context.Context, _ check.Lane, stones []check.Stone) ([]bool, error) {
	return make([]bool, len(stones)), nil
}

func (f *fakeQueue) Forget(context.Context, check.Lane, string, string) error { return nil }

func (f *fakeQueue) Delivered(context.Context, check.Lane) (bool, error) { return true, nil }

func (f *fakeQueue) Empty(context.Context, check.Lane) (bool, error) { return true, nil }

func (f *fakeQueue) Reach(_ context.Context, _ string, n int) (int, error) { return n, nil }

func (f *fakeQueue) DropLane(context.Context, check.Lane) error { return nil }
