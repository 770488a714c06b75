package worker_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
	"github.com/redpoll/redpoll/pkg/worker"
)

// Params are the settings of the command queue_length: what stands under
// "params" in a check.
type Params struct {
	Queue string  `json:"queue"`
	Warn  float64 `json:"warn"`
}

// newQueueLength makes a command of its params. It refuses wrong ones; the
// value that it gives serves many runs at once.
func newQueueLength(p Params) (check.Command, error) {
	if p.Queue == "" {
		return nil, fmt.Errorf("queue: want a name")
	}
	return check.CommandFunc(func(ctx context.Context, run check.Run) (check.Result, error) {
		length := 120.0 // a real one asks somebody, under ctx
		state, reason := check.Rule{Warn: &p.Warn, Reason: "QUEUE_LONG"}.Above(length)
		return check.Result{
			At: time.Now(), State: state, Reason: reason,
			Metrics: []check.Metric{check.Gauge("queue_length", length, "")},
		}, nil
	}), nil
}

// printer is a handler of results.
type printer struct{ seen func() }

func (p printer) Process(ctx context.Context, ev *check.Event) error {
	m, _ := ev.Result.Metric("queue_length")
	fmt.Println(ev.Check.ID, ev.Result.State, ev.Result.Reason, m.Value, ev.Change)
	p.seen()
	return nil
}

// A worker with a command and a handler of one's own. In a real program Redis
// is a server, the scheduler is redpoll's, and the context ends at SIGTERM.
func Example() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	mini := miniredis.NewMiniRedis()
	if err := mini.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer mini.Close()
	client, err := redisqueue.Open("redis://"+mini.Addr(), redisqueue.Security{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	queue := redisqueue.New(client, "")
	commands := check.Commands{"queue_length": check.Typed(Params{Warn: 100}, newQueueLength)}

	w, err := worker.New(worker.Config{
		Queue:    queue,
		Commands: commands,
		Handlers: []worker.HandlerInstance{{Name: "printer", Handler: printer{seen: stop}, Default: true}},
		Name:     "example-1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = scheduler.New(queue, scheduler.Config{Commands: commands}).Run(ctx) })
	wg.Go(func() { _ = w.Run(ctx) })

	// What redis-cli -e XADD redpoll:intake '*' id ... does.
	request := []string{"id", "mail", "command", "queue_length", "every", "30s", "params.queue", "outgoing"}
	if _, err := queue.Request(ctx, request); err != nil {
		fmt.Println(err)
	}
	wg.Wait()
	// Output: mail WARN QUEUE_LONG 120 open
}
