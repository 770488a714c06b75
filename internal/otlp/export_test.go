package otlp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event makes a run of a check.
func event(id string) *check.Event {
	return &check.Event{
		Result:  check.Result{State: check.StateCrit, Reason: "DOWN", Text: "canary-text"},
		Planned: 1000, Started: 1300, Finished: 2300, Worker: "w1", Change: check.ChangeOpen,
		Check: check.EventCheck{ID: id, Zone: "default", Command: "http", Labels: map[string]string{"site": "fra"}},
		Trace: &check.Trace{Queued: 1100, Leased: 1200, Handled: 2400, Crashes: 1},
	}
}

// collector is a round tripper that answers as it is told.
type collector struct {
	mu     sync.Mutex // guards the rest
	answer func(n int) (*http.Response, error)
	calls  []time.Time
	bodies []string
	heads  []http.Header
	urls   []string
}

func (c *collector) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls, c.bodies = append(c.calls, time.Now()), append(c.bodies, string(body))
	c.heads, c.urls = append(c.heads, req.Header), append(c.urls, req.URL.String())
	if err != nil || c.answer == nil {
		return reply(200, ""), err
	}
	return c.answer(len(c.calls))
}

func reply(code int, body string, header ...string) *http.Response {
	r := &http.Response{StatusCode: code, Status: fmt.Sprint(code), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// run starts an exporter, in the test's bubble.
func run(t *testing.T, c *collector) (e *Exporter, log *strings.Builder, stop func()) {
	t.Helper()
	log = &strings.Builder{}
	e, err := New(Config{URL: "http://user:canary@collector:4318", Worker: "w1", Version: "v1", Log: slog.New(slog.NewTextHandler(log, nil)), Transport: c})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(done)
	}()
	return e, log, func() { cancel(); <-done }
}

func (e *Exporter) expect(t *testing.T, sent, dropped int64) {
	t.Helper()
	if s, d := e.Counts(); s != sent || d != dropped {
		t.Errorf("sent %d, dropped %d; want %d and %d", s, d, sent, dropped)
	}
}

// TestRequest: what a collector gets, as the specification wants it.
func TestRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		e, _, stop := run(t, c)
		e.Trace(event("web1"), 2500)
		e.Trace(event("web2"), 2500)
		<-time.After(3 * time.Second)
		stop()
		e.expect(t, 2, 0)
		if len(c.bodies) != 1 {
			t.Fatalf("%d requests, want one for both", len(c.bodies))
		}
		h := c.heads[0]
		if c.urls[0] != "http://collector:4318/v1/traces" || h.Get("Content-Type") != "application/json" || h.Get("Authorization") == "" {
			t.Errorf("request to %s with %v", c.urls[0], h)
		}
		var r request
		if err := json.Unmarshal([]byte(c.bodies[0]), &r); err != nil {
			t.Fatal(err)
		}
		spans := r.ResourceSpans[0].ScopeSpans[0].Spans
		if len(spans) != 14 || strings.Contains(c.bodies[0], "canary") {
			t.Fatalf("%d spans, want 7 of each run, without texts: %s", len(spans), c.bodies[0])
		}
		whole := spans[0]
		want := event("web1").TraceID()
		if whole.TraceID != fmt.Sprintf("%x", want) || len(whole.SpanID) != 16 || whole.ParentID != "" || whole.Name != "check http" ||
			whole.Start != "1000000000" || whole.End != "2500000000" || whole.Status != (status{2, "DOWN"}) || whole.Kind != 1 {
			t.Errorf("span of the run = %+v", whole)
		}
		for _, part := range []string{
			`{"key":"redpoll.check","value":{"stringValue":"web1"}}`, `{"key":"redpoll.late_ms","value":{"intValue":"300"}}`,
			`{"key":"redpoll.label.site","value":{"stringValue":"fra"}}`, `{"key":"redpoll.crashes","value":{"intValue":"1"}}`,
			`{"key":"service.name","value":{"stringValue":"redpoll-worker"}}`, `{"key":"service.instance.id","value":{"stringValue":"w1"}}`,
		} {
			if !strings.Contains(c.bodies[0], part) {
				t.Errorf("the request lacks %s:\n%s", part, c.bodies[0])
			}
		}
		at := "1000000000"
		for i, name := range []string{"dispatch", "queue", "start", "run", "handlers", "commit"} {
			s := spans[i+1]
			if s.Name != name || s.ParentID != whole.SpanID || s.TraceID != whole.TraceID || s.Start != at || s.SpanID == whole.SpanID {
				t.Errorf("span %d = %+v, want %s from %s on", i+1, s, name, at)
			}
			at = s.End
		}
	})
}

// TestAway: while the collector is away it is asked again, with pauses; then
// old traces go, and new ones are sent.
func TestAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := true
		c := &collector{answer: func(int) (*http.Response, error) {
			if away {
				return nil, errors.New("connection refused")
			}
			return reply(200, ""), nil
		}}
		e, log, stop := run(t, c)
		e.Trace(event("a"), 2500)
		<-time.After(2 * time.Minute)
		e.expect(t, 0, 1)
		if n := len(c.calls); n < 3 || n > 10 {
			t.Errorf("%d tries within a minute, want some", n)
		}
		away = false
		e.Trace(event("b"), 2500)
		<-time.After(5 * time.Second)
		e.expect(t, 1, 1)
		stop()
		if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "sent again") || strings.Contains(log.String(), "canary") {
			t.Errorf("log: %s\nwant one warning, the good news, no password", log)
		}
	})
}

