// Command phases shows what each move costs inside Redis.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

var lane = check.Lane{Zone: "default"}

func main() {
	s, err := server.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Stop()
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, DisableIdentity: true})
	q := redisqueue.New(c, "")
	state := `{"state":"OK","metrics":[{"name":"rtt_avg_seconds","kind":"gauge","value":0.0123,"unit":"seconds"}],"text":"` + strings.Repeat("y", 170) + `"}`
	q.Prepare(ctx, lane)
	const n = 100000
	for i := 0; i < n; i += 200 {
		var items []check.Adoption
		for j := i; j < i+200; j++ {
			items = append(items, check.Adoption{ID: fmt.Sprintf("check-%06d", j), Rev: fmt.Sprintf("1700000000000-%d", j), Spec: strings.Repeat("s", 250), SHA: check.SHA(strings.Repeat("s", 250)), First: int64(1e11) + int64(j)})
		}
		if _, err := q.Adopt(ctx, lane, items); err != nil {
			log.Fatal(err)
		}
	}
	spent := map[string]float64{}
	wall := map[string]float64{}
	use := func(name string, f func()) {
		before, t := s.CPU(), time.Now()
		f()
		spent[name] += float64((s.CPU() - before).Nanoseconds()) / 1e3
		wall[name] += float64(time.Since(t).Nanoseconds()) / 1e3
	}
	revs := map[string]string{}
	count := 0.0
	for round := range 300 {
		if round == 100 {
			clear(spent)
			clear(wall)
			count = 0
		}
		for range 5 {
			use("dispatch", func() { q.Dispatch(ctx, lane, 200) })
		}
		var batches [][]check.Entry
		use("read", func() {
			for range 10 {
				e, err := q.Read(ctx, "b", []check.Lane{lane}, 100, 0)
				if err != nil {
					log.Fatal(err)
				}
				batches = append(batches, e)
			}
		})
		var all [][]check.Lease
		use("lease", func() {
			for _, b := range batches {
				req := check.LeaseRequest{Lane: lane, Token: fmt.Sprintf("bench/%x", time.Now().UnixNano()), Lease: 30 * time.Second, Entries: b}
				for _, e := range b {
					req.Revs = append(req.Revs, revs[e.ID])
				}
				l, _, err := q.Lease(ctx, req)
				if err != nil {
					log.Fatal(err)
				}
				all = append(all, l)
			}
		})
		use("complete", func() {
			for _, leases := range all {
				var items []check.Completion
				for _, l := range leases {
					revs[l.ID] = l.Rev
					items = append(items, check.Completion{Entry: l.Entry, Token: l.Token, Rev: l.Rev, Record: l.Record, Next: l.Now, Last: state, Event: state})
				}
				count += float64(len(items))
				if _, err := q.Complete(ctx, lane, items); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	for k, v := range spent {
		fmt.Printf("%-9s %6.2f us CPU  %6.2f us wall\n", k, v/count, wall[k]/count)
	}
}
