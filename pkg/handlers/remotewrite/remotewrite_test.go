package remotewrite

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/snappy"
	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver keeps what it is sent.
type receiver struct {
	URL string

	mu     sync.Mutex // guards all below
	all    []sent
	calls  int
	answer func(got []sent) int // the status; nil: 204
}

func receive(t testing.TB, answer func(got []sent) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL + "/api/v1/write"
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err == nil {
		body, err = snappy.Decode(nil, body)
	}
	var got []sent
	if err == nil {
		got, err = decode(body)
	}
	if h := req.Header; err == nil && (h.Get("Content-Type") != "application/x-protobuf" || h.Get("X-Prometheus-Remote-Write-Version") != "0.1.0" ||
		h.Get("Content-Encoding") != "snappy" || req.URL.Path != "/api/v1/write") {
		err = fmt.Errorf("headers %v", h)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	status := http.StatusNoContent
	if r.answer != nil {
		status = r.answer(got)
	}
	if status/100 == 2 {
		r.all = append(r.all, got...)
	}
	w.WriteHeader(status)
}

func (r *receiver) sent() []sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func open(t testing.TB, url string, settings map[string]any) *Handler {
	t.Helper()
	all := map[string]any{"url": url, "flush": "1ms"}
	maps.Copy(all, settings)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	h, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { handlertest.Close(t, h) })
	return h.(*Handler)
}

