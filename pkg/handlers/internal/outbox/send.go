package outbox

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// run sends until the Box is closed, and then what is left.
func (b *Box) run(ctx context.Context) {
	if b.cfg.End != nil {
		defer b.cfg.End()
	}
	tick := time.NewTicker(b.cfg.Flush)
	defer tick.Stop()
	for {
		select {
		case <-b.wake:
			b.sendPiles(ctx, math.MaxInt, true)
		case <-tick.C:
			b.sendPiles(ctx, b.waiting(), false)
		case <-b.stop:
			b.sendPiles(ctx, math.MaxInt, false)
			b.told.end()
			return
		}
	}
}

// sendPiles sends piles, at most n, and only full ones if that is wanted.
func (b *Box) sendPiles(ctx context.Context, n int, full bool) {
	for ; n > 0; n-- {
		p, ok := b.take(full)
		if !ok {
			return
		}
		b.deliver(ctx, Batch{text: p.text, marks: p.marks})
		b.giveBack(p)
	}
}

// deliver sends a batch until it is settled. Once the Box is closed there is one
// more try, and none for a target that did not answer.
func (b *Box) deliver(ctx context.Context, batch Batch) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		last := b.stopping()
		done, lost, err := b.try(ctx, batch)
		b.settle(batch.Slice(0, done), lost)
		b.told.settled(done, lost, err)
		if batch = batch.Slice(done, batch.Len()); batch.Len() == 0 {
			return
		}
		b.told.trouble(batch.Values(), err)
		if last || ctx.Err() != nil {
			b.settle(batch, batch.Values())
			b.told.left += batch.Values()
			return
		}
		if done > 0 {
			pause = minPause
		}
		b.wait(pauseFor(pause, err))
		b.countRetry()
	}
}

// try sends a batch once.
func (b *Box) try(ctx context.Context, batch Batch) (done, lost int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	done, lost, err = b.cfg.Send(ctx, batch)
	return min(max(done, 0), batch.Len()), lost, err
}

func (b *Box) stopping() bool {
	select {
	case <-b.stop:
		return true
	default:
		return false
	}
}

// wait ends after d, or when the Box is closed.
func (b *Box) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.stop:
	}
}

// pauseFor is half to all of pause, or what the target asked for, within bounds.
func pauseFor(pause time.Duration, err error) time.Duration {
	var asked *check.RetryAfterError
	if errors.As(err, &asked) {
		return min(max(asked.After, minPause), maxPause)
	}
	return pause/2 + rand.N(pause/2)
}

// teller logs trouble: its beginning, then once a minute, and its end.
type teller struct {
	log  *slog.Logger
	bad  bool
	next time.Time // when there may be another line
	left int       // values that were given up when the Box was closed
}

const tellEvery = time.Minute

// trouble tells of values that have to be sent again.
func (t *teller) trouble(values int, err error) {
	t.bad = true
	t.warn("output does not get through", "values", values, "err", err)
}

// settled tells of entries that got through; lost are the values that did not.
func (t *teller) settled(done, lost int, err error) {
	switch {
	case lost > 0:
		t.warn("output is refused", "values", lost, "err", err)
	case done > 0:
		if t.bad && t.log != nil {
			t.log.Info("output gets through again")
		}
		t.bad = false
	}
}

// end tells what was given up.
func (t *teller) end() {
	if t.left > 0 && t.log != nil {
		t.log.Warn("output given up at the stop", "values", t.left)
	}
}

func (t *teller) warn(msg string, args ...any) {
	now := time.Now()
	if t.log == nil || now.Before(t.next) {
		return
	}
	t.next = now.Add(tellEvery)
	t.log.Warn(msg, args...)
}
