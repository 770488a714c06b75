package worker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// The pauses after failures of the queue: doubled each time, with jitter, so
// that a fleet does not come back all at once.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 3 * time.Second
	// repeatLog is how often a failure that stays is logged again.
	repeatLog = time.Minute
)

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}

// jitter gives d less up to three tenths, at random.
func jitter(d time.Duration) time.Duration {
	return d - rand.N(d*3/10+1)
}

// trouble turns the failures of the queue into pauses and few log lines.
type trouble struct {
	log *slog.Logger
	mu  sync.Mutex // guards the rest
	bad map[string]*failure
	// cut is when a lane, or the heartbeats, could not be reached the last time.
	cut map[string]time.Time
}

type failure struct {
	since, logged time.Time
	text          string
}

// failed notes that what went wrong for the given time in a row, and waits;
// false when ctx ended first.
func (t *trouble) failed(ctx context.Context, what string, err error, attempt int) bool {
	return t.failedFor(ctx, what, err, attempt, longPause)
}

// failedFor is failed with a longest pause of its own.
func (t *trouble) failedFor(ctx context.Context, what string, err error, attempt int, longest time.Duration) bool {
	t.note(what, err)
	return pause(ctx, jitter(min(firstPause<<min(attempt-1, 10), longest)))
}

// refused says whether a key of the lane has become something else, by the
// queue's answer, and waits then: trying again and again is of no use, and what
// waits for this lane must not hold up the others.
func (t *trouble) refused(ctx context.Context, what string, lane check.Lane, err error, wait time.Duration) bool {
	if replyCode(err) != "WRONGTYPE" {
		return false
	}
	t.note(inLane(what, lane), err)
	pause(ctx, wait)
	return true
}

func inLane(what string, lane check.Lane) string { return what + " in lane " + lane.String() }

// passedIn notes that what works, in this lane and altogether.
func (t *trouble) passedIn(what string, lane check.Lane) {
	t.mu.Lock()
	quiet := len(t.bad) == 0 // as nearly always: no text is made then
	t.mu.Unlock()
	if !quiet {
		t.passed(inLane(what, lane))
		t.passed(what)
	}
}

// replyCode gives the first word of an error that the queue itself answered,
// empty for any other.
func replyCode(err error) string {
	var answer interface {
		error
		RedisError()
	}
	if !errors.As(err, &answer) {
		return ""
	}
	code, _, _ := strings.Cut(answer.Error(), " ")
	return code
}

// heartbeats is the place of what the workers tell of themselves; others are
// lanes.
const heartbeats = "heartbeats"

// missed notes that a place could not be reached. A key of the wrong type is no
// outage: it stays so, and what else is there goes on.
func (t *trouble) missed(place string, err error) {
	if replyCode(err) == "WRONGTYPE" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut == nil {
		t.cut = map[string]time.Time{}
	}
	t.cut[place] = time.Now()
}

// lately says whether a place could not be reached within the given time.
func (t *trouble) lately(place string, d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.cut[place]
	return ok && time.Since(at) < d
}

// note logs a failure unless it did so lately.
func (t *trouble) note(what string, err error) {
	now, text := time.Now(), err.Error()
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.bad[what]
	if f == nil {
		if t.bad == nil {
			t.bad = map[string]*failure{}
		}
		f = &failure{since: now}
		t.bad[what] = f
	}
	if f.text != text || now.Sub(f.logged) >= repeatLog {
		f.text, f.logged = text, now
		t.log.Error("queue does not answer", "move", what, "err", err, "for", now.Sub(f.since).Round(time.Second))
	}
}

// passed notes that what works.
func (t *trouble) passed(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.bad[what]; f != nil {
		delete(t.bad, what)
		t.log.Info("queue answers again", "move", what, "after", time.Since(f.since).Round(time.Millisecond))
	}
}
