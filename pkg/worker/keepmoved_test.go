package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// moving is a seat at a queue whose check "gone" has arrived elsewhere.
type moving struct {
	*seat
	fails atomic.Bool
}

func (m *moving) Elsewhere(_ context.Context, _ check.Lane, ids []string) ([]bool, error) {
	if m.fails.Load() {
		return nil, errors.New("connection refused")
	}
	out := make([]bool, len(ids))
	for i, id := range ids {
		out[i] = id == "gone"
	}
	return out, nil
}

// What a lane still holds of a check that goes on in another one is shown to
// nobody: there the incident may be resolved.
func TestKeepLeavesMovedChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		for _, id := range []string{"gone", "here"} {
			o.incident(lane, id, 1).post(check.ChangeOpen, check.StateCrit)
		}
		q := &moving{seat: o.seat()}
		w := start(t, q.fake, func(c *Config) { c.Queue, c.Handlers = q, []HandlerInstance{g.keeper("w1", nil)} })
		pass(29 * time.Second)
		q.fails.Store(true)
		pass(30 * time.Second)
		q.fails.Store(false)
		pass(30 * time.Second)
		if got := g.rounds(); len(got) != 2 || got[0] != "here" || got[1] != "here" {
			t.Errorf("rounds = %q, want two of the check that is here, and none while nothing is known", got)
		}
		w.stop()
	})
}
