// Package noop runs redpoll fleets in this process for benchmarks: one
// scheduler and some workers with a command that does nothing, or waits.
package noop

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
	"github.com/redpoll/redpoll/pkg/worker"
)

// Fleet says what to run.
type Fleet struct {
	Addr    string
	Workers int
	Slots   int
	// Checks are spread over Every.
	Checks int
	Every  time.Duration
	// Spread puts first runs on the grid; else all checks are due at once.
	Spread bool
	// Run is the command; it is told how late the run started.
	Run func(ctx context.Context, run check.Run) error
	// Started is told how late each run started; nil: nobody.
	Started func(late time.Duration)
	// Metrics are in each result.
	Metrics []check.Metric
	// Handlers get each result.
	Handlers []worker.HandlerInstance
}

// Start starts the fleet; stop ends it and waits for its end.
func (f Fleet) Start() (stop func(), err error) {
	c := redis.NewClient(&redis.Options{Addr: f.Addr, DisableIdentity: true})
	q := redisqueue.New(c, "")
	ctx, cancel := context.WithCancel(context.Background())
	if err := Fill(ctx, q, f.Checks, f.Every, f.Spread); err != nil {
		cancel()
		return nil, err
	}
	command := func(json.RawMessage) (check.Command, error) {
		return check.CommandFunc(func(ctx context.Context, run check.Run) (check.Result, error) {
			return check.Result{At: time.Now(), Metrics: f.Metrics}, f.Run(ctx, run)
		}), nil
	}
	commands := check.Commands{"noop": command}
	var wg sync.WaitGroup
	for i := range f.Workers {
		w, err := worker.New(worker.Config{
			Queue: q, Commands: commands, Name: fmt.Sprintf("bench-%d", i), Slots: f.Slots, Metrics: metrics{f.Started}, Handlers: f.Handlers,
		})
		if err != nil {
			cancel()
			return nil, err
		}
		wg.Go(func() { _ = w.Run(ctx) })
	}
	s := scheduler.New(q, scheduler.Config{Commands: commands})
	wg.Go(func() { _ = s.Run(ctx) })
	return func() {
		cancel()
		wg.Wait()
		_ = c.Close()
	}, nil
}

// Fill adopts n checks of the command noop, in the lanes of the default zone.
func Fill(ctx context.Context, q *redisqueue.Queue, n int, every time.Duration, spread bool) error {
	if err := q.EnterZone(ctx, check.DefaultZone); err != nil {
		return err
	}
	zones, err := q.Zones(ctx)
	if err != nil {
		return err
	}
	now, err := q.Now(ctx)
	if err != nil {
		return err
	}
	for i := 0; i < n; i += 200 {
		items := map[check.Lane][]check.Adoption{}
		for j := i; j < min(i+200, n); j++ {
			c := check.Check{ID: fmt.Sprintf("check-%06d", j), Command: "noop", Every: check.Duration(every)}
			text := string(c.Text())
			home := zones[check.DefaultZone].Home(check.DefaultZone, c.ID)
			items[home] = append(items[home], check.Adoption{
				ID: c.ID, Rev: fmt.Sprintf("%d-%d", now, j), Spec: text, SHA: check.SHA(text),
				First: check.First(&c, time.UnixMilli(now), spread).UnixMilli(),
			})
		}
		for lane, page := range items {
			if _, err := q.Adopt(ctx, lane, page); err != nil {
				return err
			}
		}
	}
	return nil
}

// metrics passes on how late runs started.
type metrics struct{ started func(time.Duration) }

func (m metrics) Started(late time.Duration) {
	if m.started != nil {
		m.started(late)
	}
}
func (metrics) Finished(string, check.State, time.Duration) {}
func (metrics) HandlerFailed(string)                        {}
func (metrics) Count(worker.Counter, int)                   {}
