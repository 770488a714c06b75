package scheduler

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// jitter gives d less up to a quarter, at random: schedulers that were started
// together drift apart.
func jitter(d time.Duration) time.Duration {
	if d < 4 {
		return d
	}
	return d - rand.N(d/4)
}

// The pauses of a loop after failures: doubled each time, with jitter.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	// repeatLog is how often a failure that stays is logged again.
	repeatLog = time.Minute
)

// Loops gives the names that Hooks.Failed is called with.
func Loops() []string {
	return []string{"dispatch", "gauges", "intake", "lanes", "moves", "repair", "strays"}
}

// trouble turns the failures of one loop into pauses that grow and into few
// log lines. One goroutine owns it.
type trouble struct {
	s      *Scheduler
	loop   string
	log    *slog.Logger
	fails  int
	text   string    // of the latest failure that was logged
	logged time.Time // when
}

func (s *Scheduler) trouble(loop string, args ...any) *trouble {
	return &trouble{s: s, loop: loop, log: s.log.With(append([]any{"loop", loop}, args...)...)}
}

// failed notes a failure and waits; false when ctx ended first.
func (t *trouble) failed(ctx context.Context, err error) bool {
	return pause(ctx, t.note(ctx, err))
}

// note notes a failure and gives the pause that should follow.
func (t *trouble) note(ctx context.Context, err error) time.Duration {
	t.s.hooks.Failed(t.loop)
	t.s.hooks.Turn()
	t.fails++
	if text := err.Error(); ctx.Err() == nil && (text != t.text || time.Since(t.logged) >= repeatLog) {
		t.log.ErrorContext(ctx, "loop failed", "err", err, "fails", t.fails)
		t.text, t.logged = text, time.Now()
	}
	return jitter(min(firstPause<<min(t.fails-1, 10), longPause))
}

// passed notes that the loop works.
func (t *trouble) passed(ctx context.Context) {
	t.s.hooks.Turn()
	if t.fails > 0 {
		t.log.InfoContext(ctx, "loop works again", "fails", t.fails)
		t.fails, t.text = 0, ""
	}
}