// TestAnswers: which refusals are tried again, and when.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		first   *http.Response
		calls   int
		sent    int64
		atLeast time.Duration // between the first two
	}{
		{"busy", reply(503, ""), 2, 1, 0},
		{"busy for a while", reply(429, "", "Retry-After", "20"), 2, 1, 15 * time.Second},
		{"busy for an hour", reply(503, "", "Retry-After", "3600"), 1, 0, 0},
		{"refused", reply(400, "bad"), 1, 0, 0},
		{"not there", reply(404, ""), 1, 0, 0},
		{"moved", reply(307, "", "Location", "http://other/"), 1, 0, 0},
		{"spans refused", reply(200, `{"partialSuccess":{"rejectedSpans":"7","errorMessage":"no"}}`), 1, 0, 0},
		{"all well", reply(200, `{"partialSuccess":{}}`), 1, 1, 0},
		{"junk", reply(202, `<html>`), 1, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &collector{answer: func(n int) (*http.Response, error) {
					if n == 1 {
						return tt.first, nil
					}
					return reply(200, ""), nil
				}}
				e, _, stop := run(t, c)
				e.Trace(event("a"), 2500)
				<-time.After(90 * time.Second)
				stop()
				e.expect(t, tt.sent, 1-tt.sent)
				if len(c.calls) != tt.calls || tt.calls == 2 && c.calls[1].Sub(c.calls[0]) < tt.atLeast {
					t.Errorf("calls at %v, want %d, at least %s apart", c.calls, tt.calls, tt.atLeast)
				}
			})
		})
	}
}

// TestFull: what does not fit is dropped at once, and requests keep a pace.
func TestFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		e, _, stop := run(t, c)
		synctest.Wait()
		for range maxQueued + 1000 { // the sender stands still meanwhile, or not
			e.Trace(event("a"), 2500)
		}
		<-time.After(10 * time.Second)
		stop()
		sent, dropped := e.Counts()
		if sent+dropped != maxQueued+1000 || sent < maxQueued {
			t.Errorf("sent %d, dropped %d of %d", sent, dropped, maxQueued+1000)
		}
		for i := range len(c.calls) - 1 {
			if apart := c.calls[i+1].Sub(c.calls[i]); apart < pace {
				t.Errorf("requests %s apart, want %s", apart, pace)
			}
		}
	})
}

// TestStop: what is left is sent at the end, for a moment.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := &collector{answer: func(int) (*http.Response, error) {
				if away {
					return nil, errors.New("connection refused")
				}
				return reply(200, ""), nil
			}}
			e, _, stop := run(t, c)
			for range 300 {
				e.Trace(event("a"), 2500)
			}
			began := time.Now()
			stop()
			if took := time.Since(began); took > endTime {
				t.Errorf("the end took %s", took)
			}
			e.expect(t, map[bool]int64{false: 300}[away], map[bool]int64{true: 300}[away])
		})
	}
}

// TestOverTheWire: the same with a server, one that hangs at the end.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "hangs") {
			<-hang
		}
		got <- r.URL.Path + " " + string(body)
	}))
	defer s.Close()
	defer close(hang)
	e, err := New(Config{URL: s.URL + "/base/", Worker: "w1", Version: "v1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(done)
	}()
	e.Trace(event("web1"), 2500)
	if text := <-got; !strings.HasPrefix(text, "/base/v1/traces {") || !strings.Contains(text, `"web1"`) {
		t.Errorf("the collector got %s", text)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := int64(0); sent == 0; sent, _ = e.Counts() {
		<-tick.C
	}
	e.Trace(event("hangs"), 2500)
	cancel()
	<-done
	e.expect(t, 1, 1)
	e.client.CloseIdleConnections()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://collector": true, "http://u:p@c:4318/otlp": true,
		"127.0.0.1:4318": false, "grpc://c:4317": false, "http://": false, "http://c/?x=1": false, "": false, "http://c:4318/#x": false,
	} {
		if err := Check(address); (err == nil) != ok {
			t.Errorf("Check(%q) = %v, want it to pass: %v", address, err, ok)
		}
	}
}

// TestBounds: what a check's author writes stays within bounds.
func TestBounds(t *testing.T) {
	t.Parallel()
	ev := event("a")
	ev.Check.Labels = map[string]string{}
	for i := range 100 {
		ev.Check.Labels[fmt.Sprint("label", i)] = strings.Repeat("é", 1000)
	}
	body, err := encode(nil, "v1", []item{{ev, 2500}})
	if err != nil || len(body) > 16_000 || strings.Count(string(body), "redpoll.label.") != maxLabels || strings.Contains(string(body), `\ufffd`) {
		t.Errorf("encode() = %d bytes, %v", len(body), err)
	}
}
