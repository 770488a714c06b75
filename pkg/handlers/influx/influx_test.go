package influx

import (
	"compress/gzip"
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
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver keeps what it is sent.
type receiver struct {
	mu     sync.Mutex // guards all below
	all    []point
	reqs   []string // method, URL, Authorization
	answer func(calls int) (status int, text string)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		zr, err := gzip.NewReader(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		body = zr
	}
	text, err := io.ReadAll(body)
	all, err2 := decode(string(text))
	r.mu.Lock()
	defer r.mu.Unlock()
	status, say := http.StatusNoContent, ""
	if r.answer != nil {
		status, say = r.answer(len(r.reqs))
	}
	if err != nil || err2 != nil {
		status, say = http.StatusTeapot, fmt.Sprint(err, err2)
	}
	r.all = append(r.all, all...)
	r.reqs = append(r.reqs, req.Method+" "+req.RequestURI+" "+req.Header.Get("Authorization"))
	w.WriteHeader(status)
	fmt.Fprint(w, say)
}

func receive(t testing.TB) (*receiver, string) {
	t.Helper()
	r := &receiver{}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s.URL
}

type vault map[string]string

func (v vault) Lookup(name, _ string) (string, error) { return v[name], nil }

func open(t testing.TB, url string, settings map[string]any) *Handler {
	t.Helper()
	all := map[string]any{"url": url, "flush": "1ms", "db": "x"}
	maps.Copy(all, settings)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	h, err := check.TypedHandler(Defaults(), New(tools.Tools{Secrets: vault{"token": "open-sesame"}}))(text)
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

func hostile() *check.Event {
	ev := handlertest.Event("web:1")
	ev.Started = 1_767_225_600_123
	ev.Result.State, ev.Result.Reason, ev.Result.Text = check.StateCrit, "DOWN", "say \"hi\",\\ x=1 2\nhttp a=1 1"
	ev.Check.Labels = map[string]string{
		"site": `a,b=c d\`, "x,y=z w": "1", "check": "spoof", "_field": "f", "empty": "", "cluster": "spoof", "label_check": "again", "bad": "x\xff\x00", "time": "t",
		strings.Repeat("n", 200): "long", "long": strings.Repeat("é", 600),
	}
	late := check.Gauge("late", 1, "")
	late.At = ev.Result.At.Add(1500 * time.Millisecond)
	ev.Result.Metrics = []check.Metric{
		check.Gauge("resp_seconds", 1.5, "seconds"), check.Counter("in.eth0", math.MaxUint64, 64, ""), check.Counter("in.eth,1 =x", 7, 32, ""), check.Gauge("a-b", 1e300, ""),
		check.Gauge("nan", math.NaN(), ""), check.Gauge("time", -0.5, ""), check.String("version", `v"1\`), check.Gauge("out.eth0", 2, ""), late,
	}
	return ev
}

func TestPoints(t *testing.T) {
	t.Parallel()
	tags := `bad=x__ check=web:1 cluster=c 1 command=http label__field=f label_check=spoof label_cluster=spoof label_time=t long=` + strings.Repeat("é", 512) +
		` site=a,b=c d/ x,y=z w=1 zone=default`
	item := func(name string) string {
		return strings.Replace(tags, " label__field", " item="+name+" label__field", 1)
	}
	for _, tt := range []struct {
		name     string
		settings map[string]any
		want     []string
	}{
		{"version 1", map[string]any{"tags": map[string]string{"cluster": "c 1", "none": "{meta.no}"}}, []string{
			"http | " + tags + " | a-b=1e+300 resp_seconds=1.5 state=2i time_value=-0.5 | 1767225600123",
			"http | " + item("eth0") + " | in=9223372036854775807i out=2 | 1767225600123",
			"http | " + item("eth,1 =x") + " | in=7i | 1767225600123",
			"http | " + tags + " | late=1 | 1767225601623",
		}},
		{"version 2", map[string]any{
			"db": nil, "org": "o", "bucket": "b", "token": map[string]string{"secret": "token"}, "texts": true, "state": false, "gzip": false,
			"measurement": "m,{labels.site} ={zone}", "tags": map[string]string{"cluster": "c 1"},
		}, []string{
			`m,a,b=c d/ =default | ` + tags + ` | a-b=1e+300 reason=DOWN resp_seconds=1.5 text=say "hi",\ x=1 2 http a=1 1 time_value=-0.5 version=v"1\ | 1767225600123`,
			`m,a,b=c d/ =default | ` + item("eth0") + " | in=18446744073709551615u out=2 | 1767225600123",
			`m,a,b=c d/ =default | ` + item("eth,1 =x") + " | in=7u | 1767225600123",
			`m,a,b=c d/ =default | ` + tags + " | late=1 | 1767225601623",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, url := receive(t)
			h := open(t, url, tt.settings)
			deliver(t, h, hostile())
			r.mu.Lock()
			defer r.mu.Unlock()
			for i, want := range tt.want {
				if i >= len(r.all) || r.all[i].String() != want {
					t.Errorf("point %d of %d = %v\nwant %s", i, len(r.all), r.all[min(i, len(r.all)-1)], want)
				}
			}
			if s := h.Stats(); len(r.all) != len(tt.want) || s.Failed > 0 {
				t.Errorf("%d points, want %d, Stats = %+v", len(r.all), len(tt.want), s)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	token := map[string]string{"secret": "token"}
	for _, tt := range []struct {
		name     string
		path     string
		settings map[string]any
		want     string
	}{
		{"version 1", "", map[string]any{"db": "a b&c"}, "POST /write?db=a+b%26c&precision=ms "},
		{"policy and user", "/", map[string]any{"db": "d", "rp": "r", "user": "me", "password": token}, "POST /write?db=d&precision=ms&rp=r Basic bWU6b3Blbi1zZXNhbWU="},
		{"version 2", "/x/", map[string]any{"db": nil, "org": "o", "bucket": "b/1", "token": token}, "POST /x/api/v2/write?bucket=b%2F1&org=o&precision=ms Token open-sesame"},
		{"bearer", "?k=v", map[string]any{"bearer": token}, "POST /write?db=x&k=v&precision=ms Bearer open-sesame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, url := receive(t)
			deliver(t, open(t, url+tt.path, tt.settings), handlertest.Event("web1"), handlertest.Event("web2"))
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.reqs) == 0 || r.reqs[0] != tt.want {
				t.Errorf("requests %q, want %q", r.reqs, tt.want)
			}
		})
	}
}

// TestAnswers: what each answer means for the values.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		text   string
		want   check.OutputStats
	}{
		{"partial", 400, `{"error":"partial write: field type conflict: input field \"a\" dropped=1"}`, check.OutputStats{Sent: 6, Failed: 1}},
		{"partial, nobody knows how many", 400, `{"error":"partial write: unable to parse 'x' dropped=0"}`, check.OutputStats{Sent: 6, Failed: 1}},
		{"partial, too many", 422, `{"error":"partial write: dropped=1000000"}`, check.OutputStats{Failed: 7}},
		{"refused", 404, `{"error":"database not found"}`, check.OutputStats{Failed: 7}},
		{"busy", 503, ``, check.OutputStats{Sent: 7, Retries: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, url := receive(t)
			r.answer = func(calls int) (int, string) {
				if calls == 0 {
					return tt.status, tt.text
				}
				return 204, ""
			}
			h := open(t, url, nil)
			deliver(t, h, handlertest.Event("web1"))
			tt.want.Capacity = 100_000
			if s := h.Stats(); s != tt.want {
				t.Errorf("Stats = %+v, want %+v", s, tt.want)
			}
		})
	}
}

// TestName: what errors call the server is its URL.
func TestName(t *testing.T) {
	t.Parallel()
	h := open(t, "http://127.0.0.1:1?token=hidden", nil)
	if _, err := h.client.Do(t.Context(), post.Request{URL: h.url}); err == nil || !strings.HasPrefix(err.Error(), "POST http://127.0.0.1:1/write: ") {
		t.Errorf("Do = %v", err)
	}
}

func TestDead(t *testing.T) {
	t.Parallel()
	handlertest.Dead(t, open(t, "http://127.0.0.1:1/", map[string]any{"queue": 1000, "max_batch": 100}), handlertest.Values+1)
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	const ok = `"url":"http://h/","db":"d"`
	for settings, field := range map[string]string{
		`{"db":"d"}`: "url", `{"url":"http://h/"}`: "db", `{` + ok + `,"bucket":"b"}`: "db", `{` + ok + `,"org":"b"}`: "db",
		`{"url":"http://h/","bucket":"b"}`: "org", `{"url":"http://h/","bucket":"b","org":"o","rp":"r"}`: "rp",
		`{` + ok + `,"token":{"secret":"t"},"bearer":{"secret":"t"}}`: "token", `{` + ok + `,"token":{"secret":"t"},"user":"u","password":{"secret":"t"}}`: "token",
		`{` + ok + `,"token":"plain"}`: "token", `{` + ok + `,"measurement":""}`: "measurement", `{` + ok + `,"measurement":"#x"}`: "measurement",
		`{` + ok + `,"measurement":"a\\b"}`: "measurement", `{` + ok + `,"measurement":"{metric}"}`: "measurement", `{` + ok + `,"tags":{"a b":"x"}}`: "tags",
		`{` + ok + `,"tags":{"time":"x"}}`: "tags", `{` + ok + `,"tags":{"a":""}}`: "tags", `{` + ok + `,"tags":{"a":"{"}}`: "tags",
		`{` + ok + `,"max_batch":0}`: "max_batch", `{` + ok + `,"queue":1}`: "queue", `{` + ok + `,"flush":"1h"}`: "flush", `{` + ok + `,"nope":1}`: "nope",
	} {
		_, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(json.RawMessage(settings))
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("settings %s = %v, want an error about %s", settings, err, field)
		}
	}
}

// FuzzLines: whatever things are called and targets say, a result has the
// points, tags and fields that it should have, and no others.
func FuzzLines(f *testing.F) {
	f.Add("web1", "site", "a,b=c d\\", "eth0", "x\" a=1 1\nhttp y=2 2", 1.5, int64(7))
	f.Add("\\", "_x\\ ", "\\", "\n", "\\", math.Inf(1), int64(-1))
	f.Fuzz(func(t *testing.T, id, label, value, item, text string, v float64, millis int64) {
		s := Defaults()
		s.URL, s.DB, s.Texts, s.Measurement = "http://h/", "d", true, "{labels.site}x{command}"
		h, err := New(tools.Tools{})(s)
		if err != nil {
			t.Fatal(err)
		}
		ev := &check.Event{Started: max(millis, 1), Check: check.EventCheck{ID: "i" + id, Zone: "z", Command: "c", Labels: map[string]string{label: value, "site": value}}}
		ev.Result = check.Result{Reason: "R" + text, Text: "T" + text, Metrics: []check.Metric{
			check.Gauge("g", v, ""), check.Gauge("h."+item, 1, ""), check.String("s", text), check.Counter("c", uint64(millis), 64, ""),
		}}
		e := &encoder{}
		e.start(h.(*Handler), ev)
		e.points()
		all, err := decode(string(e.out))
		if err != nil || len(all) < 1 || len(all) > 2 || strings.Count(string(e.out), "\n") != len(all) {
			t.Fatalf("%d points of %q, %v", len(all), e.out, err)
		}
		fields := []string{"c", "reason", "s", "state", "text"}
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			fields = append(fields, "g")
		}
		if item == "" {
			fields = append(fields, "h")
		}
		slices.Sort(fields)
		if got := slices.Sorted(maps.Keys(all[0].fields)); !slices.Equal(got, fields) {
			t.Fatalf("fields %q, want %q", got, fields)
		}
		if len(all) == 2 && (all[1].fields["h"] != "1" || len(all[1].fields) != 1 || all[1].tags["item"] == "") {
			t.Fatalf("item %v", all[1])
		}
		for _, p := range all {
			if n := len(p.tags); n < 3 || n > 6 || p.tags["zone"] != "z" || p.tags["command"] != "c" || !strings.HasPrefix(p.tags["check"], "i") || p.millis != ev.Started {
				t.Fatalf("point %v", p)
			}
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer s.Close()
	handlertest.Bench(b, open(b, s.URL, map[string]any{"queue": 1_000_000, "flush": "1s"}))
}
