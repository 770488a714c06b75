//go:build linux

package ping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/icmp"
	"github.com/redpoll/redpoll/pkg/commands/internal/icmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const page = "../../../docs/commands/ping.md"

func TestMain(m *testing.M) { icmptest.Main(m) }

func TestConformance(t *testing.T) {
	icmptest.Need(t)
	checktest.Command(t, check.Typed(Defaults(), New(tools.Tools{})), checktest.Case{
		OK:   `{"host":"127.0.0.1","interval":"10ms"}`,
		Hang: `{"host":"` + icmptest.Addr4(icmptest.Mute) + `","timeout":"1m"}`,
		More: []string{
			`{"host":"localhost","count":1}`,
			`{"host":"::1","interval":"10ms","family":"ip6"}`,
			`{"host":"` + icmptest.Addr4(icmptest.Mute) + `","count":1,"timeout":"20ms"}`,
			`{"host":"` + icmptest.Addr4(icmptest.Third) + `","interval":"10ms","timeout":"200ms","loss_warn":5}`,
			`{"host":"127.0.0.1","interval":"10ms","avg_crit":"1ns"}`,
			`{"host":"127.0.0.1","interval":"10ms","jitter_warn":"1ns"}`,
			`{"host":"no.such.host.invalid"}`,
		},
		Bad: []string{
			``, `{}`, `{"host":""}`, `{"host":"a b"}`, `{"host":"127.0.0.1:80"}`,
			`{"host":"::1","family":"ip5"}`, `{"host":"h","count":0}`, `{"host":"h","count":1001}`,
			`{"host":"h","interval":"1ms"}`, `{"host":"h","interval":"2m"}`, `{"host":"h","size":7}`,
			`{"host":"h","size":65508}`, `{"host":"h","timeout":"0s"}`, `{"host":"h","timeout":"6m"}`,
			`{"host":"h","ttl":256}`, `{"host":"h","ttl":-1}`, `{"host":"h","tos":256}`,
			`{"host":"h","loss_warn":101}`, `{"host":"h","loss_crit":-1}`, `{"host":"h","avg_warn":"-1s"}`,
			`{"host":"h","jitter_crit":"-1s"}`, `{"host":"h","count":1000,"interval":"1m"}`,
		},
		Doc:      page,
		Defaults: Defaults(),
	})
}

