// Command scale measures what more workers bring: 1, 2 and 4 workers of 100
// slots each run a command that waits 100 ms, with more checks due than they can
// run. A worker's best is 1,000 checks/s.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/test/bench/internal/noop"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

func main() {
	seconds := flag.Int("seconds", 10, "length of a round")
	flag.Parse()
	one := 0.0
	for _, workers := range []int{1, 2, 4} {
		rate, err := measure(workers, time.Duration(*seconds)*time.Second)
		if err != nil {
			log.Fatal(err)
		}
		if workers == 1 {
			one = rate
		}
		fmt.Printf("%d workers %8.0f checks/s   %5.1f%% of %d times one worker (bar 97%%)\n", workers, rate, 100*rate/one/float64(workers), workers)
	}
}

func measure(workers int, d time.Duration) (float64, error) {
	s, err := server.Start()
	if err != nil {
		return 0, err
	}
	defer s.Stop()
	var count atomic.Int64
	stop, err := noop.Fleet{
		Addr: s.Addr, Workers: workers, Slots: 100, Checks: 20_000, Every: time.Second,
		Run: func(ctx context.Context, _ check.Run) error {
			t := time.NewTimer(100 * time.Millisecond)
			defer t.Stop()
			select {
			case <-t.C:
				count.Add(1)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}.Start()
	if err != nil {
		return 0, err
	}
	defer stop()
	time.Sleep(2 * time.Second) // until all slots are taken
	before, begin := count.Load(), time.Now()
	time.Sleep(d)
	return float64(count.Load()-before) / time.Since(begin).Seconds(), nil
}
