package worker

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// outcome is what a handler of the stream gave.
type outcome struct {
	ref string
	err error
}

// deliver hands a change to a handler of the stream.
func (h *handler) deliver(ctx context.Context, d check.Delivery) (string, error) {
	if to, ok := h.Handler.(check.Deliverer); ok {
		return to.Deliver(ctx, d)
	}
	return "", h.Handler.Process(ctx, d.Event)
}

// call calls f under the handler's timeout. A call that does not end when its
// time is over is left behind: left gives something when it has ended, and is
// nil mostly.
func (h *handler) call(p phases, w *Worker, id string, f func(context.Context) (string, error)) (got outcome, left <-chan outcome) {
	done := make(chan outcome, 1)
	go func() {
		ctx, cancel := context.WithTimeout(p.work, h.Timeout)
		defer cancel()
		var o outcome
		o.err = guarded(w.log, func() (err error) {
			o.ref, err = f(ctx)
			return err
		}, "check", id, "handler", h.Name)
		done <- o
	}()
	limit := time.NewTimer(h.Timeout + giveUpAfter)
	defer limit.Stop()
	cut := p.work.Done()
	for {
		select {
		case o := <-done:
			return o, nil
		case <-cut:
			cut = nil
			limit.Reset(giveUpAfter)
		case <-limit.C:
			return outcome{err: errDisobeyed}, done
		}
	}
}
