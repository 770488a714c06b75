package cli

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// lines is a writer that hands on each line.
type lines struct {
	mu   sync.Mutex // guards rest
	rest string
	ch   chan string
}

// Write hands on the lines that are whole.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest += string(p)
	for {
		line, rest, ok := strings.Cut(l.rest, "\n")
		if !ok {
			return len(p), nil
		}
		l.ch <- line
		l.rest = rest
	}
}

// TestFollow adds results while they are followed, also in a zone that is new.
func TestFollow(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, client *redis.Client) {
		add := func(zone, id string, state check.State) {
			t.Helper()
			if err := client.HSetNX(t.Context(), "redpoll:zones", zone, "1 1").Err(); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(check.Event{Check: check.EventCheck{ID: id, Zone: zone}, Result: check.Result{State: state}})
			if err != nil {
				t.Fatal(err)
			}
			if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "redpoll:{" + zone + ":0}:results", Values: []any{"event", text}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		add("default", "old", check.StateOK)
		add("default", "first", check.StateCrit)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := &lines{ch: make(chan string, 100)}
		var errs strings.Builder
		ended := make(chan int, 1)
		go func() {
			ended <- Main(ctx, []string{"results", "-f", "-n", "1", "--redis", "redis://" + client.Options().Addr},
				Streams{Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: out, Stderr: &errs})
		}()
		expect := func(parts ...string) {
			t.Helper()
			line := <-out.ch
			for _, part := range parts {
				if !strings.Contains(line, part) {
					t.Errorf("line %q, want %q in it", line, part)
				}
			}
		}
		expect("CRIT", "first")
		add("default", "second", check.StateWarn)
		expect("WARN", "second")
		add("branch", "third", check.StateOK)
		expect("OK", "branch/third")
		cancel()
		if code := <-ended; code != ExitOK || errs.String() != "" {
			t.Errorf("results -f ended with %d, %s", code, errs.String())
		}
	})
}
