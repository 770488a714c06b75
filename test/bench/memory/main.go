// Command memory measures the bytes that an idle check takes in Redis beyond
// its spec and last record.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
	"github.com/redpoll/redpoll/test/bench/internal/noop"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

func main() {
	n := flag.Int("checks", 100_000, "checks")
	partitions := flag.Int("partitions", 1, "partitions of their zone, to which they move at first")
	flag.Parse()
	if err := run(*n, *partitions); err != nil {
		log.Fatal(err)
	}
}

func run(n, partitions int) error {
	s, err := server.Start()
	if err != nil {
		return err
	}
	defer s.Stop()
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, DisableIdentity: true})
	defer c.Close()
	q := redisqueue.New(c, "")
	if err := noop.Fill(ctx, q, n, time.Hour, true); err != nil {
		return err
	}
	if err := spread(ctx, q, partitions); err != nil {
		return err
	}
	lanes, err := q.Lanes(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	for name, key := range map[string]func(check.Lane) string{"due": q.KeyDue, "runs": q.KeyRuns} {
		all := int64(0)
		for _, lane := range lanes {
			used, err := c.MemoryUsage(ctx, key(lane), 0).Result()
			if err != nil {
				return err
			}
			all += used
		}
		fmt.Printf("%-5s %6.0f B per check\n", name, float64(all)/float64(n))
		total += all
	}
	fmt.Printf("all   %6.0f B per check in %d lanes (bar 350)\n", float64(total)/float64(n), len(lanes))
	return nil
}

// spread has the checks move to so many partitions.
func spread(ctx context.Context, q *redisqueue.Queue, partitions int) error {
	if _, after, err := q.SetPartitions(ctx, check.DefaultZone, partitions); err != nil || after.Spread == 0 {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- scheduler.New(q, scheduler.Config{}).Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		zones, err := q.Zones(ctx)
		if err != nil {
			return err
		}
		if zones[check.DefaultZone].Spread == 0 {
			fmt.Printf("moved after %s; the records of where they went are counted too\n", time.Since(begun).Round(time.Second))
			return nil
		}
	}
}
