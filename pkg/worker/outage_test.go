package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// Behind an outage a worker asks for leases as one that cannot know whether the
// owners of others are lost, until all leases of before have run out.
func TestLeaseBehindOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		gone := q.canGo()
		w := start(t, q, func(c *Config) { c.Lease = 9 * time.Second })
		asked := func(id string) bool {
			t.Helper()
			q.mu.Lock()
			before := len(q.requests)
			q.mu.Unlock()
			q.put(id, specOf(id, "fine", ""))
			pass(100 * time.Millisecond)
			q.mu.Lock()
			defer q.mu.Unlock()
			if len(q.requests) != before+1 {
				t.Fatalf("%d requests for %s, want one", len(q.requests)-before, id)
			}
			return q.requests[before].Outage
		}
		if asked("before") {
			t.Error("an outage before there was one")
		}
		gone.Store(true)
		pass(time.Minute)
		gone.Store(false)
		pass(2 * longPause) // the loops are back
		for _, tt := range []struct {
			id   string
			wait time.Duration
			want bool
		}{{"soon", 0, true}, {"after a lease", 9 * time.Second, true}, {"after three", 18 * time.Second, false}} {
			pass(tt.wait)
			if got := asked(tt.id); got != tt.want {
				t.Errorf("%s: outage = %v, want %v", tt.id, got, tt.want)
			}
		}
		w.stop()
	})
}

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestOutOfReach(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		errAway: true, io.EOF: true, fmt.Errorf("read: %w", &net.OpError{Op: "read", Err: io.ErrUnexpectedEOF}): true,
		context.DeadlineExceeded: true, reply("LOADING Redis is loading the dataset in memory"): true,
		reply("READONLY You can't write against a read only replica."): true, reply("CLUSTERDOWN The cluster is down"): true,
		reply("MASTERDOWN Link with MASTER is down"): true,
		reply("WRONGTYPE Operation against a key"):   false, reply("NOPERM no permissions"): false, reply("ERR"): false,
		errors.New("unreadable answer"): false, context.Canceled: false,
	} {
		if got := outOfReach(err); got != want {
			t.Errorf("outOfReach(%v) = %v, want %v", err, got, want)
		}
	}
}
