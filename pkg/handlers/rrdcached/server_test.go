package rrdcached

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
)

// grid is a time on the grid of a file with steps of 10 s, a while ago.
func grid() time.Time { return time.Now().Add(-10 * time.Minute).Truncate(10 * time.Second) }

// fetch reads a file with rrdtool: the averages at steps after begin.
func fetch(t *testing.T, r *peertest.RRDCached, file string, begin time.Time, n int) (ds string, values []float64) {
	t.Helper()
	tool := peertest.Program(t, "rrdtool", "rrdtool")
	out, err := exec.CommandContext(t.Context(), tool, "fetch", filepath.Join(r.Files, file), "AVERAGE", "--daemon", r.Unix,
		"-s", strconv.FormatInt(begin.Unix(), 10), "-e", strconv.FormatInt(begin.Unix()+int64(n-1)*10, 10)).CombinedOutput()
	if err != nil {
		t.Fatalf("rrdtool fetch %s: %v\n%s", file, err, out)
	}
	head, rest, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	for line := range strings.Lines(strings.TrimSpace(rest)) {
		_, text, _ := strings.Cut(line, ": ")
		v, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(text), "-nan"), 64)
		if err != nil {
			v = math.NaN()
		}
		values = append(values, v)
	}
	return strings.TrimSpace(head), values
}

// near compares values; NaN is NaN.
func near(got, want []float64) bool {
	if len(got) < len(want) {
		return false
	}
	for i, w := range want {
		if math.IsNaN(w) != math.IsNaN(got[i]) || math.Abs(got[i]-w) > 1e-9*math.Max(1, math.Abs(w)) {
			return false
		}
	}
	return true
}

