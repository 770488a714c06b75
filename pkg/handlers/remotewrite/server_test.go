package remotewrite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

// query asks Prometheus for the value of an expression at a time: labels as
// name=value to values.
func query(t *testing.T, base, expr string, at time.Time) map[string]float64 {
	t.Helper()
	resp, err := http.Get(base + "/api/v1/query?" + url.Values{"query": {expr}, "time": {fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000)}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, _ := io.ReadAll(resp.Body)
	var answer struct {
		Status string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("query %s: %v\n%s", expr, err, text)
	}
	out := map[string]float64{}
	for _, r := range answer.Data.Result {
		delete(r.Metric, labelName)
		v, err := strconv.ParseFloat(r.Value[1].(string), 64)
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprint(r.Metric)] = v
	}
	return out
}

// TestServer: what a real Prometheus answers is what was measured.
func TestServer(t *testing.T) {
	t.Parallel()
	p := peertest.StartPrometheus(t)
	h := open(t, p.URL+"/api/v1/write", map[string]any{"labels": map[string]string{"cluster": "test"}})
	begin := time.Now().Add(-10 * time.Minute).Truncate(time.Second)
	at := func(n int) time.Time { return begin.Add(time.Duration(n) * 10 * time.Second) }
	for n := range 4 {
		ev := handlertest.Event("web1")
		ev.Started, ev.Finished = at(n).UnixMilli(), at(n).UnixMilli()+500
		ev.Check.Labels = map[string]string{"site": "fra\nmain", "rack.no": "7"}
		ev.Result.State = check.State(n)
		ev.Result.Metrics = []check.Metric{
			check.Seconds("resp_seconds", time.Duration(n)*time.Second), check.Gauge("inf", math.Inf(1), ""),
			check.Counter("in_octets.eth0", uint64(1000*n), 64, "bytes"), check.Counter("in_octets.eth1", uint64(n), 32, "bytes"),
		}
		if n == 2 {
			ev.Result.Metrics = ev.Result.Metrics[2:] // the web server gave no answer
		}
		deliver(t, h, ev)
	}
	labels := map[string]string{"check": "web1", "zone": "default", "command": "http", "cluster": "test", "site": "fra\nmain", "rack_no": "7"}
	plain := fmt.Sprint(labels)
	eth := func(item string) string {
		with := maps.Clone(labels)
		with["item"] = item
		return fmt.Sprint(with)
	}
	for _, tt := range []struct {
		expr string
		n    int
		want map[string]float64
	}{
		{"redpoll_resp_seconds", 0, map[string]float64{plain: 0}},
		{"redpoll_resp_seconds", 1, map[string]float64{plain: 1}},
		{"redpoll_resp_seconds", 2, map[string]float64{}}, // the marker ends it at once
		{"redpoll_resp_seconds", 3, map[string]float64{plain: 3}},
		{"redpoll_inf", 3, map[string]float64{plain: math.Inf(1)}},
		{"redpoll_check_state", 3, map[string]float64{plain: 3}},
		{"redpoll_check_took_seconds", 3, map[string]float64{plain: 0.5}},
		{"redpoll_check_incident", 3, map[string]float64{plain: 0}},
		{"redpoll_in_octets_bytes_total", 3, map[string]float64{eth("eth0"): 3000, eth("eth1"): 3}},
		{"rate(redpoll_in_octets_bytes_total[30s])", 3, map[string]float64{eth("eth0"): 100, eth("eth1"): 0.1}},
	} {
		if got := query(t, p.URL, tt.expr, at(tt.n)); !maps.Equal(got, tt.want) {
			t.Errorf("%s at %d = %v, want %v", tt.expr, tt.n, got, tt.want)
		}
	}
	if s := h.Stats(); s.Failed+s.Dropped > 0 {
		t.Errorf("Stats = %+v", s)
	}
}

// TestServerRefuses: a sample out of order costs its own result, not those that
// went in the same request; Prometheus being away costs nothing.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	p := peertest.StartPrometheus(t)
	h := open(t, p.URL+"/api/v1/write", map[string]any{"state": false, "flush": "20ms"})
	begin := time.Now().Add(-10 * time.Minute).Truncate(time.Second)
	result := func(id string, seconds int, v float64) *check.Event {
		ev := handlertest.Event(id)
		ev.Started, ev.Check.Labels = begin.Add(time.Duration(seconds)*time.Second).UnixMilli(), nil
		ev.Result.Metrics = []check.Metric{check.Gauge("a", v, "")}
		return ev
	}
	deliver(t, h, result("w3", 10, 1))
	p.Stop()
	var events []*check.Event
	for i := range 10 {
		events = append(events, result(fmt.Sprint("w", i), 10*(i%2)+5, float64(i)))
	}
	events = append(events, result("w2", 8, 22), result("w5", 60, 55))
	for _, ev := range events {
		if err := h.Process(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	handlertest.Eventually(t, func() error {
		if s := h.Stats(); s.Retries == 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	p.Run(t)
	deliver(t, h)
	deliver(t, h, result("w6", 50, 66), result("w4", 1, 44), result("w7", 50, 77))
	want := map[string]float64{}
	for i := range 10 {
		want[fmt.Sprintf("map[check:w%d command:http zone:default]", i)] = float64(i)
	}
	want["map[check:w2 command:http zone:default]"] = 22
	for i := 5; i <= 7; i++ {
		want[fmt.Sprintf("map[check:w%d command:http zone:default]", i)] = float64(11 * i)
	}
	if got := query(t, p.URL, "redpoll_a", begin.Add(time.Minute)); !maps.Equal(got, want) {
		t.Errorf("redpoll_a = %v\nwant %v", got, want)
	}
	if s := h.Stats(); s.Sent != 15 || s.Failed != 1 {
		t.Errorf("Stats = %+v, want w4's second one failed alone", s)
	}
}

// TestServerSaysWhy: what Prometheus says of a request is in the log.
func TestServerSaysWhy(t *testing.T) {
	t.Parallel()
	p := peertest.StartPrometheus(t)
	for path, want := range map[string]string{"/api/v1/write": "out of order", "/api/v1/nothing": "404"} {
		var lines bytes.Buffer
		settings := Defaults()
		settings.URL = p.URL + path
		h, err := New(tools.Tools{Log: slog.New(slog.NewTextHandler(&lines, nil))})(settings)
		if err != nil {
			t.Fatal(err)
		}
		late, early := handlertest.Event("web1"), handlertest.Event("web1")
		late.Started = time.Now().UnixMilli()
		early.Started = late.Started - 60_000
		deliver(t, h.(*Handler), late)
		if err := h.Process(t.Context(), early); err != nil {
			t.Fatal(err)
		}
		handlertest.Close(t, h)
		if text := lines.String(); !strings.Contains(text, "output is refused") || !strings.Contains(text, want) || strings.Contains(text, "web1") {
			t.Errorf("%s: want %q in the log:\n%s", path, want, text)
		}
	}
}
