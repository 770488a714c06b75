package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
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

// TestOwnCommandAndHandler: a scheduler that never heard of file_age takes a
// check of it, since the worker announces the command; its handler gets the
// incident.
func TestOwnCommandAndHandler(t *testing.T) {
	t.Parallel()
	client := redistest.Mini(t)
	queue := redisqueue.New(client, "")
	ctx, cancel := context.WithCancel(t.Context())
	var out, log lines
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := scheduler.New(queue, scheduler.Config{Commands: commands.Builtin()}).Run(ctx); err != nil {
			t.Errorf("scheduler: %v", err)
		}
	})
	wg.Go(func() {
		if err := run(ctx, "redis://"+client.Options().Addr, "mine", "files", &out, &log); err != nil {
			t.Errorf("run() = %v", err)
		}
	})
	defer wg.Wait()
	defer cancel()

	eventually(t, &log, func() bool {
		all, err := queue.Workers(ctx)
		return err == nil && len(all) == 1
	})
	missing := filepath.Join(t.TempDir(), "no-such-backup")
	if _, err := queue.Request(ctx, []string{"zone", "files", "id", "backup", "command", "file_age", "every", "1h", "params.path", missing}); err != nil {
		t.Fatal(err)
	}
	eventually(t, &log, func() bool {
		return strings.HasPrefix(out.String(), "open files/backup/") && strings.Contains(out.String(), ": CRIT FILE_MISSING ")
	})
}

func eventually(t *testing.T, log fmt.Stringer, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain; the worker's log:\n%s", log)
		}
	}
}

func TestFileAge(t *testing.T) {
	t.Parallel()
	factory := check.Typed(fileAgeDefaults, newFileAge)
	for _, tt := range []struct {
		name, params string
		want         check.State
		reason       string
	}{
		{"young enough", `{"path":"main.go","age_crit":"876000h"}`, check.StateOK, ""},
		{"too old", `{"path":"main.go","age_warn":"1ns","age_crit":"876000h"}`, check.StateWarn, "FILE_TOO_OLD"},
		{"much too old", `{"path":"main.go","age_warn":"1ns","age_crit":"2ns"}`, check.StateCrit, "FILE_TOO_OLD"},
		{"not there", `{"path":"no-such-file"}`, check.StateCrit, "FILE_MISSING"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd, err := factory([]byte(tt.params))
			if err != nil {
				t.Fatal(err)
			}
			res, err := cmd.Run(t.Context(), check.Run{})
			if err != nil || res.State != tt.want || res.Reason != tt.reason {
				t.Errorf("Run(%s) = %s %s, %v, want %s %s", tt.params, res.State, res.Reason, err, tt.want, tt.reason)
			}
		})
	}
}

// TestBadParams: what is wrong with params is told before anything runs.
func TestBadParams(t *testing.T) {
	t.Parallel()
	factory := check.Typed(fileAgeDefaults, newFileAge)
	for params, want := range map[string]string{`{}`: "path: is missing", `{"path":"x","age":"1h"}`: "unknown field age"} {
		if _, err := factory([]byte(params)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("factory(%s) = %v, want an error with %q", params, err, want)
		}
	}
}
