package statsd

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/internal/porttest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/brace"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server gives a statsd server: its address, and what reads the next datagram.
func server(t *testing.T) (addr string, next func() string) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String(), func() string {
		t.Helper()
		buf := make([]byte, 64<<10)
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func open(t *testing.T, settings map[string]any) *Handler {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	h, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.(*Handler).Close() })
	return h.(*Handler)
}

func event(metrics ...check.Metric) *check.Event {
	return &check.Event{
		Check: check.EventCheck{
			ID: "web1.example:80", Zone: "fra-1", Command: "http",
			Labels: map[string]string{"site": "a|b:c@d#e\nf g", "x.y": "dot"},
			Meta:   map[string]any{"rack": 7.0, "deep": map[string]any{"name": "n"}, "on": true},
		},
		Result: check.Result{State: check.StateCrit, Metrics: metrics},
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	one := []check.Metric{check.Seconds("resp_seconds", 1500*time.Microsecond)}
	many := append(slices.Clone(one), check.Gauge("temp", -3.5, ""), check.Gauge("zero", math.Copysign(0, -1), ""),
		check.Counter("if.in", math.MaxUint64, 64, ""), check.String("name", "text"),
		check.Gauge("nan", math.NaN(), ""), check.Gauge("inf", math.Inf(-1), ""), check.Gauge("huge", 1e300, ""))
	for _, tt := range []struct {
		name     string
		settings map[string]any
		metrics  []check.Metric
		want     []string
	}{
		{"defaults", nil, many, []string{
			"redpoll.fra-1.web1_example_80.resp_seconds:0.0015|g",
			"redpoll.fra-1.web1_example_80.temp:0|g",
			"redpoll.fra-1.web1_example_80.temp:-3.5|g",
			"redpoll.fra-1.web1_example_80.zero:0|g",
			"redpoll.fra-1.web1_example_80.if.in:18446744073709551615|g",
			"redpoll.fra-1.web1_example_80.huge:1e+300|g",
		}},
		{"template", map[string]any{
			"prefix": "m.{command}.{labels.site}.{labels.x.y}.{labels.none}.{meta.rack}{meta.on}.{meta.deep.name}.{meta.deep}", "state": true,
		}, one, []string{
			"m.http.a_b_c_d_e_f_g.dot.none.7true.n.none.resp_seconds:0.0015|g",
			"m.http.a_b_c_d_e_f_g.dot.none.7true.n.none.state:2|g",
		}},
		{"tags", map[string]any{
			"prefix": "", "tags": map[string]string{"site": "{labels.site}", "id": "x-{id}", "none": "{meta.none}"},
		}, one, []string{"resp_seconds:0.0015|g|#id:x-web1_example_80,site:a_b_c_d_e_f_g"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr, next := server(t)
			settings := map[string]any{"addr": addr, "flush": "5ms"}
			maps.Copy(settings, tt.settings)
			h := open(t, settings)
			if err := h.Process(t.Context(), event(tt.metrics...)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for len(got) < len(tt.want) {
				got = append(got, strings.Split(next(), "\n")...)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("lines = %q\nwant    %q", got, tt.want)
			}
		})
	}
}

// TestBatch: lines share datagrams, none is too long, none is lost, and those
// of a negative gauge stay together.
func TestBatch(t *testing.T) {
	t.Parallel()
	addr, next := server(t)
	h := open(t, map[string]any{"addr": addr, "flush": "1s"})
	const events = 300
	for i := range events {
		ev := event(check.Gauge("a", float64(i), ""), check.Gauge("b", -1, ""))
		ev.Check.ID = fmt.Sprint("id", i)
		if err := h.Process(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	go h.Close()
	lines, datagrams := 0, 0
	for lines < 3*events {
		d := next()
		datagrams++
		if len(d) > maxDatagram || strings.HasSuffix(d, "\n") {
			t.Fatalf("datagram of %d bytes ends in %q", len(d), d[len(d)-5:])
		}
		all := strings.Split(d, "\n")
		for i, l := range all {
			if strings.HasSuffix(l, ".b:-1|g") && (i == 0 || !strings.HasSuffix(all[i-1], ".b:0|g")) {
				t.Fatalf("%q without a 0 before it in its datagram", l)
			}
		}
		lines += len(all)
	}
	h.Close()
	if s := h.Stats(); s != (check.OutputStats{Sent: 2 * events, Capacity: maxQueue}) || datagrams > 3*events*40/maxDatagram+8 {
		t.Fatalf("Stats = %+v in %d datagrams, want %d sent in few", s, datagrams, 2*events)
	}
}

// TestFails: what the network refuses is counted.
func TestFails(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]any{"addr": "127.0.0.1:99999"})
	if err := h.Process(t.Context(), handlertest.Event("web1")); err != nil {
		t.Fatal(err)
	}
	handlertest.Close(t, h)
	if s := h.Stats(); s != (check.OutputStats{Failed: handlertest.Values, Capacity: maxQueue}) {
		t.Fatalf("Stats = %+v, want all failed", s)
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]any{"prefix": strings.Repeat("p", maxDatagram)})
	if err := h.Process(t.Context(), event(check.Gauge("a", 1, ""))); err == nil || h.Stats().Dropped != 1 {
		t.Fatalf("Process = %v, %+v, want it dropped", err, h.Stats())
	}
}

// TestComesBack: a server that is away loses what is sent then, no more.
func TestComesBack(t *testing.T) {
	t.Parallel()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(porttest.Free(t)))
	var s socket
	defer s.close()
	_ = s.write(t.Context(), addr, []byte("lost:1|g"))
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := s.write(t.Context(), addr, []byte("seen:1|g")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.ReadFrom(buf); err != nil || string(buf[:n]) != "seen:1|g" {
		t.Fatalf("the server read %q, %v", buf[:n], err)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{
		`{"addr":"x"}`, `{"addr":":8125"}`, `{"flush":"2s"}`, `{"flush":"0s"}`, `{"prefix":"a b"}`, `{"prefix":"{"}`, `{"prefix":"a}"}`,
		`{"prefix":"{nope}"}`, `{"prefix":"{id.x}"}`, `{"prefix":"{labels}"}`, `{"prefix":"{meta.}"}`, `{"prefix":"a:b"}`,
		`{"tags":{"a b":"x"}}`, `{"tags":{"a":"x,y"}}`, `{"tag":{}}`,
	} {
		if _, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(json.RawMessage(settings)); err == nil {
			t.Errorf("settings %s = nil, want an error", settings)
		}
	}
}

// FuzzLine: whatever a check is called, a line has one name, one value and one
// type.
func FuzzLine(f *testing.F) {
	f.Add("id", "a:1|c\nb:2|g", "{id}.{labels.site}")
	f.Fuzz(func(t *testing.T, id, site, prefix string) {
		tmpl, err := brace.Parse(prefix, inName)
		if err != nil {
			return
		}
		b, _ := tmpl.Append(nil, &check.EventCheck{ID: id, Labels: map[string]string{"site": site}}, appendClean)
		l := line{prefix: b, suffix: []byte("|g")}
		m := check.Gauge("n", 1, "")
		s := strings.TrimSuffix(string(l.metric(&m)), "\n")
		if strings.Count(s, ":") != 1 || strings.Count(s, "|") != 1 || strings.ContainsAny(s, "\n@#") {
			t.Fatalf("line = %q", s)
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	settings := Defaults()
	settings.Addr = c.LocalAddr().String()
	h, err := New(tools.Tools{})(settings)
	if err != nil {
		b.Fatal(err)
	}
	defer handlertest.Close(b, h)
	handlertest.Bench(b, h)
}
