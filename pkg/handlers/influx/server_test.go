package influx

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

// server gives an InfluxDB with the data base redpoll, and a handler for it.
func server(t *testing.T, settings map[string]any) (*peertest.InfluxDB, *Handler) {
	t.Helper()
	i := peertest.StartInfluxDB(t)
	i.Query(t, "", "CREATE DATABASE redpoll")
	s := Defaults()
	s.URL, s.DB, s.User, s.Password, s.Flush = i.URL, "redpoll", "monitor", check.Secret{Name: "influx"}, check.Duration(time.Millisecond)
	s.Texts = settings["texts"] == true
	h, err := New(tools.Tools{Secrets: vault{"influx": i.Password}})(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { handlertest.Close(t, h) })
	return i, h.(*Handler)
}

// rows demands that a query gives the lines, after the first, which names the
// columns.
func rows(t *testing.T, i *peertest.InfluxDB, query string, want ...string) {
	t.Helper()
	text := strings.TrimSpace(i.Query(t, "redpoll", query))
	_, got, _ := strings.Cut(text, "\n")
	if got != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant\n%s", query, got, strings.Join(want, "\n"))
	}
}

// TestServer: what a real InfluxDB answers is what was measured, whatever it is
// called.
func TestServer(t *testing.T) {
	t.Parallel()
	i, h := server(t, map[string]any{"texts": true})
	const at = 1_767_225_600_000
	for n := range 3 {
		ev := hostile()
		ev.Started = at + int64(n)*10_000
		ev.Result.Metrics[0].Value = float64(n)
		ev.Result.Metrics[1].Count = math.MaxInt64 - 100 + uint64(n)*100 // leaves 63 bits behind at last
		deliver(t, h, ev)
	}
	if s := h.Stats(); s.Failed+s.Dropped+s.Retries > 0 || s.Sent == 0 {
		t.Errorf("Stats = %+v", s)
	}
	huge := "1" + strings.Repeat("0", 300)
	rows(t, i, `SELECT resp_seconds, "a-b", time_value, state FROM http WHERE "resp_seconds" >= 0`,
		"http,,1767225600000,0,"+huge+",-0.5,2", "http,,1767225610000,1,"+huge+",-0.5,2", "http,,1767225620000,2,"+huge+",-0.5,2")
	rows(t, i, `SELECT "in", "out" FROM http WHERE item = 'eth0'`,
		"http,,1767225600000,9223372036854775707,2", "http,,1767225610000,9223372036854775807,2", "http,,1767225620000,99,2")
	rows(t, i, `SELECT reason, text, version FROM http LIMIT 1`, `http,,1767225600000,DOWN,"say ""hi"",\ x=1 2 http a=1 1","v""1\"`)
	rows(t, i, `SELECT late FROM http WHERE late > 0 LIMIT 1`, "http,,1767225601500,1")
	rows(t, i, `SHOW TAG VALUES WITH KEY = site`, "http,,site,\"a,b=c d/\"")
	rows(t, i, `SHOW TAG VALUES WITH KEY = "check"`, "http,,check,web:1")
	rows(t, i, `SHOW TAG VALUES WITH KEY = label_check`, "http,,label_check,spoof")
	rows(t, i, `SHOW TAG VALUES WITH KEY = item`, `http,,item,"eth,1 =x"`, "http,,item,eth0")
	rows(t, i, `SHOW MEASUREMENTS`, "measurements,,http")
}

// TestServerPartial: a point that the server cannot take costs itself alone, and
// the server being away costs nothing.
func TestServerPartial(t *testing.T) {
	t.Parallel()
	i, h := server(t, nil)
	point := func(id string, m check.Metric) *check.Event {
		ev := handlertest.Event(id)
		ev.Check.Labels, ev.Result.Metrics = nil, []check.Metric{m}
		return ev
	}
	deliver(t, h, point("a", check.Gauge("x", 1.5, "")))
	i.Stop()
	for n := range 5 {
		if err := h.Process(t.Context(), point(fmt.Sprint("b", n), check.Gauge("x", float64(n), ""))); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Process(t.Context(), point("c", check.Counter("x", 7, 64, ""))); err != nil { // x is a float
		t.Fatal(err)
	}
	handlertest.Eventually(t, func() error {
		if s := h.Stats(); s.Retries == 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	i.Run(t)
	deliver(t, h)
	rows(t, i, `SELECT count(x), sum(x) FROM http`, "http,,0,6,11.5")
	if s := h.Stats(); s.Failed == 0 || s.Sent < 12 || s.Sent+s.Failed != 14 {
		t.Errorf("Stats = %+v, want the point of c failed", s)
	}
	i.Query(t, "", "DROP DATABASE redpoll")
	deliver(t, h, point("d", check.Gauge("x", 1, "")))
	if s := h.Stats(); s.Failed != 3 {
		t.Errorf("Stats = %+v, want d refused: there is no data base", s)
	}
}
