package worker

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// guarded calls f and turns a panic into an error, with its stack in the log.
func guarded(log *slog.Logger, f func() error, args ...any) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
			log.With(args...).Error("panic", "err", v, "stack", string(debug.Stack()))
		}
	}()
	return f()
}

// hook calls a hook that stands any panic.
func (w *Worker) hook(name string, f func()) {
	_ = guarded(w.log, func() error { f(); return nil }, "hook", name) // logged there
}

// panicked makes the error of a command that panicked.
func (w *Worker) panicked(v any, r *run) error {
	w.log.Error("panic", "check", r.lease.ID, "command", r.spec.check.Command, "err", v, "stack", string(debug.Stack()))
	return fmt.Errorf("panic: %v", v)
}

func (w *Worker) onError(id, handler string, err error) {
	if w.cfg.Hooks.OnError != nil {
		w.hook("OnError", func() { w.cfg.Hooks.OnError(id, handler, err) })
	}
}

func (w *Worker) onSlow(id string, kind Slow, by time.Duration) {
	if w.warned.allow(string(kind)) {
		w.log.Warn("slow run", "check", id, "kind", string(kind), "took", by.Round(time.Millisecond))
	}
	w.stats.slow(kind)
	if w.cfg.Hooks.OnSlow != nil {
		w.hook("OnSlow", func() { w.cfg.Hooks.OnSlow(id, kind, by) })
	}
}

// limiter lets one log line of each kind through a second: a thousand checks
// in the same trouble tell no more than one.
type limiter struct {
	mu   sync.Mutex // guards last
	last map[string]time.Time
}

func (l *limiter) allow(kind string) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.last[kind]; ok && now.Sub(at) < time.Second {
		return false
	}
	if l.last == nil {
		l.last = map[string]time.Time{}
	}
	l.last[kind] = now
	return true
}

// onceSet remembers texts, a bounded number of them.
type onceSet struct {
	mu   sync.Mutex // guards seen
	seen map[string]struct{}
}

// maxOnce bounds the memory of an onceSet; after that it starts anew.
const maxOnce = 10_000

// first says whether text is new.
func (s *onceSet) first(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.seen[text]; ok {
		return false
	}
	if s.seen == nil || len(s.seen) >= maxOnce {
		s.seen = map[string]struct{}{}
	}
	s.seen[text] = struct{}{}
	return true
}
