package worker

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// removing answers each renewal with the news that the check was removed.
type removing struct{ *fake }

func (removing) Renew(_ context.Context, _ check.Lane, _ time.Duration, items []check.Holding) ([]check.Outcome, error) {
	out := make([]check.Outcome, len(items))
	for i := range out {
		out[i] = check.OutcomeRemoved
	}
	return out, nil
}

// A check that is removed while it runs is stopped and handed back. Nothing
// was lost: it counts as no stale run.
func TestRemovedWhileItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m := newFake(), newCounter()
		q.put("a", specOf("a", "s60", `,"timeout":"2m"`))
		var log strings.Builder
		w := start(t, q, func(c *Config) {
			c.Queue, c.Metrics, c.Logger = removing{q}, m, slog.New(slog.NewTextHandler(&log, nil))
		})
		pass(15 * time.Second)
		if _, busy, _ := w.Slots(); busy != 0 || len(q.released) != 1 || m.count(CountStale) != 0 {
			t.Errorf("%d busy, released %v, %d stale, want it handed back and nothing stale", busy, q.released, m.count(CountStale))
		}
		w.stop()
		if strings.Contains(log.String(), "WARN") {
			t.Errorf("log:\n%s", log.String())
		}
	})
}
