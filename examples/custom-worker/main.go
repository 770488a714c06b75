// Command custom-worker is a redpoll worker with a command and a handler of
// its own, beside the built-in ones. Copy it and put yours in:
//
//	redis-server --port 6379 &
//	go run ./cmd/scheduler &
//	go run ./examples/custom-worker -zone files &
//	redis-cli -e XADD redpoll:intake '*' zone files id backup command file_age every 10s params.path go.mod params.age_crit 36h
//	go run ./cmd/redpoll describe files/backup
//
// It has a zone of its own, since every worker of a zone may be given any of
// the zone's checks.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/worker"
)

func main() {
	url := flag.String("redis", "redis://127.0.0.1:6379/0", "`URL` of Redis")
	name := flag.String("name", fmt.Sprintf("custom-%d", os.Getpid()), "the worker's name, which no other process may have")
	zone := flag.String("zone", check.DefaultZone, "the `zone` whose checks run here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *url, *name, *zone, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "custom-worker:", err)
		os.Exit(1)
	}
}

// run works until ctx ends; running checks then have some time to end.
func run(ctx context.Context, url, name, zone string, out, log io.Writer) error {
	client, err := redisqueue.Open(url, redisqueue.Security{})
	if err != nil {
		return err
	}
	defer client.Close()
	queue := redisqueue.New(client, redisqueue.DefaultPrefix)
	if _, err := queue.Joinable(ctx, false); err != nil {
		return err
	}
	known := commands.Builtin()
	known["file_age"] = check.Typed(fileAgeDefaults, newFileAge)
	w, err := worker.New(worker.Config{
		Queue:    queue,
		Commands: known,
		Handlers: []worker.HandlerInstance{{Name: "print", Handler: newPrinter(out), Default: true}},
		Name:     name,
		Zones:    []string{zone},
		Logger:   slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
