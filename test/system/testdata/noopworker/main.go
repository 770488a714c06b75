// Command noopworker is a worker with commands of its own, as a user would
// build one: noop, which does nothing, and crash, which takes the process
// with it.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/worker"
)

// exitCrash is the exit code after the command crash.
const exitCrash = 3

type none struct{}

func noop(none) (check.Command, error) {
	return check.CommandFunc(func(context.Context, check.Run) (check.Result, error) {
		return check.Result{State: check.StateOK, At: time.Now()}, nil
	}), nil
}

func crash(none) (check.Command, error) {
	return check.CommandFunc(func(context.Context, check.Run) (check.Result, error) {
		os.Exit(exitCrash)
		return check.Result{}, nil
	}), nil
}

func main() {
	url := flag.String("redis", "", "Redis URL")
	name := flag.String("name", "noop", "name of the worker")
	lease := flag.Duration("lease", worker.DefaultLease, "lease")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(log, *url, *name, *lease); err != nil {
		log.Error("worker failed", "err", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger, url, name string, lease time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	client, err := redisqueue.Open(url, redisqueue.Security{})
	if err != nil {
		return err
	}
	defer client.Close()
	w, err := worker.New(worker.Config{
		Queue: redisqueue.New(client, ""), Name: name, Lease: lease, Logger: log,
		Commands: check.Commands{"noop": check.Typed(none{}, noop), "crash": check.Typed(none{}, crash)},
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
