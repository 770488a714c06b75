package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// TestOutputs: the page shows how full a handler's buffer is and what became of
// its values.
func TestOutputs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q := redisqueue.New(server.Client(t), "")
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	handlers := filepath.Join(t.TempDir(), "handlers.yaml")
	text := fmt.Sprintf("- {name: out, type: statsd, addr: %q, default: true, state: true, flush: 5ms}\n- {name: journal, type: log}\n", sink.LocalAddr())
	if err := os.WriteFile(handlers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startWorker(t, "-redis", server.URL(), "-listen", "127.0.0.1:0", "-handlers", handlers)
	page := p.page()
	put(t, q, `{"id":"none","command":"absent","every":"1m"}`)
	p.result(q, "none")
	for _, want := range []string{
		`redpoll_handler_sent_total{handler="out"} 1`, `redpoll_handler_queue_entries{handler="out"} 0`,
		`redpoll_handler_queue_capacity{handler="out"} 10000`, `redpoll_handler_dropped_total{handler="out"} 0`,
		`redpoll_handler_failed_total{handler="out"} 0`, `redpoll_handler_retries_total{handler="out"} 0`,
	} {
		p.eventually(func() error { return has(page+"/metrics", 200, want) })
	}
	p.signals <- syscall.SIGTERM
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.out.String())
	}
}
