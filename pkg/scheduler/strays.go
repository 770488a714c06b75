package scheduler

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// strayGrace is how long an id may be without a spec after it was due:
	// somebody may be typing the second line.
	strayGrace = time.Minute
	// maxStrays bounds the memory; more are counted and not reported.
	maxStrays = 10_000
	strayLook = 5 * time.Second
)

// strays are ids that were due and have no spec. The zero value is ready.
type strays struct {
	mu   sync.Mutex
	seen map[stray]time.Time // guarded by mu; when it was first due
}

type stray struct {
	lane check.Lane
	id   string
}

func (st *strays) add(lane check.Lane, ids []string, now time.Time) {
	if len(ids) == 0 {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.seen == nil {
		st.seen = map[stray]time.Time{}
	}
	for _, id := range ids {
		k := stray{lane, strings.Clone(clean(id, maxWord))}
		if _, ok := st.seen[k]; !ok && len(st.seen) < maxStrays {
			st.seen[k] = now
		}
	}
}

// ripe gives those whose grace is over, by lane.
func (st *strays) ripe(now time.Time) map[check.Lane][]string {
	st.mu.Lock()
	defer st.mu.Unlock()
	var out map[check.Lane][]string
	for k, at := range st.seen {
		if now.Sub(at) < strayGrace {
			continue
		}
		if out == nil {
			out = map[check.Lane][]string{}
		}
		out[k.lane] = append(out[k.lane], k.id)
	}
	return out
}

func (st *strays) drop(lane check.Lane, ids []string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, id := range ids {
		delete(st.seen, stray{lane, id})
	}
}

// reportStrays writes a verdict on each id that is still without a spec a
// minute after it was due.
func (s *Scheduler) reportStrays(ctx, work context.Context) {
	t := s.trouble("strays")
	for pause(ctx, jitter(strayLook)) {
		var err error
		for lane, ids := range s.strays.ripe(time.Now()) {
			if err = s.reportLane(work, lane, ids); err != nil {
				break
			}
		}
		if err != nil {
			t.failed(ctx, err)
			continue
		}
		t.passed(ctx)
	}
}

func (s *Scheduler) reportLane(ctx context.Context, lane check.Lane, ids []string) error {
	for len(ids) > 0 {
		page := ids[:min(len(ids), s.cfg.Batch)]
		ids = ids[len(page):]
		stored, err := s.q.Specs(ctx, lane, page)
		if err != nil {
			return err
		}
		var verdicts []check.Verdict
		for i, id := range page {
			if i < len(stored) && stored[i].Spec != "" {
				continue
			}
			verdicts = append(verdicts, check.Verdict{
				Zone: lane.Zone, ID: id, Op: "due", Verdict: check.VerdictRejected,
				Reason: "it was due and has no spec in " + lane.String() + ": add the check, or put its spec into `specs`",
			})
		}
		if err := s.conclude(ctx, verdicts); err != nil {
			return err
		}
		s.strays.drop(lane, page)
	}
	return nil
}
