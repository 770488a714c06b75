//go:build linux

package ping

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	probing "github.com/prometheus-community/pro-bing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/icmp"
	"github.com/redpoll/redpoll/pkg/commands/internal/icmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const (
	compareCount  = 5 // packets per target, 100 ms apart, as the command's defaults
	compareRounds = 5
	compareWait   = time.Second
)

// outcome is what one way to ping many targets cost and gave.
type outcome struct {
	cpu  time.Duration // all of it
	rtts []time.Duration
	lost int
}

// BenchmarkCompare pings 1,000 and 10,000 loopback targets in several ways,
// one after the other and several rounds of it, and tells the medians:
//
//	go test -run '^$' -bench Compare -benchtime 1x ./pkg/commands/ping
//
// The bar: CPU per echo at most 0.8 of fping's, RTT p99 at most 50 us, nothing
// lost.
func BenchmarkCompare(b *testing.B) {
	icmptest.Need(b)
	ways := []struct {
		name string
		ping func(testing.TB, []string) outcome
	}{
		{"fping", byFping},
		{"engine datagram", byEngine(icmp.ModeDatagram)},
		{"engine raw", byEngine(icmp.ModeRaw)},
		{"command", byCommand},
		{"pro-bing", byProbing},
	}
	for _, n := range []int{1000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			if _, err := exec.LookPath("fping"); err != nil {
				b.Skip("SKIPPED: fping is not installed")
			}
			targets := make([]string, n)
			for i := range targets {
				targets[i] = netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}).String()
			}
			for b.Loop() {
				cpu := map[string][]float64{} // us per echo
				ratio := map[string][]float64{}
				for round := range compareRounds {
					base := 0.0
					for _, w := range ways {
						if w.name == "pro-bing" && round > 0 {
							continue // once is enough to see it, and takes long
						}
						runtime.GC() // nobody pays for the one before
						o := w.ping(b, targets)
						slices.Sort(o.rtts)
						per := o.cpu.Seconds() * 1e6 / float64(n*compareCount)
						if base == 0 {
							base = per
						}
						cpu[w.name] = append(cpu[w.name], per)
						ratio[w.name] = append(ratio[w.name], per/base)
						b.Logf("%6d targets  %-16s %6.2f us CPU per echo, %.2f of fping; RTT p50 %v p99 %v; lost %d",
							n, w.name, per, per/base, at(o.rtts, 50), at(o.rtts, 99), o.lost)
						if o.lost > 0 && strings.HasPrefix(w.name, "engine") {
							b.Errorf("%s lost %d packets on loopback", w.name, o.lost)
						}
					}
				}
				for _, w := range ways {
					name := strings.ReplaceAll(w.name, " ", "-")
					b.ReportMetric(median(cpu[w.name]), name+"-us/echo")
					b.ReportMetric(median(ratio[w.name]), name+"-ratio")
				}
			}
		})
	}
}

func at(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return rank(sorted, p)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func used(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// together runs one ping per target at once and adds up what they give.
func together(b testing.TB, targets []string, ping func(string) ([]time.Duration, error)) (o outcome) {
	var mu sync.Mutex
	var group sync.WaitGroup
	o.rtts = make([]time.Duration, 0, len(targets)*compareCount)
	begin := used(b)
	for _, addr := range targets {
		group.Go(func() {
			rtts, err := ping(addr)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				b.Error(err)
			}
			o.rtts = append(o.rtts, rtts...)
			o.lost += compareCount - len(rtts)
		})
	}
	group.Wait()
	o.cpu = used(b) - begin
	return o
}

func byEngine(mode icmp.Mode) func(testing.TB, []string) outcome {
	return func(b testing.TB, targets []string) outcome {
		e := icmp.NewEngine(icmp.Options{Mode: mode})
		defer e.Close()
		return together(b, targets, func(addr string) ([]time.Duration, error) {
			rep, err := e.Ping(context.Background(), icmp.Request{
				Addr: netip.MustParseAddr(addr), Count: compareCount, Interval: 100 * time.Millisecond, Timeout: compareWait, Size: 64,
			})
			return rep.RTTs, err
		})
	}
}

// byCommand gives one round trip per run, the median of its packets. The
// commands are made before, as workers do that once per revision of a check.
func byCommand(b testing.TB, targets []string) outcome {
	factory := check.Typed(Defaults(), New(tools.Tools{}))
	commands := make(map[string]check.Command, len(targets))
	for _, addr := range targets {
		cmd, err := factory(json.RawMessage(`{"host":"` + addr + `"}`))
		if err != nil {
			b.Fatal(err)
		}
		commands[addr] = cmd
	}
	return together(b, targets, func(addr string) ([]time.Duration, error) {
		res, err := commands[addr].Run(context.Background(), check.Run{})
		loss, _ := res.Metric("loss_percent")
		p50, _ := res.Metric("rtt_p50_seconds")
		rtt := time.Duration(p50.Value * 1e9)
		return slices.Repeat([]time.Duration{rtt}, compareCount-int(loss.Value*compareCount/100+0.5)), err
	})
}

func byFping(b testing.TB, targets []string) (o outcome) {
	// -i: the pace between packets, so that it is not what we wait for.
	cmd := exec.Command("fping", "-q", "-C", strconv.Itoa(compareCount), "-p", "100", "-i", "0.01",
		"-t", strconv.Itoa(int(compareWait.Milliseconds())), "-b", "64")
	cmd.Stdin = strings.NewReader(strings.Join(targets, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "exit status 1") { // 1: some are lost
		b.Fatalf("fping: %v: %.300s", err, out)
	}
	o.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	for line := range strings.Lines(string(out)) {
		_, figures, ok := strings.Cut(line, " : ")
		if !ok {
			continue
		}
		for _, f := range strings.Fields(figures) {
			ms, err := strconv.ParseFloat(f, 64)
			if err != nil {
				o.lost++
				continue
			}
			o.rtts = append(o.rtts, time.Duration(ms*1e6))
		}
	}
	if got := len(o.rtts) + o.lost; got != len(targets)*compareCount {
		b.Fatalf("fping told of %d packets, want %d: %.300s", got, len(targets)*compareCount, out)
	}
	return o
}

// byProbing starts a Pinger per target.
func byProbing(b testing.TB, targets []string) outcome {
	return together(b, targets, func(addr string) (rtts []time.Duration, err error) {
		p, err := probing.NewPinger(addr)
		if err != nil {
			return nil, err
		}
		p.SetID(rand.IntN(1 << 16))
		p.Count, p.Interval, p.Timeout, p.Size = compareCount, 100*time.Millisecond, compareCount*100*time.Millisecond+compareWait, 64
		if err := p.Run(); err != nil {
			return nil, fmt.Errorf("pro-bing %s: %w", addr, err)
		}
		return p.Statistics().Rtts, nil
	})
}
