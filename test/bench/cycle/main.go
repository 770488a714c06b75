// Command cycle measures what one check cycle costs Redis: due, queued, read,
// leased, completed, due again. It runs redpoll's moves and the barest
// pipelined commands that do the same work without any guard (an entry per
// check, spec and state read, state written, result appended), round by round
// on one redis-server that it starts on a free loopback port. Rounds are short
// and many, so that what else the machine does meanwhile meets both ways; the
// ratio is the median of those of the rounds. Each check has its first cycle,
// in which its spec is fetched, before the first round.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

var lane = check.Lane{Zone: "default"}

func main() {
	checks := flag.Int("checks", 100_000, "checks registered")
	cycles := flag.Int("cycles", 10_000, "cycles a round")
	rounds := flag.Int("rounds", 61, "rounds")
	only := flag.String("only", "", "run just this way: redpoll or plain")
	flag.Parse()
	if err := run(*checks, *cycles, *rounds, *only); err != nil {
		log.Fatal(err)
	}
}

type way struct {
	name  string
	cycle func(ctx context.Context, n int) error
	cost  []float64
	rate  []float64
}

func run(checks, cycles, rounds int, only string) error {
	s, err := server.Start()
	if err != nil {
		return err
	}
	defer s.Stop()
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, DisableIdentity: true})
	defer c.Close()
	q := redisqueue.New(c, "")
	if err := fill(ctx, q, c, checks); err != nil {
		return err
	}
	ways := []*way{
		{name: "redpoll", cycle: func(ctx context.Context, n int) error { return redpoll(ctx, q, n) }},
		{name: "plain", cycle: func(ctx context.Context, n int) error { return plain(ctx, c, n) }},
	}
	if only != "" {
		ways = slices.DeleteFunc(ways, func(w *way) bool { return w.name != only })
	}
	for _, w := range ways {
		if err := w.cycle(ctx, checks); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	for range rounds {
		for _, w := range ways {
			cpu, start := s.CPU(), time.Now()
			if err := w.cycle(ctx, cycles); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			w.cost = append(w.cost, (s.CPU()-cpu).Seconds()*1e6/float64(cycles))
			w.rate = append(w.rate, float64(cycles)/time.Since(start).Seconds())
		}
	}
	for _, w := range ways {
		fmt.Printf("%-8s %6.1f us Redis CPU per check, least %5.1f  %8.0f checks/s\n", w.name, median(w.cost), slices.Min(w.cost), median(w.rate))
	}
	if only == "" {
		ratios := make([]float64, rounds)
		for i := range ratios {
			ratios[i] = ways[0].cost[i] / ways[1].cost[i]
		}
		fmt.Printf("ratio    %6.2f (bar 1.50)\n", median(ratios))
	}
	if os.Getenv("STATS") != "" {
		fmt.Println(c.Info(ctx, "commandstats").Val())
	}
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

var (
	spec  = `{"id":"check-000000","command":"http","every":"30s","params":{"url":"http://192.0.2.10/health?` + strings.Repeat("x", 150) + `"}}`
	state = `{"state":"OK","metrics":[{"name":"rtt_avg_seconds","kind":"gauge","value":0.0123,"unit":"seconds"}],"text":"` + strings.Repeat("y", 170) + `"}`
	event = `{"check":{"id":"check-000000","zone":"default","command":"http","every":"30s"},"result":` + state + `}`
)

func id(i int) string { return fmt.Sprintf("check-%06d", i) }

func fill(ctx context.Context, q *redisqueue.Queue, c *redis.Client, n int) error {
	if err := q.Prepare(ctx, lane); err != nil {
		return err
	}
	if err := c.XGroupCreateMkStream(ctx, "plain:ready", "workers", "0").Err(); err != nil {
		return err
	}
	for i := 0; i < n; i += 200 {
		var items []check.Adoption
		pipe := c.Pipeline()
		for j := i; j < min(i+200, n); j++ {
			items = append(items, check.Adoption{ID: id(j), Rev: fmt.Sprintf("1700000000000-%d", j), Spec: spec, SHA: check.SHA(spec), First: int64(1e11 + float64(j))})
			pipe.HSet(ctx, "plain:specs", id(j), spec)
			pipe.HSet(ctx, "plain:state", id(j), state)
			pipe.HSet(ctx, q.KeyLast(lane), id(j), state)
			pipe.ZAdd(ctx, "plain:due", redis.Z{Score: 1e11 + float64(j), Member: id(j)})
		}
		if _, err := q.Adopt(ctx, lane, items); err != nil {
			return err
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

var revs = map[string]string{}

func redpoll(ctx context.Context, q *redisqueue.Queue, n int) error {
	for done := 0; done < n; {
		d, err := q.Dispatch(ctx, lane, 200)
		if err != nil {
			return err
		}
		for left := d.Moved; left > 0; {
			entries, err := q.Read(ctx, "bench", []check.Lane{lane}, 100, 0)
			if err != nil {
				return err
			}
			left -= len(entries)
			req := check.LeaseRequest{Lane: lane, Worker: "bench", Token: fmt.Sprintf("bench/%x", time.Now().UnixNano()), Lease: 30 * time.Second, Entries: entries}
			for _, e := range entries {
				req.Revs = append(req.Revs, revs[e.ID])
			}
			leases, _, err := q.Lease(ctx, req)
			if err != nil {
				return err
			}
			items := make([]check.Completion, len(leases))
			for i, l := range leases {
				revs[l.ID] = l.Rev
				items[i] = check.Completion{Entry: l.Entry, Token: l.Token, Rev: l.Rev, Record: l.Record, Next: l.Now, Last: unique(event, l.ID)}
			}
			if _, err := q.Complete(ctx, lane, items); err != nil {
				return err
			}
			done += len(leases)
		}
	}
	return nil
}

func plain(ctx context.Context, c *redis.Client, n int) error {
	for done := 0; done < n; {
		now := time.Now().UnixMilli()
		ids, err := c.ZRangeArgs(ctx, redis.ZRangeArgs{Key: "plain:due", ByScore: true, Start: "-inf", Stop: now, Count: 200}).Result()
		if err != nil {
			return err
		}
		pipe := c.Pipeline()
		pipe.ZRem(ctx, "plain:due", anys(ids)...)
		for _, id := range ids {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: "plain:ready", Values: []string{"id", id, "due", fmt.Sprint(now)}})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		for left := len(ids); left > 0; {
			took, err := plainWork(ctx, c)
			if err != nil {
				return err
			}
			left -= took
			done += took
		}
	}
	return nil
}

func plainWork(ctx context.Context, c *redis.Client) (int, error) {
	found, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "workers", Consumer: "bench", Streams: []string{"plain:ready", ">"}, Count: 100, Block: -1}).Result()
	if err != nil {
		return 0, err
	}
	var ids, sids []string
	for _, m := range found[0].Messages {
		ids = append(ids, m.Values["id"].(string))
		sids = append(sids, m.ID)
	}
	pipe := c.Pipeline()
	pipe.HMGet(ctx, "plain:specs", ids...)
	pipe.HMGet(ctx, "plain:state", ids...)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, err
	}
	now := float64(time.Now().UnixMilli())
	pipe = c.Pipeline()
	sets, zs := make([]string, 0, 2*len(ids)), make([]redis.Z, 0, len(ids))
	for _, id := range ids {
		sets = append(sets, id, unique(state, id))
		zs = append(zs, redis.Z{Score: now, Member: id})
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: "plain:results", MaxLen: 100_000, Approx: true, Values: []string{"event", unique(event, id)}})
	}
	pipe.HSet(ctx, "plain:state", sets)
	pipe.ZAdd(ctx, "plain:due", zs...)
	pipe.XAck(ctx, "plain:ready", "workers", sids...)
	pipe.XDel(ctx, "plain:ready", sids...)
	_, err = pipe.Exec(ctx)
	return len(ids), err
}

func anys(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// unique makes a text that nobody has seen before.
func unique(text, id string) string {
	return id + strconv.FormatInt(time.Now().UnixNano(), 10) + text
}
