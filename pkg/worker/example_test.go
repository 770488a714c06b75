package worker_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/worker"
)

// A worker with a command of its own beside the built-in ones. The same code
// stands in README.md; examples/custom-worker has a handler and tests as well.
func Example() {
	type params struct {
		Path  string     `json:"path"`
		Bytes check.Rule `json:"bytes"`
	}
	fileSize := func(p params) (check.Command, error) {
		if p.Path == "" {
			return nil, &check.FieldError{Field: "path", Msg: "is missing"}
		}
		p.Bytes.Reason = "FILE_TOO_LARGE"
		return check.CommandFunc(func(context.Context, check.Run) (check.Result, error) {
			info, err := os.Stat(p.Path)
			if err != nil {
				return check.Result{}, fmt.Errorf("look at the file: %w", err) // UNKNOWN, CMD_FAILURE
			}
			size := float64(info.Size())
			state, reason := p.Bytes.Above(size)
			return check.Result{At: time.Now(), State: state, Reason: reason, Metrics: []check.Metric{check.Gauge("size_bytes", size, "bytes")}}, nil
		}), nil
	}

	known := commands.Builtin()
	known["file_size"] = check.Typed(params{}, fileSize) // defaults and constructor

	client, err := redisqueue.Open("redis://127.0.0.1:6379/0", redisqueue.Security{})
	if err != nil {
		log.Fatal(err)
	}
	w, err := worker.New(worker.Config{Queue: redisqueue.New(client, ""), Commands: known, Name: "mine-1"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log.Print(w.Run(ctx)) // until Ctrl-C; what runs may end, the rest is handed back
}
