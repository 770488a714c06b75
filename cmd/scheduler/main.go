// Command scheduler brings due checks to the workers, applies the requests
// that stand in the intake, and mends what is wrong in Redis. Any number may
// run.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
)

// healthAge is how long all loops together may stand still; one turns at least
// every 5 s, be Redis there or not.
const healthAge = 30 * time.Second

func main() {
	logging.Disable() // every error comes back from its call as well
	daemon.Main("scheduler", run)
}

func run(ctx context.Context, p *daemon.Process) error {
	set := daemon.NewSettings(p, "brings due checks to the workers and applies requests")
	common := daemon.NewCommon(set, ":9101")
	if err := set.Parse(); errors.Is(err, daemon.ErrHelp) {
		return err
	}
	client, err := connect(common)
	if err != nil {
		set.Fault("redis", "", err)
	} else {
		defer client.Close()
	}
	if err := set.Err(); err != nil { // all faults at once
		return err
	}
	log := common.Logger(p.Stderr)
	queue := redisqueue.New(client, *common.Prefix)
	reg := daemon.NewRegistry()
	var s *scheduler.Scheduler
	health := daemon.NewHealth(healthAge, func(context.Context) error { return s.Ready() })
	s = scheduler.New(queue, scheduler.Config{Commands: commands.Builtin(), Log: log, Hooks: newMetrics(reg).hooks(health.Beat)})
	common.WarnInClear(ctx, log)
	return common.Serve(ctx, log, reg, health, func(ctx context.Context) error {
		err := daemon.Await(ctx, log, health, func(ctx context.Context) (bool, error) {
			return queue.Usable(ctx, *common.AllowEviction)
		})
		if err != nil {
			return fmt.Errorf("this Redis cannot be used: %w", err)
		}
		return s.Run(ctx)
	})
}
