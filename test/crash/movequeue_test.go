package crash_test

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// The steps of a move between lanes, of a scheduler that crashes around them.
// One that had nothing to do does not count.

func (q *schedulerQueue) Freeze(ctx context.Context, lane check.Lane, items []check.Freezing) ([]check.Frozen, error) {
	q.c.at("freeze before")
	out, err := q.Queue.Freeze(ctx, lane, items)
	for _, f := range out {
		if f.Outcome == check.MoveFrozen {
			q.c.at("freeze after")
			break
		}
	}
	return out, err
}

func (q *schedulerQueue) Arrive(ctx context.Context, lane check.Lane, cargo []check.Cargo) ([]check.MoveOutcome, error) {
	q.c.at("arrive before")
	out, err := q.Queue.Arrive(ctx, lane, cargo)
	for _, o := range out {
		if o == check.MoveTaken {
			q.c.at("arrive after")
			break
		}
	}
	return out, err
}

func (q *schedulerQueue) Depart(ctx context.Context, lane check.Lane, items []check.Departure) ([]check.MoveOutcome, error) {
	q.c.at("depart before")
	out, err := q.Queue.Depart(ctx, lane, items)
	for _, o := range out {
		if o == check.MoveGone {
			q.c.at("depart after")
			break
		}
	}
	return out, err
}

// following marks the calls that Follow makes.
type following struct{}

func (q *schedulerQueue) Follow(ctx context.Context, lane check.Lane, z check.Zone) (int, error) {
	n, err := q.Queue.Follow(context.WithValue(ctx, following{}, true), lane, z)
	if n > 0 {
		q.c.at("follow after")
	}
	return n, err
}

// follow crashes before incidents are written into their new lane, and before
// they are dropped from the old one.
func (c *crasher) follow(ctx context.Context, next redis.ProcessPipelineHook, cmds []redis.Cmder) error {
	c.at("follow before")
	err := next(ctx, cmds)
	c.at("follow halfway")
	return err
}

func (q *schedulerQueue) Plant(ctx context.Context, lane check.Lane, stones []check.Stone) ([]bool, error) {
	if len(stones) > 0 {
		q.c.at("plant before")
	}
	out, err := q.Queue.Plant(ctx, lane, stones)
	for _, planted := range out {
		if planted {
			q.c.at("plant after")
			break
		}
	}
	return out, err
}

func (q *schedulerQueue) ChangeZone(ctx context.Context, zone string, z check.Zone) (bool, error) {
	step := "settle"
	if z.Spread > 0 {
		step = "spread"
	}
	q.c.at(step + " before")
	done, err := q.Queue.ChangeZone(ctx, zone, z)
	if done {
		q.c.at(step + " after")
	}
	return done, err
}

func (q *schedulerQueue) DropLane(ctx context.Context, lane check.Lane) error {
	q.c.at("drop lane before")
	err := q.Queue.DropLane(ctx, lane)
	q.c.at("drop lane after")
	return err
}
