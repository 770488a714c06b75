// Command custom-worker is a redpoll worker with a command and a handler of
// its own, beside the built-in ones. Copy it and put yours in:
//
//	redis-server --port 6379 &
//	go run ./cmd/scheduler &
//	go run ./examples/custom-worker &
//	redis-cli -e XADD redpoll:intake '*' id backup command file_age every 10s params.path go.mod params.age_crit 36h
//	go run ./cmd/redpoll describe backup
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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *url, *name, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "custom-worker:", err)
		os.Exit(1)
	}
}

// run works until ctx ends; running checks then have some time to end.
func run(ctx context.Context, url, name string, out, log io.Writer) error {
	client, err := redisqueue.Open(url, redisqueue.Security{})
	if err != nil {
		return err
	}
	defer client.Close()
	queue := redisqueue.New(client, redisqueue.DefaultPrefix)
	if err := queue.Require(ctx, false); err != nil {
		return err
	}
	known := commands.Builtin()
	known["file_age"] = check.Typed(fileAgeDefaults, newFileAge)
	w, err := worker.New(worker.Config{
		Queue:    queue,
		Commands: known,
		Handlers: []worker.HandlerInstance{{Name: "print", Handler: newPrinter(out), Default: true}},
		Name:     name,
		Logger:   slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