// run makes one run of a check with params over the defaults.
func run(t *testing.T, tl tools.Tools, params string) (check.Result, error) {
	t.Helper()
	cmd, err := check.Typed(Defaults(), New(tl))(json.RawMessage(params))
	if err != nil {
		t.Fatalf("params %s: %v", params, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return cmd.Run(ctx, check.Run{})
}

func TestRun(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	for _, tt := range []struct {
		name, params string
		state        check.State
		reason, text string
		metrics      []string
	}{
		{"good", `{"host":"127.0.0.1"}`, check.StateOK, "", "5 of 5 packets answered, round trip", []string{"loss_percent", "rtt_avg_seconds", "jitter_seconds"}},
		{"a name", `{"host":"localhost","family":"ip4"}`, check.StateOK, "", "answered by 127.0.0.1,", []string{"rtt_p95_seconds"}},
		{"one packet has no jitter", `{"host":"127.0.0.1","count":1,"jitter_crit":"1ns"}`, check.StateOK, "", "1 of 1", []string{"rtt_p50_seconds", "!jitter_seconds"}},
		{"mute", `{"host":"` + icmptest.Addr4(icmptest.Mute) + `","timeout":"50ms","loss_warn":5}`, check.StateCrit, "UNREACHABLE", "0 of 5 packets answered", []string{"loss_percent", "!rtt_avg_seconds", "!jitter_seconds"}},
		{"TTL", `{"host":"` + icmptest.Addr4(icmptest.Good) + `","ttl":1}`, check.StateCrit, "UNREACHABLE", ": TTL exceeded in transit (from 10.77.1.2)", []string{"loss_percent"}},
		{"gone", `{"host":"` + icmptest.Addr6(icmptest.Gone) + `"}`, check.StateCrit, "UNREACHABLE", ": destination unreachable: address unreachable (from fd78::e)", nil},
		{"loss", `{"host":"` + icmptest.Addr4(icmptest.Third) + `","count":9,"interval":"10ms","timeout":"2s","loss_warn":10,"loss_crit":50}`, check.StateWarn, "PKT_LOSS_HIGH", "6 of 9 packets answered", []string{"rtt_max_seconds"}},
		{"loss is on the limit", `{"host":"` + icmptest.Addr4(icmptest.Third) + `","count":9,"interval":"10ms","timeout":"2s","loss_warn":34}`, check.StateOK, "", "6 of 9", nil},
		{"latency", `{"host":"` + icmptest.Addr4(icmptest.Slow) + `","timeout":"10s","avg_warn":"1ms","avg_crit":"100ms"}`, check.StateCrit, "LATENCY_HIGH", "5 of 5", nil},
		{"late", `{"host":"` + icmptest.Addr4(icmptest.Slow) + `","timeout":"80ms"}`, check.StateCrit, "UNREACHABLE", "0 of 5", nil},
		{"jitter", `{"host":"127.0.0.1","jitter_warn":"1ns"}`, check.StateWarn, "JITTER_HIGH", "jitter", nil},
		{"duplicates", `{"host":"` + icmptest.Addr4(icmptest.Twice) + `","timeout":"10s","interval":"20ms"}`, check.StateOK, "", "duplicate", nil},
		{"cut", `{"host":"` + icmptest.Addr4(icmptest.Cut) + `","timeout":"10s","interval":"10ms"}`, check.StateOK, "", ", 5 cut short", nil},
		{"no route here", `{"host":"` + icmptest.LocalUnreachable4 + `"}`, check.StateCrit, "UNREACHABLE", ": not sent: no route to host", nil},
		{"no address of the family", `{"host":"127.0.0.1","family":"ip6"}`, check.StateCrit, "UNREACHABLE", "no address of family ip6", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, err := run(t, tools.Tools{}, tt.params)
			if err != nil || res.State != tt.state || res.Reason != tt.reason || !strings.Contains(res.Text, tt.text) {
				t.Errorf("Run = %+v, %v, want %v %s with %q", res, err, tt.state, tt.reason, tt.text)
			}
			checktest.Result(t, page, res)
			for _, name := range tt.metrics {
				name, without := strings.CutPrefix(name, "!")
				if _, ok := res.Metric(name); ok == without {
					t.Errorf("metrics %+v, want %s: %v", res.Metrics, name, !without)
				}
			}
		})
	}
}

// TestNoResult: what says nothing about the target is an error.
func TestNoResult(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	guard, err := tools.NewGuard([]string{"127.0.0.0/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "::1", "::ffff:127.0.0.9", "0.0.0.0"} {
		var denied *tools.DeniedError
		if res, err := run(t, tools.Tools{Guard: guard}, `{"host":"`+host+`"}`); !errors.As(err, &denied) {
			t.Errorf("Run(%s) = %+v, %v, want a DeniedError", host, res, err)
		}
	}
	if res, err := run(t, tools.Tools{}, `{"host":"`+icmptest.LocalProhibited4+`"}`); err == nil {
		t.Errorf("Run where sending is not permitted = %+v, want an error", res)
	}
	e := icmp.NewEngine(icmp.Options{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	cmd, err := newWith(tools.Tools{}, e)(Params{Host: "127.0.0.1", Family: "ip", Count: 1, Interval: check.Duration(time.Second), Size: 64, Timeout: check.Duration(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); !errors.Is(err, icmp.ErrClosed) {
		t.Errorf("Run with a closed engine = %+v, %v, want ErrClosed", res, err)
	}
}

// TestShortTimeout: a check whose timeout is too short still gets a Result.
func TestShortTimeout(t *testing.T) {
	t.Parallel()
	icmptest.Need(t)
	for _, tt := range []struct {
		timeout, interval time.Duration
		text              string
	}{
		{8 * time.Second, 100 * time.Millisecond, "0 of 5 packets answered"},
		{time.Second, 300 * time.Millisecond, "not sent: the check's timeout is too short"},
	} {
		cmd, err := check.Typed(Defaults(), New(tools.Tools{}))(fmt.Appendf(nil, `{"host":%q,"timeout":"1m","interval":%q}`, icmptest.Addr4(icmptest.Mute), tt.interval))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
		res, err := cmd.Run(ctx, check.Run{})
		cancel()
		if err != nil || res.Reason != "UNREACHABLE" || !strings.Contains(res.Text, tt.text) {
			t.Errorf("Run within %v = %+v, %v, want UNREACHABLE with %q", tt.timeout, res, err, tt.text)
		}
	}
}

func TestCompute(t *testing.T) {
	t.Parallel()
	ms := func(n ...int) (list []time.Duration) {
		for _, d := range n {
			list = append(list, time.Duration(d)*time.Millisecond)
		}
		return list
	}
	const m = time.Millisecond
	root := func(x float64) time.Duration { return time.Duration(math.Round(math.Sqrt(x) * float64(m))) }
	for _, tt := range []struct {
		name string
		sent int
		rtts []time.Duration
		want figures
	}{
		{"none", 4, nil, figures{loss: 100}},
		{"one", 1, ms(7), figures{avg: 7 * m, min: 7 * m, max: 7 * m, p50: 7 * m, p95: 7 * m}},
		{"two, unsorted", 2, ms(30, 10), figures{avg: 20 * m, min: 10 * m, max: 30 * m, p50: 10 * m, p95: 30 * m, jitter: root(200)}},
		{"sample deviation", 10, ms(2, 4, 4, 4, 5, 5, 7, 9), figures{loss: 20, avg: 5 * m, min: 2 * m, max: 9 * m, p50: 4 * m, p95: 9 * m, jitter: root(32.0 / 7)}},
		{"the same", 3, ms(5, 5, 5), figures{avg: 5 * m, min: 5 * m, max: 5 * m, p50: 5 * m, p95: 5 * m}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := compute(tt.sent, tt.rtts); got != tt.want {
				t.Errorf("compute(%d, %v) = %+v, want %+v", tt.sent, tt.rtts, got, tt.want)
			}
		})
	}
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	if f := compute(100, hundred); f.p50 != 50 || f.p95 != 95 {
		t.Errorf("percentiles of 1..100 = %d and %d, want 50 and 95", f.p50, f.p95)
	}
}

func TestGradeOrder(t *testing.T) {
	t.Parallel()
	limit := 0.0
	p := Defaults()
	p.Host, p.LossWarn, p.AvgWarn, p.JitterWarn = "h", &limit, 1, 1
	c := &command{Params: p}
	rep := icmp.Report{Sent: 3, RTTs: []time.Duration{5, 9}, Late: 1}
	addr := netip.MustParseAddr("192.0.2.1")
	for _, want := range []string{"PKT_LOSS_HIGH", "LATENCY_HIGH", "JITTER_HIGH", ""} {
		if res := c.grade(time.Now(), addr, rep); res.Reason != want {
			t.Errorf("grade = %+v, want %q", res, want)
		}
		switch want {
		case "PKT_LOSS_HIGH":
			c.LossWarn = nil
		case "LATENCY_HIGH":
			c.AvgWarn = 0
		case "JITTER_HIGH":
			c.JitterWarn = 0
		}
	}
	c.AvgCrit, c.LossWarn = 1, &limit
	if res := c.grade(time.Now(), addr, rep); res.State != check.StateCrit || res.Reason != "LATENCY_HIGH" {
		t.Errorf("grade = %+v, want the CRIT finding before the WARN one", res)
	}
}
