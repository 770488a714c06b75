package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/worker"
)

// observeSettings are those of traces and of limits.
type observeSettings struct {
	sample               *float64
	perTarget, slowSlots *int
}

func newObserveSettings(set *daemon.Settings) observeSettings {
	return observeSettings{
		sample: set.Float("trace-sample", check.DefaultTraceSample, "share", "the share of ordinary runs that are traced, as late runs and results that are not OK always are; 0: none",
			daemon.AtLeast(0.0), daemon.AtMost(1.0)),
		perTarget: set.Int("per-target", 0, "checks", "how many checks of one target this worker runs at once; 0: any number", daemon.AtLeast(0)),
		slowSlots: set.Int("slow-slots", 0, "checks", "how many slots checks may hold whose latest run took a second or longer; 0: three quarters", daemon.AtLeast(0)),
	}
}

func (o observeSettings) into(cfg *worker.Config) {
	cfg.PerTarget, cfg.SlowSlots = *o.perTarget, *o.slowSlots
	cfg.TraceSample = *o.sample
	if cfg.TraceSample == 0 {
		cfg.TraceSample = -1 // none, not the default
	}
}

// expect shows the handlers' errors before there are any: what has not happened
// yet is 0, not missing, as rates and alerts need it.
func (m *metrics) expect(handlers []worker.HandlerInstance) *metrics {
	for _, h := range handlers {
		m.handlers.WithLabelValues(h.Name)
	}
	return m
}

// newPhases makes the histogram of where the time of runs goes.
func newPhases(reg prometheus.Registerer) map[string]prometheus.Observer {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "redpoll_check_phase_seconds",
		Help: "How long runs were in a phase beside the command: dispatch (planned to queued), queue (to leased), start (to the command's begin), " +
			"handlers (end of the command to end of the last handler), commit (to committed).",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	}, []string{"phase"})
	reg.MustRegister(h)
	phases := map[string]prometheus.Observer{}
	for _, p := range []string{check.PhaseDispatch, check.PhaseQueue, check.PhaseStart, check.PhaseHandlers, check.PhaseCommit} {
		phases[p] = h.WithLabelValues(p)
	}
	return phases
}

// Spent observes how long a run was in a phase.
func (m *metrics) Spent(phase string, took time.Duration) {
	if o := m.phases[phase]; o != nil {
		o.Observe(took.Seconds())
	}
}
