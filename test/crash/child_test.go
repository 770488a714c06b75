package crash_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
	"github.com/redpoll/redpoll/pkg/worker"
)

// How the test tells a child what to do.
const (
	envRole  = "REDPOLL_CRASH_ROLE"
	envPoint = "REDPOLL_CRASH_POINT"
	envCount = "REDPOLL_CRASH_COUNT"
	envURL   = "REDPOLL_CRASH_URL"
	envLease = "REDPOLL_CRASH_LEASE"

	roleWorker    = "worker"
	roleScheduler = "scheduler"
	roleTravel    = "worker of lanes that checks move between"

	exitCrash = 77
)

// Leases of workers. One that runs out while its worker lives, on a machine that
// stands still, has a run made again that nobody crashed in: they are as long as
// a test can wait for them.
const (
	// shortLease runs out twice before a run is too late to be made.
	shortLease = 2 * time.Second
	// someLease runs out once.
	someLease = 5 * time.Second
	// longLease is for where no worker crashes: nobody waits for it.
	longLease = 20 * time.Second
)

// slow gives how long a slow run lasts: where leases run out longer than a third
// of one, so that it is renewed.
func slow(lease time.Duration) time.Duration {
	if lease == longLease {
		lease = shortLease
	}
	return 2 * lease / 5
}

// journal is the list of what was run, in order; a crash stands in it too.
const (
	journal   = "journal"
	crashMark = "crash"
)

// crasher ends the process when it has come to a point for the n-th time.
type crasher struct {
	client *redis.Client
	point  string
	mu     sync.RWMutex // held while a run is noted, and for ever by a crash
	count  sync.Mutex   // guards left
	left   int
	stop   func() // ends the worker in order
}

// at tells that the process has come to a point.
func (c *crasher) at(name string) {
	if c == nil || name != c.point {
		return
	}
	c.count.Lock()
	c.left--
	crash := c.left == 0
	c.count.Unlock()
	if !crash {
		return
	}
	c.mu.Lock() // nothing is noted behind the mark
	if err := c.client.RPush(context.Background(), journal, crashMark).Err(); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
	os.Exit(exitCrash)
}

// note writes a run into the journal.
func (c *crasher) note(ctx context.Context, client *redis.Client, run check.Run) error {
	if c != nil {
		c.mu.RLock()
		defer c.mu.RUnlock()
	}
	return client.RPush(ctx, journal, fmt.Sprintf("%s/%d", run.Check.ID, run.Planned.UnixMilli())).Err()
}

// child is the process that is to crash.
func child(role string) {
	opts, err := redis.ParseURL(os.Getenv(envURL))
	if err != nil {
		panic(err)
	}
	client := redis.NewClient(opts)
	n, err := strconv.Atoi(os.Getenv(envCount))
	if err != nil {
		panic(err)
	}
	c := &crasher{client: client, point: os.Getenv(envPoint), left: n}
	client.AddHook(wire{c})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.stop = cancel
	if role == roleWorker {
		lease, bad := time.ParseDuration(os.Getenv(envLease))
		if bad != nil {
			panic(bad)
		}
		err = runWorker(ctx, client, c, lease)
	} else {
		err = runScheduler(ctx, client, c)
	}
	if err != nil {
		panic(err)
	}
}

// workerConfig is that of a worker; c is nil for one that does not crash.
func workerConfig(client *redis.Client, c *crasher, lease time.Duration) worker.Config {
	cfg := worker.Config{
		Queue: &workerQueue{redisqueue.New(client, ""), c}, Commands: commands(client, c, slow(lease)), Lease: lease,
		Name:     fmt.Sprintf("w-%d-%d", os.Getpid(), time.Now().UnixNano()),
		Handlers: []worker.HandlerInstance{{Name: "h", Handler: handler{c}, Default: true}},
		Grace:    10 * time.Second, // what runs ends in it
	}
	if c != nil && strings.HasPrefix(c.point, "release") {
		cfg.Grace = -1
	}
	return cfg
}

func runWorker(ctx context.Context, client *redis.Client, c *crasher, lease time.Duration) error {
	return work(ctx, workerConfig(client, c, lease))
}

// runTraveller is a worker of all zones that does not crash.
func runTraveller(ctx context.Context, client *redis.Client) error {
	cfg := workerConfig(client, nil, longLease)
	cfg.Zones = travelZones
	return work(ctx, cfg)
}

func work(ctx context.Context, cfg worker.Config) error {
	w, err := worker.New(cfg)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func runScheduler(ctx context.Context, client *redis.Client, c *crasher) error {
	q := &schedulerQueue{redisqueue.New(client, ""), c}
	return scheduler.New(q, scheduler.Config{Commands: commands(client, c, 0)}).Run(ctx)
}

// commands has the one command of this test: it notes that it ran. Slow runs last
// so long.
func commands(client *redis.Client, c *crasher, slow time.Duration) check.Commands {
	return check.Commands{"probe": check.Typed(struct{}{}, func(struct{}) (check.Command, error) {
		return check.CommandFunc(func(ctx context.Context, run check.Run) (check.Result, error) {
			if err := c.note(ctx, client, run); err != nil {
				return check.Result{}, err
			}
			c.at("command begins")
			took := 20 * time.Millisecond
			if strings.HasPrefix(run.Check.ID, "slow") {
				took = slow
				if c != nil && strings.HasPrefix(c.point, "release") {
					time.AfterFunc(100*time.Millisecond, c.stop) // what runs is handed back
				}
			}
			t := time.NewTimer(took)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
				return check.Result{}, ctx.Err()
			}
			c.at("command ends")
			state := check.StateOK
			if strings.HasPrefix(run.Check.ID, "crit") {
				state = check.StateCrit
			}
			return check.Result{State: state, At: time.Now()}, nil
		}), nil
	})}
}

type handler struct{ c *crasher }

func (h handler) Process(context.Context, *check.Event) error {
	h.c.at("handler begins")
	h.c.at("handler ends")
	return nil
}
