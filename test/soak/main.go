// Command soak runs a whole fleet for hours and says whether anything grew:
// real daemons and a real redis-server, checks of every temper, requests all the
// time. It writes a sample of everything that could leak to a CSV file and
// judges the slopes at the end: exit code 1 when something grew.
//
//	go run ./test/soak -for 6h -out soak.csv
//	go run ./test/soak -for 5m -every 5s          a first impression
//	go run ./test/soak -for 6h -chaos 10m         daemons are replaced now and then
//	go run ./test/soak -judge soak.csv            judges samples again
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what the flags say.
type options struct {
	length, every, chaos time.Duration
	checks               int
	out, judge           string
}

func main() {
	var o options
	flag.DurationVar(&o.length, "for", 6*time.Hour, "how long to run")
	flag.DurationVar(&o.every, "every", time.Minute, "how often to sample")
	flag.DurationVar(&o.chaos, "chaos", 0, "how often a daemon is replaced; 0: never")
	flag.IntVar(&o.checks, "checks", 1000, "how many checks, each every 5 s")
	flag.StringVar(&o.out, "out", "soak.csv", "file for the samples")
	flag.StringVar(&o.judge, "judge", "", "judge the samples of this file and run nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, w io.Writer) error {
	if o.judge != "" {
		s, err := readSeries(o.judge)
		if err != nil {
			return err
		}
		return verdict(s, w)
	}
	f, err := startFleet(ctx, o)
	if err != nil {
		return err
	}
	defer f.stop()
	file, err := os.Create(o.out)
	if err != nil {
		return err
	}
	defer file.Close()
	s := &series{}
	if err := f.soak(ctx, o, s, file, w); err != nil {
		return err
	}
	verified := f.verify(w)
	return errors.Join(verified, verdict(s, w), file.Close())
}

// soak samples until the time is over, and keeps the fleet busy.
func (f *fleet) soak(ctx context.Context, o options, s *series, file, w io.Writer) error {
	begun := time.Now()
	end := time.NewTimer(o.length)
	defer end.Stop()
	sample, edit := time.NewTicker(o.every), time.NewTicker(5*time.Second)
	defer sample.Stop()
	defer edit.Stop()
	chaos := make(<-chan time.Time)
	if o.chaos > 0 {
		ticker := time.NewTicker(o.chaos)
		defer ticker.Stop()
		chaos = ticker.C
	}
	for n := 0; ; n++ {
		var err error
		select {
		case <-ctx.Done():
			fmt.Fprintln(w, "stopped early: what there is is judged")
			return nil
		case <-end.C:
			return nil
		case <-edit.C:
			err = f.edit(ctx, n)
		case <-chaos:
			err = f.replace(ctx, n)
		case <-sample.C:
			var row map[string]float64
			if row, err = f.sample(ctx); err == nil {
				s.add(time.Since(begun), row)
				err = s.write(file)
				fmt.Fprintf(w, "%s  %.0f results, %.0f missed, worker %.1f MiB, scheduler %.1f MiB, redis %.1f MiB\n", time.Since(begun).Round(time.Second),
					row["results"], row["missed"], row["worker1 rss"]/(1<<20), row["scheduler1 rss"]/(1<<20), row["redis used_memory"]/(1<<20))
			}
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}
