package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/scheduler"
)

// lines lets a test wait for what is written.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestOutage: a check goes down; the change reaches the server although the
// first attempts fail, and again when the check is gone.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.fail[0] = "" // hangs up
	client := redistest.Mini(t)
	queue := redisqueue.New(client, "")
	ctx, cancel := context.WithCancel(t.Context())
	var log lines
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := scheduler.New(queue, scheduler.Config{Commands: commands.Builtin()}).Run(ctx); err != nil {
			t.Errorf("scheduler: %v", err)
		}
	})
	wg.Go(func() {
		if err := run(ctx, "redis://"+client.Options().Addr, "mine", publisherTo(t, s.addr), &log); err != nil {
			t.Errorf("run() = %v", err)
		}
	})
	defer wg.Wait()
	defer cancel()

	eventually(t, &log, func() bool { return strings.Contains(log.String(), `msg="delivery begins"`) })
	if _, err := queue.Request(ctx, []string{"id", "down", "command", "tcp", "every", "1h", "params.host", "127.0.0.1", "params.port", "1"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, &log, func() bool { got, _ := s.all(); return len(got) == 2 })
	if _, err := queue.Request(ctx, []string{"op", "delete", "id", "down"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, &log, func() bool { got, _ := s.all(); return len(got) == 3 })
	got, _ := s.all()
	if got[0] != got[1] || got[1].subject != "redpoll.default.open" || got[2].subject != "redpoll.default.resolve" ||
		!strings.Contains(got[1].body, `"reason":"UNREACHABLE"`) || !strings.Contains(got[2].body, `"reason":"CHECK_REMOVED"`) {
		t.Errorf("published %q", got)
	}
}

func eventually(t *testing.T, log fmt.Stringer, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain; the worker's log:\n%s", log)
		}
	}
}