// run hands one result over, taken n steps after begin, and waits until it is
// sent.
func run(t *testing.T, h *Handler, id string, at time.Time, metrics ...check.Metric) {
	t.Helper()
	ev := handlertest.Event(id)
	ev.Started = at.UnixMilli()
	ev.Result.State, ev.Result.Metrics = check.StateWarn, metrics
	if err := h.Process(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	handlertest.Eventually(t, func() error {
		if s := h.Stats(); s.Queued > 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// TestServer: what a real rrdcached writes is what was measured.
func TestServer(t *testing.T) {
	t.Parallel()
	r := peertest.StartRRDCached(t)
	nan := math.NaN()
	for _, addr := range []string{r.Unix, r.TCP} {
		network, _, _ := strings.Cut(addr, ":")
		h := open(t, map[string]any{"addr": addr, "flush": "1ms", "state": true, "path": network + "/{zone}/{id}/{metric}.rrd"})
		begin := grid()
		const top = math.MaxUint64
		rows := []struct {
			gauge    float64
			in, in32 uint64
		}{
			{-1.5, top - 1000, math.MaxUint32 - 49}, {1e300, top - 900, math.MaxUint32 - 19}, {nan, top, 0x12}, {7, 5, 0x26}, {8, 15, 0x3a},
		}
		for i, row := range rows {
			metrics := []check.Metric{
				check.Gauge("a.gauge-with_a_long_name_1", row.gauge, ""), check.Gauge("a.gauge-with_a_long_name_2", float64(i), ""),
				check.Counter("in_octets.1", row.in, 64, "bytes"), check.Counter("in32", row.in32, 32, ""),
			}
			if i >= 2 {
				metrics = append(metrics, check.Gauge("later", 3, "")) // not from the start
			}
			run(t, h, "web:1", begin.Add(time.Duration(i)*10*time.Second), metrics...)
		}
		run(t, h, "web:1", begin.Add(41*time.Second+500*time.Millisecond)) // the state alone, off the grid
		for _, tt := range []struct {
			metric, ds string
			want       []float64
		}{
			{"a.gauge-with_a_long_name_1", "a_gauge_with_a_long", []float64{-1.5, 1e300, nan, 7, 8}},
			{"a.gauge-with_a_long_name_2", "a_gauge_with_a_long", []float64{0, 1, 2, 3, 4}},
			{"in_octets.1", "in_octets_1", []float64{nan, 10, 90, nan, 1}}, // a reset is no wrap
			{"in32", "in32", []float64{nan, 3, 3.7, 2, 2}},                 // a wrap is no reset; rrdtool makes it one short
			{"later", "later", []float64{nan, nan, 3, 3, 3}},
			{"state", "state", []float64{1, 1, 1, 1, 1}},
		} {
			ds, got := fetch(t, r, network+"/default/web%3A1/"+tt.metric+".rrd", begin.Add(-10*time.Second), len(rows))
			if ds != tt.ds || !near(got, tt.want) {
				t.Errorf("%s: %s holds %s %v, want %s %v", network, tt.metric, ds, got, tt.ds, tt.want)
			}
		}
		if s := h.Stats(); s.Sent != 29 || s.Failed+s.Dropped > 0 {
			t.Errorf("Stats = %+v, want 29 sent", s)
		}
	}
}

// TestServerOrder: what comes too late is refused alone, what comes twice is
// there already.
func TestServerOrder(t *testing.T) {
	t.Parallel()
	r := peertest.StartRRDCached(t)
	h := open(t, map[string]any{"addr": r.Unix, "flush": "1ms"})
	begin := grid()
	for i, step := range []int{0, 1, 1, 3, 2, 4} {
		run(t, h, "web1", begin.Add(time.Duration(step)*10*time.Second), check.Gauge("a", float64(step), ""), check.Gauge(fmt.Sprint("b", i), 1, ""))
	}
	if _, got := fetch(t, r, "default/web1/a.rrd", begin.Add(-10*time.Second), 5); !near(got, []float64{0, 1, 3, 3, 4}) {
		t.Errorf("a holds %v", got)
	}
	if s := h.Stats(); s.Sent != 11 || s.Failed != 1 {
		t.Errorf("Stats = %+v, want one failed", s)
	}
}

// TestServerRestart: what is measured while the server is away is written when
// it is back.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	r := peertest.StartRRDCached(t)
	h := open(t, map[string]any{"addr": r.Unix, "flush": "1ms"})
	begin := grid()
	run(t, h, "web1", begin, check.Gauge("a", 1, ""))
	r.Stop()
	for i := 1; i < 4; i++ {
		ev := handlertest.Event("web1")
		ev.Started = begin.Add(time.Duration(i) * 10 * time.Second).UnixMilli()
		ev.Result.Metrics = []check.Metric{check.Gauge("a", float64(i+1), "")}
		if err := h.Process(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	handlertest.Eventually(t, func() error {
		if s := h.Stats(); s.Queued != 3 || s.Retries == 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	r.Run(t)
	run(t, h, "web1", begin.Add(40*time.Second), check.Gauge("a", 5, ""))
	if _, got := fetch(t, r, "default/web1/a.rrd", begin.Add(-10*time.Second), 5); !near(got, []float64{1, 2, 3, 4, 5}) {
		t.Errorf("a holds %v, want 1 to 5", got)
	}
	if s := h.Stats(); s.Sent != 5 || s.Failed > 0 {
		t.Errorf("Stats = %+v", s)
	}
}

// TestServerManyFiles: a first batch that makes more files than one exchange.
func TestServerManyFiles(t *testing.T) {
	t.Parallel()
	r := peertest.StartRRDCached(t)
	h := open(t, map[string]any{"addr": r.Unix, "flush": "1ms", "archives": []map[string]any{{"for": "1h"}}})
	metrics := make([]check.Metric, check.MaxMetrics)
	for i := range metrics {
		metrics[i] = check.Gauge(fmt.Sprint("m", i), float64(i), "")
	}
	begin := grid()
	run(t, h, "web1", begin, metrics...)
	if _, got := fetch(t, r, "default/web1/m255.rrd", begin.Add(-10*time.Second), 1); !near(got, []float64{255}) {
		t.Errorf("m255 holds %v", got)
	}
	if s := h.Stats(); s.Sent != check.MaxMetrics {
		t.Errorf("Stats = %+v", s)
	}
}
