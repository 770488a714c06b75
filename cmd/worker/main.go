// Command worker runs the checks that are due: it takes them from Redis, runs
// their commands, passes the results through handlers and puts them back.
package main

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9/logging"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/worker"
)

func main() {
	logging.Disable() // every error comes back from its call as well
	daemon.Main("worker", run)
}

func run(ctx context.Context, p *daemon.Process) error {
	set, err := readSettings(p)
	if err != nil {
		return err
	}
	defer set.close()
	log := set.common.Logger(p.Stderr)
	queue := redisqueue.New(set.client, *set.common.Prefix)
	reg := daemon.NewRegistry()
	cfg := set.config(queue, log)
	cfg.Metrics = newMetrics(reg).expect(cfg.Handlers)
	cfg.Deliveries = newDeliveries(reg).expect(cfg.Handlers, cfg.Zones)
	var w *worker.Worker
	health := daemon.NewHealth(healthAge, func(ctx context.Context) error {
		if err := w.Ready(); err != nil {
			return err
		}
		return set.client.Ping(ctx).Err()
	})
	cfg.Hooks.OnTurn = health.Beat
	if w, err = worker.New(cfg); err != nil {
		return err
	}
	registerState(reg, w, set)
	if len(cfg.Handlers) == 0 {
		log.InfoContext(ctx, "no handlers: results go to the queue only; -handlers names some")
	}
	set.common.WarnInClear(ctx, log)
	return set.common.Serve(ctx, log, reg, health, func(ctx context.Context) error {
		err := daemon.Await(ctx, log, health, func(ctx context.Context) (bool, error) {
			return queue.Joinable(ctx, *set.common.AllowEviction)
		})
		if err != nil {
			return fmt.Errorf("this Redis cannot be used: %w", err)
		}
		return set.observe.run(ctx, w.Run)
	})
}
