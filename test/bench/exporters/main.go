// Command exporters measures the CPU that one check costs, side by side: the
// commands snmp (ten counters), http and dns of redpoll, and Debian's
// prometheus-snmp-exporter and prometheus-blackbox-exporter, which probe the
// same targets on this machine. Rounds of the two alternate; what is compared
// is the median.
//
// Of the exporters only their own process is counted, not those who ask them;
// of redpoll this process: a run of the command as a worker makes it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/test/bench/internal/server"
)

// contest is a command of redpoll and the exporter that does the same.
type contest struct {
	name    string
	command string
	params  string
	bar     float64
	// exporter gives the URL that makes the exporter probe, and the line that
	// its answer has when all was well.
	url, good string
	pid       int
}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 2 && os.Args[1] == "targets" {
		log.Fatal(serveTargets())
	}
	n := flag.Int("n", 4000, "checks in a round")
	rounds := flag.Int("rounds", 5, "rounds")
	together := flag.Int("together", 8, "checks at once")
	only := flag.String("only", "", "just this one: snmp, http or dns")
	profile := flag.String("profile", "", "write a CPU profile of redpoll's rounds to this file")
	flag.Parse()
	if err := run(*n, *rounds, *together, *only, *profile); err != nil {
		log.Fatal(err)
	}
}

func run(n, rounds, together int, only, profile string) error {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	debug.SetGCPercent(300) // as the worker has it, internal/daemon
	list, stop, err := contests()
	defer stop()
	if err != nil {
		return err
	}
	missed := false
	for _, c := range list {
		if only != "" && only != c.name {
			continue
		}
		ratio, err := c.fight(n, rounds, together, profile != "")
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		missed = missed || ratio > c.bar
	}
	if missed {
		return errors.New("a bar was missed")
	}
	return nil
}

// fight runs the rounds and prints what came of them.
func (c contest) fight(n, rounds, together int, alone bool) (ratio float64, err error) {
	cmd, err := commands.BuiltinWith(commands.Tools{}).Build(c.command, json.RawMessage(c.params))
	if err != nil {
		return 0, err
	}
	ours := ourRun(cmd)
	theirs := c.theirRun()
	other := func() time.Duration { return server.ProcessCPU(c.pid) }
	var us, them []float64
	for i := range rounds + 1 {
		a, err := cost(ownCPU, n, together, ours)
		if err != nil {
			return 0, fmt.Errorf("redpoll: %w", err)
		}
		b := 0.0
		if !alone {
			if b, err = cost(other, n, together, theirs); err != nil {
				return 0, fmt.Errorf("exporter: %w", err)
			}
		}
		if i > 0 { // the first warms up
			us, them = append(us, a), append(them, b)
		}
	}
	ratio = median(us) / median(them)
	verdict := "ok"
	if ratio > c.bar {
		verdict = "MISSED"
	}
	fmt.Printf("%-5s redpoll %6.1f us  exporter %7.1f us CPU per check   ratio %.3f (bar %.2f) %s\n", c.name, median(us), median(them), ratio, c.bar, verdict)
	return ratio, nil
}

// cost gives the CPU of one check in microseconds.
func cost(cpu func() time.Duration, n, together int, once func() error) (float64, error) {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	errs := make([]error, together)
	before := cpu()
	for w := range together {
		all.Go(func() {
			for left.Add(-1) >= 0 && errs[w] == nil {
				errs[w] = once()
			}
		})
	}
	all.Wait()
	return float64((cpu() - before).Nanoseconds()) / 1000 / float64(n), errors.Join(errs...)
}

// ourRun makes a run as a worker does: with the record of the run before, so
// that counters have rates.
func ourRun(cmd check.Command) func() error {
	c := &check.Check{ID: "bench", Command: "bench"}
	var last atomic.Pointer[check.Last]
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		res, err := cmd.Run(ctx, check.Run{Check: c, Planned: time.Now(), Last: last.Load()})
		if err == nil && res.State != check.StateOK {
			err = fmt.Errorf("%s %s %s", res.State, res.Reason, res.Text)
		}
		if last.Load() == nil {
			before := &check.Last{Result: res} // ten seconds ago
			before.At = before.At.Add(-10 * time.Second)
			last.Store(before)
		}
		return err
	}
}

// theirRun asks the exporter once, as Prometheus does: over a connection that
// stays.
func (c contest) theirRun() func() error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true}, Timeout: 10 * time.Second}
	return func() error {
		resp, err := client.Get(c.url)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && !strings.Contains(string(body), "\n"+c.good+"\n") {
			err = fmt.Errorf("%s: %s without %q:\n%.2000s", c.url, resp.Status, c.good, body)
		}
		return err
	}
}

// ownCPU is the processor time that this process has used.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		log.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
