package worker

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Queue is where checks come from and go back to; *redisqueue.Queue is one.
// All of it is safe for concurrent use and safe to repeat.
type Queue interface {
	Source
	Committer
	Directory
	Herald
	Surroundings
}

// Source hands out checks.
type Source interface {
	// Lanes gives the lanes of the zones.
	Lanes(ctx context.Context, zones ...string) ([]check.Lane, error)
	// Read takes new entries, at most count of each lane, and waits up to
	// block for the first.
	Read(ctx context.Context, worker string, lanes []check.Lane, count int, block time.Duration) ([]check.Entry, error)
	// Lease asks for the right to run entries; those in later may be asked for
	// again, those in neither answer are not the worker's any more.
	Lease(ctx context.Context, req check.LeaseRequest) (leases []check.Lease, later []check.Entry, err error)
	// Reclaim takes over at most limit runs of workers that were lost; those in
	// later may be asked for as soon as there is room for a suspect.
	Reclaim(ctx context.Context, req check.LeaseRequest, limit int) (leases []check.Lease, later []check.Entry, err error)
}

// Committer ends runs and keeps them. Its answers stand in the order of the
// items.
type Committer interface {
	Renew(ctx context.Context, lane check.Lane, lease time.Duration, runs []check.Holding) ([]check.Outcome, error)
	Complete(ctx context.Context, lane check.Lane, runs []check.Completion) ([]check.Outcome, error)
	Release(ctx context.Context, lane check.Lane, runs []check.Holding) ([]check.Outcome, error)
}

// Directory knows the workers and their zones.
type Directory interface {
	// Beat also has the schedulers enter the zones of the worker.
	Beat(ctx context.Context, beat check.Heartbeat) error
	// LeaveLane forgets the worker in a lane in which it holds nothing,
	// DropWorkers the heartbeats of workers that end.
	LeaveLane(ctx context.Context, lane check.Lane, worker string) error
	DropWorkers(ctx context.Context, names ...string) error
}

// Herald tells of incidents that no run stands behind.
type Herald interface {
	// Now reads the queue's clock, unix ms.
	Now(ctx context.Context) (int64, error)
	Raise(ctx context.Context, lane check.Lane, r check.Raise) (check.AdoptOutcome, error)
}

// Surroundings tell what may keep an incident from opening.
type Surroundings interface {
	// Downtimes gives the texts of all downtimes, by id.
	Downtimes(ctx context.Context) (map[string]string, error)
	// Neighbours tells what is known of checks of a zone, in the order of ids.
	Neighbours(ctx context.Context, zone string, ids []string) ([]check.Nearby, error)
	// Hurry makes those of them due now that wait for a later time.
	Hurry(ctx context.Context, zone string, ids []string) error
}
