package scheduler

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Queue is what a Scheduler needs of Redis; *redisqueue.Queue is one. All of
// it is safe for concurrent use and safe to repeat.
type Queue interface {
	Lanes
	Intake
	Registry
	Mender
	Herald
	Mover
}

// Lanes moves due checks to the workers.
type Lanes interface {
	// Zones lists the zones there are. RestoreZone writes one back as it was,
	// unless the list has a newer version of it.
	Zones(ctx context.Context) (map[string]check.Zone, error)
	RestoreZone(ctx context.Context, zone string, z check.Zone) error
	// ChangeZone writes a zone in the place of one of a lower version; false:
	// there is one as high by now.
	ChangeZone(ctx context.Context, zone string, z check.Zone) (bool, error)
	// Prepare creates a lane's stream and consumer group.
	Prepare(ctx context.Context, lane check.Lane) error
	// Dispatch moves at most limit due checks of a lane to its workers.
	Dispatch(ctx context.Context, lane check.Lane, limit int) (check.Dispatched, error)
	Stats(ctx context.Context, lane check.Lane) (check.Stats, error)
}

// Intake is the stream of requests.
type Intake interface {
	// IntakeLock takes or renews the right to apply the intake, for 2 s.
	IntakeLock(ctx context.Context, owner string) (bool, error)
	IntakeUnlock(ctx context.Context, owner string) error
	// IntakePending reads entries behind the given id that were delivered and
	// not done, IntakeNew others, for which it waits up to block.
	IntakePending(ctx context.Context, after string, count int) ([]check.IntakeEntry, error)
	IntakeNew(ctx context.Context, count int, block time.Duration) ([]check.IntakeEntry, error)
	// IntakeDone logs the verdicts in order and takes their entries out.
	IntakeDone(ctx context.Context, verdicts []check.Verdict) error
}

// Registry is what should run. Its answers stand in the order of what was
// asked for.
type Registry interface {
	Now(ctx context.Context) (int64, error)
	EnterZone(ctx context.Context, zone string) error
	// Workers gives the heartbeats of the last hour.
	Workers(ctx context.Context) ([]check.Heartbeat, error)
	Specs(ctx context.Context, lane check.Lane, ids []string) ([]check.Stored, error)

	Adopt(ctx context.Context, lane check.Lane, adoptions []check.Adoption) ([]check.AdoptOutcome, error)
	Remove(ctx context.Context, lane check.Lane, removal check.Removal) (check.AdoptOutcome, error)
	RunNow(ctx context.Context, lane check.Lane, id, rev string) (check.AdoptOutcome, error)
	Incidents
	Calendar
}

// Incidents are the open ones and those that are over.
type Incidents interface {
	// Incident gives the texts of an incident and of its acknowledgement, empty
	// where there is none. Ack and EndOrphan answer AdoptConflict when they are
	// others by then.
	Incident(ctx context.Context, lane check.Lane, id string) (incident, ack string, err error)
	Ack(ctx context.Context, lane check.Lane, a check.Acking) (check.AdoptOutcome, error)
	EndOrphan(ctx context.Context, lane check.Lane, o check.Orphan) (check.AdoptOutcome, error)
	// DropResolved removes those of kept that were resolved before a time, unix ms.
	DropResolved(ctx context.Context, lane check.Lane, kept []check.IncidentEntry, before int64) (int, error)
}

// Calendar holds the downtimes.
type Calendar interface {
	// Downtimes gives the texts of all, Downtime that of one, empty when there
	// is none. PutDowntime answers AdoptConflict when it is not old by then; an
	// empty text takes it out.
	Downtimes(ctx context.Context) (map[string]string, error)
	Downtime(ctx context.Context, id string) (string, error)
	PutDowntime(ctx context.Context, id, old, text string) (check.AdoptOutcome, error)
}

