package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/scheduler"
	"github.com/redpoll/redpoll/pkg/worker"
)

// fleet is a scheduler and workers in this process, for demo and bench.
type fleet struct {
	conn     *connection
	commands check.Commands
	zone     string
	workers  int
	slots    int
	lease    time.Duration
	apart    bool // lanes live on a cluster
	version  string
	metrics  worker.Metrics
	handlers []worker.HandlerInstance
	log      *slog.Logger
}

// start begins to work; stop ends it and waits until everything has.
func (f *fleet) start(ctx context.Context) (stop func() error, err error) {
	var all []*worker.Worker
	for i := range f.workers {
		w, err := worker.New(worker.Config{
			Queue: f.conn, Commands: f.commands, Name: fmt.Sprintf("worker-%d", i+1), Version: f.version, Zones: []string{f.zone},
			Slots: f.slots, Lease: f.lease, Grace: 2 * time.Second, ReadApart: f.apart, Logger: f.log, Metrics: f.metrics, Handlers: f.handlers,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	s := scheduler.New(f.conn, scheduler.Config{Commands: f.commands, Log: f.log, Grace: 2 * time.Second})
	ctx, cancel := context.WithCancel(ctx)
	errs := make([]error, len(all)+1)
	var wg sync.WaitGroup
	wg.Go(func() { errs[0] = s.Run(ctx) })
	for i, w := range all {
		wg.Go(func() { errs[i+1] = w.Run(ctx) })
	}
	return func() error {
		cancel()
		wg.Wait()
		return errors.Join(errs...)
	}, nil
}

// isCluster says whether a Redis URL is of a cluster.
func isCluster(url string) bool {
	return strings.Contains(url, "redis+cluster:") || strings.Contains(url, "rediss+cluster:")
}
