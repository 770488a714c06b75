// Command late measures how long after their planned time checks start, with a
// command that does nothing, one scheduler and one worker: 10,000 checks every
// 10 s, and 100,000 at about half of what the machine can do.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/test/bench/internal/noop"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

func main() {
	seconds := flag.Int("seconds", 20, "length of a round")
	half := flag.Int("half", 15_000, "checks/s that are half of what this machine can do")
	flag.Parse()
	rounds := []struct {
		checks int
		every  time.Duration
		bar    string
	}{
		{10_000, 10 * time.Second, "20 ms"},
		{100_000, (time.Duration(100_000) * time.Second / time.Duration(*half)).Round(time.Second), "100 ms"},
	}
	for _, r := range rounds {
		late, err := measure(r.checks, r.every, time.Duration(*seconds)*time.Second)
		if err != nil {
			log.Fatal(err)
		}
		at := func(p float64) time.Duration { return late[int(p*float64(len(late)-1))] }
		fmt.Printf("%6d checks every %s: %7d starts, p50 %v p99 %v max %v early %v (bar p99 %s)\n",
			r.checks, r.every, len(late), at(0.5), at(0.99), at(1), at(0) < 0, r.bar)
	}
}

func measure(checks int, every, d time.Duration) ([]time.Duration, error) {
	s, err := server.Start()
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	var mu sync.Mutex // guards late and begun
	var late []time.Duration
	begun := false
	stop, err := noop.Fleet{
		Addr: s.Addr, Workers: 1, Checks: checks, Every: every, Spread: true,
		Run: func(context.Context, check.Run) error { return nil },
		Started: func(by time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if begun {
				late = append(late, by)
			}
		},
	}.Start()
	if err != nil {
		return nil, err
	}
	defer stop()
	time.Sleep(every) // every check has run once and is known to the worker
	mu.Lock()
	begun = true
	mu.Unlock()
	time.Sleep(d)
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(late)
	return slices.Clone(late), nil
}
