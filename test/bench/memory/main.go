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
	flag.Parse()
	if err := run(*n); err != nil {
		log.Fatal(err)
	}
}

func run(n int) error {
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
	lane := check.Lane{Zone: check.DefaultZone}
	total := int64(0)
	for name, key := range map[string]string{"due": q.KeyDue(lane), "runs": q.KeyRuns(lane)} {
		used, err := c.MemoryUsage(ctx, key, 0).Result()
		if err != nil {
			return err
		}
		fmt.Printf("%-5s %6.0f B per check\n", name, float64(used)/float64(n))
		total += used
	}
	fmt.Printf("all   %6.0f B per check (bar 350)\n", float64(total)/float64(n))
	return nil
}
