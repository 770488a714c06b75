package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// crewed is a queue that tells who is there.
type crewed struct {
	*fake
	beats []check.Heartbeat
	err   error
}

func (c *crewed) Workers(context.Context) ([]check.Heartbeat, error) { return c.beats, c.err }

// An event for a handler that is not here is missed unless a live worker of the
// zone delivers to it.
func TestHandlersElsewhere(t *testing.T) {
	t.Parallel()
	beat := func(name, zone, handler string, age time.Duration) check.Heartbeat {
		return check.Heartbeat{Name: name, Zones: []string{zone}, Handlers: []string{"pager", "graphs"}, Delivers: []string{handler},
			Every: 3000, At: time.Now().Add(-age).UnixMilli()}
	}
	for _, tt := range []struct {
		name  string
		beats func() []check.Heartbeat
		err   error
		want  int
	}{
		{"nobody", func() []check.Heartbeat { return nil }, nil, 2},
		{"heartbeats cannot be read", func() []check.Heartbeat { return nil }, errors.New("away"), 2},
		{"another one delivers", func() []check.Heartbeat { return []check.Heartbeat{beat("w2", "default", "pager", 0)} }, nil, 1},
		{"in another zone", func() []check.Heartbeat { return []check.Heartbeat{beat("w2", "fra", "pager", 0)} }, nil, 2},
		{"that one is dead", func() []check.Heartbeat {
			return []check.Heartbeat{beat("w2", "default", "pager", time.Minute), beat("w3", "default", "other", 0)}
		}, nil, 2},
		{"that one is dead, and nobody else is there", func() []check.Heartbeat {
			return []check.Heartbeat{beat("w2", "default", "pager", time.Minute)}
		}, nil, 2},
		{"that one is dead, and the clock went back", func() []check.Heartbeat {
			return []check.Heartbeat{beat("w2", "default", "pager", -time.Minute), beat("w3", "default", "other", 0)}
		}, nil, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, m := &crewed{fake: newFake(), beats: tt.beats(), err: tt.err}, newCounter()
				q.put("a", specOf("a", "fine", `,"handlers":["pager","graphs"]`))
				w := start(t, q.fake, func(c *Config) { c.Queue, c.Metrics = q, m })
				pass(8 * time.Second)
				w.stop()
				// graphs is inline everywhere: what another worker has of it is of no use.
				if got := m.count(CountNoHandler); got != tt.want {
					t.Errorf("%d events were missed, want %d", got, tt.want)
				}
			})
		})
	}
}

// Behind an outage of the queue the heartbeats are old: who delivers is known
// when the others have beaten again.
func TestHandlersElsewhereBehindOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// It beats again 75 s from now, which nobody can see 9 s before.
		beat := check.Heartbeat{Name: "w2", Zones: []string{"default"}, Delivers: []string{"pager"}, Every: 3000, At: time.Now().Add(75 * time.Second).UnixMilli()}
		q, m := &crewed{fake: newFake(), beats: []check.Heartbeat{beat}}, newCounter()
		gone := q.canGo()
		w := start(t, q.fake, func(c *Config) { c.Queue, c.Metrics = q, m })
		gone.Store(true)
		pass(time.Minute)
		gone.Store(false)
		q.put("a", specOf("a", "fine", `,"handlers":["pager","graphs"]`))
		pass(5 * time.Second)
		if got := m.count(CountNoHandler); got != 0 {
			t.Errorf("%d events were missed, and nobody can know", got)
		}
		pass(13 * time.Second)
		w.stop()
		if got := m.count(CountNoHandler); got != 1 {
			t.Errorf("%d events were missed, want that for graphs", got)
		}
	})
}