// deliver passes events on and waits until all is sent.
func deliver(t *testing.T, h *Handler, events ...*check.Event) {
	t.Helper()
	for _, ev := range events {
		if err := h.Process(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	handlertest.Eventually(t, func() error {
		if s := h.Stats(); s.Queued > 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

func TestSeries(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	h := open(t, r.URL, map[string]any{"labels": map[string]string{"cluster": "c\"1", "Z": "z"}})
	ev := handlertest.Event("web:1")
	ev.Started, ev.Finished = 1_767_225_600_123, 1_767_225_602_623
	ev.Result.State, ev.Incident = check.StateCrit, &check.Incident{}
	ev.Check.Labels = map[string]string{
		"site": "fra\n1", "a.b": "1", "a-b": "2", "check": "spoof", "cluster": "spoof", "__name__": "spoof", "9": "nine", "empty": "", "bad": "x\xff",
		strings.Repeat("n", 200): "long", "long": strings.Repeat("é", 600),
	}
	ev.Result.Metrics = []check.Metric{
		check.Gauge("resp_seconds", 1.5, "seconds"), check.Gauge("temp", -3, "°C"), check.Gauge("load-1", math.Inf(1), ""), check.Gauge("load_1", math.NaN(), ""),
		check.Counter("in_octets.1", math.MaxUint64, 64, "bytes"), check.Counter("in_octets.eth0/1", 7, 32, "bytes"), check.Counter("x_total", 1, 64, ""),
		check.Gauge("in_errors_per_second.1", 2, "packets"), check.Gauge("used", 50, "%"), check.String("name", "text"), check.Gauge("check_state", 9, ""),
	}
	deliver(t, h, ev)
	base := `{Z="z",_9="nine",a_b="2;1",bad="x",check="web:1",cluster="c\"1",command="http",`
	mid := `label___name__="spoof",label_check="spoof",label_cluster="spoof",long="` + strings.Repeat("é", 512) + `",`
	end := `site="fra\n1",zone="default"}`
	name := func(name, item, metric string) string {
		text := name + base
		if item != "" {
			text += `item="` + item + `",`
		}
		text += mid
		if metric != "" {
			text += `metric="` + metric + `",`
		}
		return text + end
	}
	const at = 1_767_225_600_123
	want := []sent{
		{name("redpoll_check_state", "", ""), 2, 0, at}, {name("redpoll_check_took_seconds", "", ""), 2.5, 0, at}, {name("redpoll_check_incident", "", ""), 1, 0, at},
		{name("redpoll_resp_seconds", "", ""), 1.5, 0, at}, {name("redpoll_temp_C", "", ""), -3, 0, at},
		{name("redpoll_load_1", "", "load-1"), math.Inf(1), 0, at}, {name("redpoll_load_1", "", "load_1"), math.NaN(), 0, at},
		{name("redpoll_in_octets_bytes_total", "1", ""), math.MaxUint64, 0, at}, {name("redpoll_in_octets_bytes_total", "eth0/1", ""), 7, 0, at},
		{name("redpoll_x_total", "", ""), 1, 0, at}, {name("redpoll_in_errors_per_second", "1", ""), 2, 0, at}, {name("redpoll_used_percent", "", ""), 50, 0, at},
		{name("redpoll_check_state", "", "check_state"), 9, 0, at},
	}
	got := r.sent()
	for i, w := range want {
		if i >= len(got) || got[i].String() != w.String() {
			t.Errorf("sample %d = %v\nwant       %v", i, got[min(i, len(got)-1)], w)
		}
	}
	if len(got) != len(want) || got[6].bits != normalNaN {
		t.Errorf("%d samples, want %d; NaN has the bits %x", len(got), len(want), got[6].bits)
	}
}

// TestStale: a series that a check has no more gets a marker with the next
// result, once; other checks do not matter.
func TestStale(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	h := open(t, r.URL, map[string]any{"state": false, "prefix": ""})
	at := int64(1_767_225_600_000)
	result := func(id string, names ...string) *check.Event {
		ev := handlertest.Event(id)
		at += 1000
		ev.Started, ev.Check.Labels, ev.Result.Metrics = at, nil, nil
		for _, name := range names {
			ev.Result.Metrics = append(ev.Result.Metrics, check.Gauge(name, 1, ""))
		}
		return ev
	}
	deliver(t, h, result("w", "a", "b", "c.1"), result("v", "a"), result("w", "b"), result("w", "b"), result("w"), result("v", "a"), result("w", "b", "a"))
	var got []string
	for _, s := range r.sent() {
		name, _, _ := strings.Cut(s.series, "{")
		text := fmt.Sprintf("%s%v%d", name, strings.Contains(s.series, `check="w"`), (s.millis-1_767_225_600_000)/1000)
		if s.bits == staleNaN {
			text += " stale"
		}
		got = append(got, text)
	}
	want := []string{"atrue1", "btrue1", "ctrue1", "afalse2", "btrue3", "atrue3 stale", "ctrue3 stale", "btrue4", "btrue5 stale", "afalse6", "btrue7", "atrue7"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestRefused: a result that is refused costs itself alone, and the others stay
// in order.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		bad    []int
		sent   uint64
		calls  int
	}{
		{"one", 400, []int{33}, 99, 20},
		{"too large", 413, []int{0}, 99, 20},
		{"ends", 400, []int{0, 99}, 98, 40},
		{"all", 400, nil, 0, maxPieces},
		{"no place", 404, nil, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bad := func(s sent) bool {
				if tt.bad == nil {
					return true
				}
				return slices.ContainsFunc(tt.bad, func(n int) bool { return strings.Contains(s.series, fmt.Sprintf(`check="w%02d"`, n)) })
			}
			r := receive(t, func(got []sent) int {
				if slices.ContainsFunc(got, bad) {
					return tt.status
				}
				return 200
			})
			h := open(t, r.URL, map[string]any{"state": false, "flush": "1m"})
			for i := range 100 {
				ev := handlertest.Event(fmt.Sprintf("w%02d", i))
				ev.Result.Metrics = ev.Result.Metrics[:1]
				if err := h.Process(t.Context(), ev); err != nil {
					t.Fatal(err)
				}
			}
			handlertest.Close(t, h)
			if s := h.Stats(); s.Sent != tt.sent || s.Failed != 100-tt.sent {
				t.Errorf("Stats = %+v, want %d sent", s, tt.sent)
			}
			got := r.sent()
			if !slices.IsSortedFunc(got, func(a, b sent) int { return strings.Compare(a.series, b.series) }) || len(got) != int(tt.sent) || r.calls > tt.calls {
				t.Errorf("%d samples in %d requests, want %d in order in at most %d", len(got), r.calls, tt.sent, tt.calls)
			}
		})
	}
}

// TestGoesOn: when the receiver becomes busy in the midst of a batch that it
// refused, what it took and what it refused alone does not come again.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	calls := 0
	r := receive(t, func(got []sent) int {
		if calls++; calls%7 == 0 {
			return 503
		}
		if slices.ContainsFunc(got, func(s sent) bool { return strings.Contains(s.series, `check="w05"`) }) {
			return 400
		}
		return 200
	})
	h := open(t, r.URL, map[string]any{"state": false, "max_batch": 16, "flush": "1m"})
	for i := range 16 {
		ev := handlertest.Event(fmt.Sprintf("w%02d", i))
		ev.Result.Metrics = ev.Result.Metrics[:1]
		if err := h.Process(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, h)
	if s := h.Stats(); s.Sent != 15 || s.Failed != 1 || len(r.sent()) != 15 {
		t.Errorf("Stats = %+v, %d samples, want 15 once each", s, len(r.sent()))
	}
}

// TestRetry: a receiver that is busy gets the same again.
func TestRetry(t *testing.T) {
	t.Parallel()
	calls := 0
	r := receive(t, func([]sent) int {
		if calls++; calls <= 2 {
			return []int{429, 503}[calls-1]
		}
		return 204
	})
	h := open(t, r.URL, nil)
	deliver(t, h, handlertest.Event("web1"))
	if s := h.Stats(); s.Sent != handlertest.Values+3 || s.Retries != 2 || s.Failed > 0 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestDead(t *testing.T) {
	t.Parallel()
	handlertest.Dead(t, open(t, "http://127.0.0.1:1/", map[string]any{"queue": 1000, "max_batch": 100}), handlertest.Values+3)
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for settings, field := range map[string]string{
		`{}`: "url", `{"url":"x"}`: "url", `{"url":"http://u:p@h/"}`: "url",
		`{"url":"http://h/","prefix":"a-"}`: "prefix", `{"url":"http://h/","prefix":"1"}`: "prefix",
		`{"url":"http://h/","labels":{"a-b":"x"}}`: "labels", `{"url":"http://h/","labels":{"zone":"x"}}`: "labels", `{"url":"http://h/","labels":{"a":""}}`: "labels",
		`{"url":"http://h/","labels":{"__a":"x"}}`: "labels", `{"url":"http://h/","max_batch":0}`: "max_batch", `{"url":"http://h/","queue":1}`: "queue",
		`{"url":"http://h/","max_batch":5000,"queue":4000}`: "queue", `{"url":"http://h/","flush":"0s"}`: "flush",
		`{"url":"http://h/","bearer":"plain"}`: "bearer", `{"url":"http://h/","user":"u"}`: "password", `{"url":"http://h/","nope":1}`: "nope",
	} {
		_, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(json.RawMessage(settings))
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("settings %s = %v, want an error about %s", settings, err, field)
		}
	}
}

// TestForgets: the memory for markers is bounded.
func TestForgets(t *testing.T) {
	t.Parallel()
	var s shapes
	metrics := make([]check.Metric, check.MaxMetrics)
	const forgets = maxSeries/check.MaxMetrics + 10
	for i := range forgets {
		for j := range metrics {
			metrics[j] = check.Gauge(fmt.Sprintf("m%d.%d", i, j), 1, "")
		}
		now, before := s.swap(checkKey{"z", fmt.Sprint(i)}, "", metrics, false)
		if before != nil || len(now.series) != len(metrics) || s.series > maxSeries || len(s.seen) > i+1 {
			t.Fatalf("swap %d: %d series known", i, s.series)
		}
		if again, before := s.swap(checkKey{"z", fmt.Sprint(i)}, "", metrics, false); again != now || before != now {
			t.Fatalf("swap %d again: another shape", i)
		}
	}
	if len(s.seen) == forgets {
		t.Error("nothing was forgotten")
	}
}

// FuzzEncode: whatever things are called, each series is one, with the check's
// own labels, sorted, valid and not spoofed.
func FuzzEncode(f *testing.F) {
	f.Add("web1", "site", "fra", "in.1", "bytes", true, 1.5, int64(7))
	f.Add("\xff", "__name__", "x\x00\xf0", ".", "%", false, math.NaN(), int64(-1))
	f.Fuzz(func(t *testing.T, id, label, value, metric, unit string, counter bool, v float64, millis int64) {
		ev := &check.Event{Started: millis, Check: check.EventCheck{ID: "id", Zone: "z", Command: "c", Labels: map[string]string{label: value, "site": id}}}
		if metric == "a_b" {
			return // names are unique
		}
		m := check.Gauge(metric, v, unit)
		if counter {
			m = check.Counter(metric, uint64(millis), 64, unit)
		}
		ev.Result.Metrics = []check.Metric{m, check.Gauge("a_b", 1, "")}
		l, err := newLabeler(map[string]string{"cluster": "mine"})
		if err != nil {
			t.Fatal(err)
		}
		var s shapes
		now, _ := s.swap(checkKey{}, "redpoll_", ev.Result.Metrics, true)
		e := encoder{ev: ev}
		l.encode(&e.labels, &ev.Check)
		e.samples(now)
		all, err := decode(e.out)
		if err != nil || len(all) != 5 || e.values != 5 {
			t.Fatalf("%d series, %v", len(all), err)
		}
		seen := map[string]bool{}
		for _, got := range all {
			name, labels, _ := strings.Cut(got.series, "{")
			if !isName(name) || !strings.HasPrefix(name, "redpoll_") || seen[got.series] || got.bits == staleNaN {
				t.Fatalf("series %s, bits %x", got.series, got.bits)
			}
			seen[got.series] = true
			for _, want := range []string{`check="id"`, `cluster="mine"`, `command="c"`, `zone="z"`} {
				if !strings.Contains(labels, want) {
					t.Fatalf("series %s lacks %s", got.series, want)
				}
			}
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer s.Close()
	h := open(b, s.URL, map[string]any{"queue": 1_000_000, "flush": "1s"})
	handlertest.Bench(b, h)
}
