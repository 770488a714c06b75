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
	"github.com/redpoll/redpoll/test/bench/internal/noop"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

func main() {
	n := flag.Int("checks", 100_000, "checks")
	partitions := flag.Int("partitions", 1, "partitions of their zone")
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
	if err := q.EnterZone(ctx, check.DefaultZone); err != nil {
		return err
	}
	if _, _, err := q.SetPartitions(ctx, check.DefaultZone, partitions); err != nil {
		return err
	}
	if err := noop.Fill(ctx, q, n, time.Hour, true); err != nil {
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
