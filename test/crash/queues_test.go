package crash_test

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// workerQueue is the queue of a worker that crashes around its moves.
type workerQueue struct {
	*redisqueue.Queue
	c *crasher
}

func (q *workerQueue) Read(ctx context.Context, w string, lanes []check.Lane, count int, block time.Duration) ([]check.Entry, error) {
	q.c.at("read before")
	out, err := q.Queue.Read(ctx, w, lanes, count, block)
	if len(out) > 0 {
		q.c.at("read after")
	}
	return out, err
}

func (q *workerQueue) Lease(ctx context.Context, req check.LeaseRequest) ([]check.Lease, []check.Entry, error) {
	out, later, err := q.Queue.Lease(ctx, req)
	if len(out) > 0 {
		q.c.at("lease after")
	}
	return out, later, err
}

func (q *workerQueue) Reclaim(ctx context.Context, req check.LeaseRequest, limit int) ([]check.Lease, []check.Entry, error) {
	out, later, err := q.Queue.Reclaim(ctx, req, limit)
	if len(out) > 0 {
		q.c.at("reclaim after")
	}
	return out, later, err
}

func (q *workerQueue) Renew(ctx context.Context, lane check.Lane, lease time.Duration, runs []check.Holding) ([]check.Outcome, error) {
	out, err := q.Queue.Renew(ctx, lane, lease, runs)
	q.c.at("renew after")
	return out, err
}

func (q *workerQueue) Complete(ctx context.Context, lane check.Lane, runs []check.Completion) ([]check.Outcome, error) {
	q.c.at("complete before")
	out, err := q.Queue.Complete(ctx, lane, runs)
	q.c.at("complete after")
	return out, err
}

func (q *workerQueue) Release(ctx context.Context, lane check.Lane, runs []check.Holding) ([]check.Outcome, error) {
	q.c.at("release before")
	out, err := q.Queue.Release(ctx, lane, runs)
	q.c.at("release after")
	return out, err
}

// schedulerQueue is the queue of a scheduler that crashes around its moves.
type schedulerQueue struct {
	*redisqueue.Queue
	c *crasher
}

func (q *schedulerQueue) Dispatch(ctx context.Context, lane check.Lane, limit int) (check.Dispatched, error) {
	q.c.at("dispatch before")
	d, err := q.Queue.Dispatch(ctx, lane, limit)
	if d.Moved > 0 {
		q.c.at("dispatch after")
	}
	return d, err
}

func (q *schedulerQueue) IntakeNew(ctx context.Context, count int, block time.Duration) ([]check.IntakeEntry, error) {
	out, err := q.Queue.IntakeNew(ctx, count, block)
	if len(out) > 0 {
		q.c.at("intake after")
	}
	return out, err
}

func (q *schedulerQueue) Adopt(ctx context.Context, lane check.Lane, as []check.Adoption) ([]check.AdoptOutcome, error) {
	q.c.at("adopt before")
	out, err := q.Queue.Adopt(ctx, lane, as)
	q.c.at("adopt after")
	return out, err
}

func (q *schedulerQueue) Remove(ctx context.Context, lane check.Lane, rm check.Removal) (check.AdoptOutcome, error) {
	q.c.at("remove before")
	out, err := q.Queue.Remove(ctx, lane, rm)
	q.c.at("remove after")
	return out, err
}

func (q *schedulerQueue) Repair(ctx context.Context, lane check.Lane, items []check.RepairItem, mend bool) ([]check.Finding, error) {
	q.c.at("repair before")
	out, err := q.Queue.Repair(ctx, lane, items, mend)
	q.c.at("repair after")
	return out, err
}

func (q *schedulerQueue) IntakeDone(ctx context.Context, verdicts []check.Verdict) error {
	q.c.at("verdict before")
	err := q.Queue.IntakeDone(ctx, verdicts)
	q.c.at("acknowledge after")
	return err
}

// wire crashes between two calls that one move makes.
type wire struct{ c *crasher }

func (w wire) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (w wire) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (w wire) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		switch {
		case cmds[0].Name() == "xack":
			w.c.at("verdict after, acknowledge before")
		case strings.HasPrefix(cmds[0].Name(), "hset") && ctx.Value(following{}) != nil:
			return w.c.follow(ctx, next, cmds)
		}
		return next(ctx, cmds)
	}
}
