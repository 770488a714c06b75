package daemon

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// The pauses of Await.
const (
	awaitFirst = 100 * time.Millisecond
	awaitLong  = 3 * time.Second
)

// Await calls try until it works: a daemon that starts before its Redis waits
// for it. It gives an error when try says that waiting is of no use, and nil
// when try worked or ctx ended.
func Await(ctx context.Context, log *slog.Logger, h *Health, try func(ctx context.Context) (final bool, err error)) error {
	last := ""
	for wait := awaitFirst; ; wait = min(2*wait, awaitLong) {
		h.Beat()
		final, err := try(ctx)
		if err == nil {
			return nil
		}
		if err = explained(err); final {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if text := err.Error(); text != last {
			last = text
			log.ErrorContext(ctx, "waiting for redis", "err", err)
		}
		t := time.NewTimer(wait - rand.N(wait/4))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}
