package scheduler_test

import (
	"context"
	"log/slog"
	"os"
	"os/signal"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
)

// A scheduler as a part of another program.
func ExampleNew() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := redisqueue.Open("redis://127.0.0.1:6379/0", redisqueue.Security{})
	if err != nil {
		slog.Error("no client", "err", err)
		return
	}
	defer client.Close()
	s := scheduler.New(redisqueue.New(client, ""), scheduler.Config{
		Commands: check.Commands{}, // commands.Builtin() and your own
		Log:      slog.Default(),
		Hooks: scheduler.Hooks{
			Repaired: func(lane check.Lane, id, kind string) { slog.Warn("repaired", "check", id, "kind", kind) },
		},
	})
	if err := s.Run(ctx); err != nil {
		slog.Error("scheduler", "err", err)
	}
}
