package daemon

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Health knows whether a daemon's loop turns (/healthz) and whether it can do
// its work (/readyz). Redis being away makes a daemon unready, never
// unhealthy: a restart would not help.
type Health struct {
	maxAge  time.Duration
	ready   func(ctx context.Context) error
	start   time.Time
	beat    atomic.Int64 // since start, ns
	stopped atomic.Bool
}

// readyTimeout bounds one readiness question; kubelet's own default is 1 s.
const readyTimeout = 900 * time.Millisecond

// NewHealth makes a Health: the loop is alive while Beat is called at least
// every maxAge, and ready is asked at each /readyz.
func NewHealth(maxAge time.Duration, ready func(ctx context.Context) error) *Health {
	return &Health{maxAge: maxAge, ready: ready, start: time.Now()}
}

// Beat says that the loop turns.
func (h *Health) Beat() { h.beat.Store(int64(time.Since(h.start))) }

// Alive gives an error when the loop has not turned for too long.
func (h *Health) Alive() error {
	if age := time.Since(h.start) - time.Duration(h.beat.Load()); age > h.maxAge {
		return fmt.Errorf("the loop stands still for %s", age.Round(time.Second))
	}
	return nil
}

// Ready gives an error when the daemon cannot do its work now.
func (h *Health) Ready(ctx context.Context) error {
	if h.stopped.Load() {
		return errStopping
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return h.ready(ctx)
}

func (h *Health) healthz(w http.ResponseWriter, _ *http.Request) { answer(w, h.Alive()) }

func (h *Health) readyz(w http.ResponseWriter, r *http.Request) { answer(w, h.Ready(r.Context())) }

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}
