// Command custom-handler is a redpoll worker with a handler of alerts of its
// own: it publishes changes of incidents to a NATS server. Copy it and put
// yours in:
//
//	redis-server --port 6379 &
//	nats-server &
//	go run ./cmd/scheduler &
//	go run ./examples/custom-handler -nats 127.0.0.1:4222 &
//	nats sub 'redpoll.>' &
//	redis-cli -e XADD redpoll:intake '*' id down command tcp every 10s params.host 127.0.0.1 params.port 1
//
// The worker delivers each change at least once and in order per check, also
// what happened while the NATS server was away, or while no worker ran.
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
	nats := flag.String("nats", "127.0.0.1:4222", "`host:port` of the NATS server")
	name := flag.String("name", fmt.Sprintf("custom-%d", os.Getpid()), "the worker's name, which no other process may have")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := newPublisher(settings{Addr: *nats, Subject: "redpoll"})
	if err == nil {
		err = run(ctx, *url, *name, h, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "custom-handler:", err)
		os.Exit(1)
	}
}

// run works until ctx ends; what has begun then has some time to end.
func run(ctx context.Context, url, name string, h check.Handler, log io.Writer) error {
	if c, ok := h.(io.Closer); ok {
		defer c.Close()
	}
	client, err := redisqueue.Open(url, redisqueue.Security{})
	if err != nil {
		return err
	}
	defer client.Close()
	queue := redisqueue.New(client, redisqueue.DefaultPrefix)
	if _, err := queue.Joinable(ctx, false); err != nil {
		return err
	}
	w, err := worker.New(worker.Config{
		Queue:    queue,
		Commands: commands.Builtin(),
		// Stream: not every result as it comes, but changes of incidents from the
		// stream that keeps them. Default: of all checks that name no handlers.
		Handlers: []worker.HandlerInstance{{Name: "nats", Handler: h, Stream: true, Default: true}},
		Name:     name,
		Logger:   slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