// Mender finds and mends what is not as the registry wants it.
type Mender interface {
	// ScanSpecs gives about count specs; the pass is over when next is 0.
	ScanSpecs(ctx context.Context, lane check.Lane, cursor uint64, count int) (specs []check.Stored, next uint64, err error)
	// Repair verifies the items and mends what it can.
	Repair(ctx context.Context, lane check.Lane, items []check.RepairItem, mend bool) ([]check.Finding, error)
	// Sweep looks at a page of what is left of checks without a spec. The pass
	// begins with the zero cursor and goes on until the next one is Done.
	Sweep(ctx context.Context, lane check.Lane, c check.SweepCursor, count int, mend bool) ([]check.Finding, check.SweepCursor, error)
	// PutSpec writes a text into the registry unless the id has one there.
	PutSpec(ctx context.Context, lane check.Lane, id, text string) (bool, error)
	// ReplaceSpec writes another text in the place of old, if that still stands
	// there; DropSpec takes it out.
	ReplaceSpec(ctx context.Context, lane check.Lane, id, old, text string) (bool, error)
	DropSpec(ctx context.Context, lane check.Lane, id, text string) error
	Cleaner
}

// Cleaner clears what is left of workers.
type Cleaner interface {
	// DropWorkers removes heartbeats.
	DropWorkers(ctx context.Context, names ...string) error
	// DropConsumers removes consumers of a lane that have nothing pending and
	// were idle for longer than idle.
	DropConsumers(ctx context.Context, lane check.Lane, idle time.Duration) (int, error)
}

// Herald knows the incidents, and tells of those that no run stands behind.
type Herald interface {
	// Incidents reads all that a lane keeps, open and resolved.
	Incidents(ctx context.Context, lane check.Lane) ([]check.IncidentEntry, error)
	Raise(ctx context.Context, lane check.Lane, r check.Raise) (check.AdoptOutcome, error)
}

// Mover moves checks from lane to lane, in steps that may be repeated.
type Mover interface {
	// AllowMoves writes down that checks may move from now on.
	AllowMoves(ctx context.Context) error
	Freeze(ctx context.Context, lane check.Lane, items []check.Freezing) ([]check.Frozen, error)
	// Cargo reads what goes with frozen checks; handlers are names that may stand
	// beside an incident.
	Cargo(ctx context.Context, lane check.Lane, frozen []check.Frozen, handlers []string) ([]check.Cargo, error)
	Carrier
	Finder
}

// Carrier brings frozen checks to their new lanes.
type Carrier interface {
	// Replicated waits a moment for all online replicas to have what was written
	// to a lane, and says whether they have, or none is needed.
	Replicated(ctx context.Context, lane check.Lane) (bool, error)
	// Arrive takes checks into a lane, Depart lets them go from their old one.
	Arrive(ctx context.Context, lane check.Lane, cargo []check.Cargo) ([]check.MoveOutcome, error)
	Depart(ctx context.Context, lane check.Lane, items []check.Departure) ([]check.MoveOutcome, error)
	// Follow carries what is left of the incidents of checks that have gone; in a
	// lane that the zone z has given up, of removed ones too.
	Follow(ctx context.Context, lane check.Lane, z check.Zone) (int, error)
}

// Finder tells where checks stand.
type Finder interface {
	Standings(ctx context.Context, lane check.Lane, ids []string) ([]check.Standing, error)
	// Plant writes tombstones, Forget drops a record that leads nowhere.
	Plant(ctx context.Context, lane check.Lane, stones []check.Stone) ([]bool, error)
	Forget(ctx context.Context, lane check.Lane, id, record string) error
	Emptier
}

// Emptier knows when a lane can be given up.
type Emptier interface {
	// Delivered says whether all handlers have got all changes of a lane, Empty
	// whether it has neither checks nor incidents.
	Delivered(ctx context.Context, lane check.Lane) (bool, error)
	Empty(ctx context.Context, lane check.Lane) (bool, error)
	// Reach says how many lanes of a zone there are up to the last one that has
	// keys, at least n.
	Reach(ctx context.Context, zone string, n int) (int, error)
	// DropLane deletes the keys of a lane that has no checks.
	DropLane(ctx context.Context, lane check.Lane) error
}
