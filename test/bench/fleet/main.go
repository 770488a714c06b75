// Command fleet measures full cycles a second with a command that does
// nothing: redpoll (one scheduler, one worker) and hibiken/asynq with tasks that
// re-schedule themselves, round by round, each on a fresh redis-server that it
// starts on a free loopback port. All of it shares this machine's cores.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/test/bench/internal/noop"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

// part is one round of one way.
type part struct {
	rate     float64 // cycles/s
	redisCPU float64 // us per cycle
	ownCPU   float64
}

func main() {
	n := flag.Int("checks", 50_000, "checks, or tasks, all due at once and again after a second")
	rounds := flag.Int("rounds", 3, "rounds")
	seconds := flag.Int("seconds", 8, "length of a round")
	only := flag.String("only", "", "run just this way: redpoll or asynq")
	profile := flag.String("profile", "", "write a CPU profile to this file")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			log.Fatal(err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			log.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	ways := map[string]func(addr string, n int, count *atomic.Int64) (func(), error){"redpoll": redpoll, "asynq": asynqWay}
	got := map[string][]part{}
	for range *rounds {
		for _, name := range []string{"redpoll", "asynq"} {
			if *only != "" && *only != name {
				continue
			}
			p, err := measure(ways[name], *n, time.Duration(*seconds)*time.Second)
			if err != nil {
				log.Fatalf("%s: %v", name, err)
			}
			fmt.Printf("%-8s %8.0f cycles/s   Redis %6.1f us   Go %6.1f us per cycle\n", name, p.rate, p.redisCPU, p.ownCPU)
			got[name] = append(got[name], p)
		}
	}
	if *only == "" {
		fmt.Printf("ratio    %8.1f (bar 5)\n", median(got["redpoll"])/median(got["asynq"]))
	}
}

func median(parts []part) float64 {
	slices.SortFunc(parts, func(a, b part) int { return int(a.rate - b.rate) })
	return parts[len(parts)/2].rate
}

func measure(start func(string, int, *atomic.Int64) (func(), error), n int, d time.Duration) (part, error) {
	s, err := server.Start()
	if err != nil {
		return part{}, err
	}
	defer s.Stop()
	var count atomic.Int64
	stop, err := start(s.Addr, n, &count)
	if err != nil {
		return part{}, err
	}
	defer stop()
	time.Sleep(2 * time.Second) // until all of them go round
	before, redisCPU, ownCPU, begin := count.Load(), s.CPU(), server.ProcessCPU(os.Getpid()), time.Now()
	time.Sleep(d)
	cycles := float64(count.Load() - before)
	return part{
		rate:     cycles / time.Since(begin).Seconds(),
		redisCPU: float64((s.CPU() - redisCPU).Microseconds()) / cycles,
		ownCPU:   float64((server.ProcessCPU(os.Getpid()) - ownCPU).Microseconds()) / cycles,
	}, nil
}

func redpoll(addr string, n int, count *atomic.Int64) (func(), error) {
	f := noop.Fleet{Addr: addr, Workers: 1, Checks: n, Every: time.Second, Run: func(context.Context, check.Run) error {
		count.Add(1)
		return nil
	}}
	return f.Start()
}

func asynqWay(addr string, n int, count *atomic.Int64) (func(), error) {
	opt := asynq.RedisClientOpt{Addr: addr}
	client := asynq.NewClient(opt)
	srv := asynq.NewServer(opt, asynq.Config{
		Concurrency: 1000, DelayedTaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel, Logger: silent{log.New(io.Discard, "", 0)},
	})
	err := srv.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		count.Add(1)
		_, err := client.EnqueueContext(ctx, asynq.NewTask("noop", t.Payload()), asynq.ProcessIn(time.Second))
		return err
	}))
	if err != nil {
		return nil, err
	}
	for i := range n {
		if _, err := client.Enqueue(asynq.NewTask("noop", fmt.Appendf(nil, "check-%06d", i))); err != nil {
			return nil, err
		}
	}
	return func() {
		srv.Shutdown()
		_ = client.Close()
	}, nil
}

// silent is a logger that says nothing.
type silent struct{ *log.Logger }

func (silent) Debug(...any) {}
func (silent) Info(...any)  {}
func (silent) Warn(...any)  {}
func (silent) Error(...any) {}
func (silent) Fatal(...any) {}
