package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// tracesOf is as much of a request to a collector as the test wants to know.
type tracesOf struct {
	ResourceSpans []struct {
		ScopeSpans []struct {
			Spans []struct {
				TraceID, Name, StartTimeUnixNano, EndTimeUnixNano string
				Attributes                                        []struct {
					Key   string
					Value struct{ StringValue string }
				}
			}
		}
	}
}

// TestTracesOfWorker: a collector gets what is not OK, when the worker stops at
// the latest; what is fine it gets when that was asked for.
func TestTracesOfWorker(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q := redisqueue.New(server.Client(t), "")
	var mu sync.Mutex // guards the rest
	checks, phases := map[string]int{}, map[string]int{}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got tracesOf
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.URL.Path != "/v1/traces" || len(got.ResourceSpans) != 1 {
			t.Errorf("request to %s: %v", r.URL.Path, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range got.ResourceSpans[0].ScopeSpans[0].Spans {
			if !strings.HasPrefix(s.Name, "check ") {
				phases[s.Name]++
			}
			for _, a := range s.Attributes {
				if a.Key == "redpoll.check" {
					checks[a.Value.StringValue+" "+s.Name]++
				}
			}
		}
	}))
	defer collector.Close()
	p := startWorker(t, "-redis", server.URL(), "-listen", "127.0.0.1:0", "-otlp", strings.Replace(collector.URL, "http://", "http://u:canary@", 1), "-trace-sample", "0")
	page := p.page()
	p.eventually(func() error { return has(page+"/readyz", 200, "ok") })
	put(t, q, `{"id":"none","command":"absent","every":"24h"}`)
	put(t, q, fmt.Sprintf(`{"id":"fine","command":"http","every":"24h","params":{"url":"%s/readyz"}}`, page))
	p.result(q, "none")
	if got := p.result(q, "fine"); got.Reason != "" {
		t.Errorf("fine: %+v, want OK", got)
	}
	p.eventually(func() error { return has(page+"/metrics", 200, `redpoll_traces_total{outcome="sent"} 1`) })
	p.eventually(func() error { return has(page+"/metrics", 200, `redpoll_check_phase_seconds_count{phase="commit"} 2`) })
	put(t, q, `{"id":"last","command":"absent","every":"24h"}`)
	p.result(q, "last")
	p.signals <- syscall.SIGTERM
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.out.String())
	}
	mu.Lock()
	defer mu.Unlock()
	if len(checks) != 2 || checks["none check absent"] != 1 || checks["last check absent"] != 1 || phases["run"] != 2 || phases["commit"] != 2 || len(phases) != 6 {
		t.Errorf("the collector has %v with %v", checks, phases)
	}
	if strings.Contains(p.out.String(), "canary") {
		t.Errorf("the log has the collector's password:\n%s", p.out.String())
	}
}
