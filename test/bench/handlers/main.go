// Command handlers measures what handlers of metrics cost: full cycles a second
// of one scheduler and one worker with a command that does nothing but give six
// metrics, without a handler and with each of them, round by round on fresh
// servers. The targets are sinks in a process of their own, or the real servers
// with -real. All of it shares this machine's cores.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers"
	"github.com/redpoll/redpoll/pkg/worker"
	"github.com/redpoll/redpoll/test/bench/internal/noop"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

// way is a type of handler, or none.
type way struct {
	name string
	// settings are those of the entry; the address is put in.
	settings string
	real     func(c *children) (addr string, err error)
}

var ways = []way{
	{"none", "", nil},
	{"statsd", `{"addr":%q}`, nil},
	{"rrdcached", `{"addr":%q,"archives":[{"for":"10m"}]}`, rrdcached},
	{"remote_write", `{"url":"http://%s/api/v1/write"}`, prometheus},
	{"influx", `{"url":"http://%s","db":"redpoll"}`, influxdb},
}

// part is one round of one way.
type part struct {
	rate, own float64 // cycles/s, us of this process a cycle
	stats     check.OutputStats
}

func main() {
	n := flag.Int("checks", 50_000, "checks, all due at once and again after a second")
	rounds := flag.Int("rounds", 3, "rounds")
	seconds := flag.Int("seconds", 8, "length of a round")
	only := flag.String("only", "", "run just this handler, and none")
	useReal := flag.Bool("real", false, "send to rrdcached, prometheus and influxd, which must be installed")
	sink := flag.String("sink", "", "be the sink of this handler")
	flag.Parse()
	if *sink != "" {
		log.Fatal(serveSink(*sink))
	}
	got := map[string][]part{}
	for range *rounds {
		for _, w := range ways {
			if *only != "" && w.name != "none" && w.name != *only {
				continue
			}
			p, err := measure(w, *useReal, *n, time.Duration(*seconds)*time.Second)
			if err != nil {
				log.Fatalf("%s: %v", w.name, err)
			}
			fmt.Printf("%-13s %8.0f cycles/s  Go %6.1f us per cycle  values: %d sent, %d dropped, %d failed\n",
				w.name, p.rate, p.own, p.stats.Sent, p.stats.Dropped, p.stats.Failed)
			got[w.name] = append(got[w.name], p)
		}
	}
	rate := func(p part) float64 { return p.rate }
	own := func(p part) float64 { return p.own }
	for _, w := range ways {
		if parts := got[w.name]; len(parts) > 0 {
			fmt.Printf("%-13s %8.2f of the cycles/s, %.2f of the CPU without a handler\n", w.name,
				median(parts, rate)/median(got["none"], rate), median(parts, own)/median(got["none"], own))
		}
	}
}

func median(parts []part, of func(part) float64) float64 {
	var v []float64
	for _, p := range parts {
		v = append(v, of(p))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// measure makes one round of a way.
func measure(w way, useReal bool, n int, d time.Duration) (p part, err error) {
	c := &children{}
	defer c.stop()
	h, err := open(c, w, useReal)
	if err != nil {
		return p, err
	}
	s, err := server.Start()
	if err != nil {
		return p, err
	}
	defer s.Stop()
	var count atomic.Int64
	f := noop.Fleet{Addr: s.Addr, Workers: 1, Checks: n, Every: time.Second, Metrics: metrics, Run: func(context.Context, check.Run) error {
		count.Add(1)
		return nil
	}}
	if h != nil {
		f.Handlers = []worker.HandlerInstance{{Name: w.name, Handler: h, Default: true}}
		defer h.(io.Closer).Close()
	}
	stop, err := f.Start()
	if err != nil {
		return p, err
	}
	defer stop()
	time.Sleep(2 * time.Second) // until all of them go round
	before, cpu, begin := count.Load(), server.ProcessCPU(os.Getpid()), time.Now()
	time.Sleep(d)
	cycles := float64(count.Load() - before)
	p.rate = cycles / time.Since(begin).Seconds()
	p.own = float64((server.ProcessCPU(os.Getpid()) - cpu).Microseconds()) / cycles
	if h != nil {
		p.stats = h.(check.Output).Stats()
	}
	return p, nil
}

// open makes the handler of a way and its target; nil for none.
func open(c *children, w way, useReal bool) (check.Handler, error) {
	if w.settings == "" {
		return nil, nil
	}
	var addr string
	var err error
	if useReal && w.real != nil {
		addr, err = w.real(c)
	} else {
		addr, err = c.sink(w.name)
	}
	if err != nil {
		return nil, err
	}
	return handlers.Builtin().Build(w.name, json.RawMessage(fmt.Sprintf(w.settings, addr)))
}

var metrics = []check.Metric{
	check.Seconds("resp_seconds", 12345*time.Microsecond), check.Seconds("connect_seconds", 1234*time.Microsecond),
	check.Gauge("status", 200, ""), check.Gauge("size_bytes", 51234, "bytes"), check.Gauge("temp", -3.5, "celsius"),
	check.Counter("requests", 1<<40, 64, ""),
}
