package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// errDisobeyed is given for a handler that did not return when its context
// ended.
var errDisobeyed = errors.New("did not end when its time was over")

// handle passes an event through the handlers of its check: those that mutate
// in order, then all at once. What fails is counted and changes nothing for
// the others. It says whether the event was mutated, and gives a group that
// ends when the last handler that did not obey has returned, nil mostly.
func (w *Worker) handle(ctx context.Context, r *run, ev *check.Event) (mutated bool, left *sync.WaitGroup) {
	w.lacks(r)
	if len(r.spec.handlers) == 0 {
		return false, nil
	}
	late := &stragglers{}
	for _, h := range r.spec.handlers {
		if h.mutator != nil && h.Filter.wantsResult(ev, r.last) && w.mutate(ctx, h, ev, late) {
			mutated = true
		}
	}
	w.process(ctx, wanted(r.spec.handlers, ev, r.last), ev, late)
	return mutated, late.group
}

// stragglers collects the calls that did not return in time.
type stragglers struct{ group *sync.WaitGroup }

func (s *stragglers) add(done <-chan error) {
	if s.group == nil {
		s.group = &sync.WaitGroup{}
	}
	s.group.Go(func() { <-done }) //nolint:errcheck // it was told as late, which is worse than what comes of it
}

// mutate lets a mutator work on a copy of the event and takes over what it may
// change.
func (w *Worker) mutate(ctx context.Context, h *handler, ev *check.Event, late *stragglers) bool {
	copied := cloneEvent(ev)
	done := w.launch(ctx, h, ev.Check.ID, func(ctx context.Context) error { return h.mutator.Mutate(ctx, copied) })
	limit := time.NewTimer(h.Timeout + giveUpAfter)
	defer limit.Stop()
	select {
	case err := <-done:
		if err != nil {
			w.handlerFailed(h, ev, fmt.Errorf("mutate: %w", err))
			return false
		}
	case <-limit.C:
		late.add(done)
		w.handlerFailed(h, ev, fmt.Errorf("mutate: %w", errDisobeyed))
		return false
	}
	if copied.Result.State != ev.Result.State || copied.Result.Reason != ev.Result.Reason {
		w.handlerFailed(h, ev, errors.New("mutate: it may not change state or reason; they stay"))
	}
	ev.Result.Metrics, ev.Result.Text, ev.Check.Labels = copied.Result.Metrics, copied.Result.Text, copied.Check.Labels
	ev.Result.Clean()
	return true
}

// process calls all handlers at once and waits until each has ended or had its
// time.
func (w *Worker) process(ctx context.Context, handlers []*handler, ev *check.Event, late *stragglers) {
	began := time.Now()
	calls := make([]<-chan error, len(handlers))
	for i, h := range handlers {
		calls[i] = w.launch(ctx, h, ev.Check.ID, func(ctx context.Context) error { return h.Handler.Process(ctx, ev) })
	}
	limit := time.NewTimer(0)
	defer limit.Stop()
	for i, h := range handlers {
		// No less than a moment: who has ended long ago is heard first.
		limit.Reset(max(h.Timeout+giveUpAfter-time.Since(began), 10*time.Millisecond))
		select {
		case err := <-calls[i]:
			if err != nil {
				w.handlerFailed(h, ev, fmt.Errorf("process: %w", err))
			}
		case <-limit.C:
			late.add(calls[i])
			w.handlerFailed(h, ev, fmt.Errorf("process: %w", errDisobeyed))
		}
	}
}

// launch calls f in a goroutine, under the handler's timeout.
func (w *Worker) launch(ctx context.Context, h *handler, id string, f func(context.Context) error) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, h.Timeout)
		defer cancel()
		done <- guarded(w.log, func() error { return f(ctx) }, "check", id, "handler", h.Name)
	}()
	return done
}

func (w *Worker) handlerFailed(h *handler, ev *check.Event, err error) {
	w.cfg.Metrics.HandlerFailed(h.Name)
	if w.warned.allow("handler " + h.Name) {
		w.log.Warn("handler failed", "check", ev.Check.ID, "handler", h.Name, "err", err)
	}
	w.onError(ev.Check.ID, h.Name, err)
}

// cloneEvent copies an event with all that a mutator can reach.
func cloneEvent(ev *check.Event) *check.Event {
	c := *ev
	c.Result.Metrics = slices.Clone(ev.Result.Metrics)
	c.Check.Labels = maps.Clone(ev.Check.Labels)
	if c.Check.Labels == nil {
		c.Check.Labels = map[string]string{} // it may add one
	}
	c.Check.Handlers = slices.Clone(ev.Check.Handlers)
	c.Check.Meta, _ = cloneAny(ev.Check.Meta).(map[string]any)
	if ev.Incident != nil {
		incident := *ev.Incident
		c.Incident = &incident
	}
	return &c
}

// cloneAny copies a JSON value.
func cloneAny(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = cloneAny(e)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, e := range v {
			s[i] = cloneAny(e)
		}
		return s
	}
	return v
}
