package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/internal/otlp"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/worker"
)

// observeSettings are those of traces and of limits.
type observeSettings struct {
	sample               *float64
	perTarget, slowSlots *int
	otlp                 *string
	exporter             *otlp.Exporter // nil: nobody wants traces
}

func newObserveSettings(set *daemon.Settings) observeSettings {
	return observeSettings{
		sample: set.Float("trace-sample", check.DefaultTraceSample, "share", "the share of ordinary runs that are traced, as late runs and results that are not OK always are; 0: none",
			daemon.AtLeast(0.0), daemon.AtMost(1.0)),
		otlp:      set.Secret("otlp", "", "URL", "OpenTelemetry collector that gets the traces, such as http://127.0.0.1:4318; empty: none", collector),
		perTarget: set.Int("per-target", 0, "checks", "how many checks of one target this worker runs at once; 0: any number", daemon.AtLeast(0)),
		slowSlots: set.Int("slow-slots", 0, "checks", "how many slots checks may hold whose latest run took a second or longer; 0: three quarters", daemon.AtLeast(0)),
	}
}

func collector(url string) error {
	if url == "" {
		return nil
	}
	return otlp.Check(url)
}

func (o *observeSettings) into(cfg *worker.Config) {
	cfg.PerTarget, cfg.SlowSlots = *o.perTarget, *o.slowSlots
	cfg.TraceSample = *o.sample
	if cfg.TraceSample == 0 {
		cfg.TraceSample = -1 // none, not the default
	}
	e, err := otlp.New(otlp.Config{URL: *o.otlp, Worker: cfg.Name, Version: cfg.Version, Log: cfg.Logger})
	if err != nil {
		return // there is no URL: the setting's rule found the others
	}
	o.exporter, cfg.Hooks.OnTrace = e, e.Trace
}

// run does the work while traces are sent, and then sends what is left.
func (o *observeSettings) run(ctx context.Context, work func(context.Context) error) error {
	if o.exporter == nil {
		return work(ctx)
	}
	var sender sync.WaitGroup
	defer sender.Wait()
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	sender.Go(func() { o.exporter.Run(sending) })
	return work(ctx)
}

// registerTraces adds what became of the traces.
func registerTraces(reg prometheus.Registerer, e *otlp.Exporter) {
	for outcome, pick := range map[string]func(sent, dropped int64) int64{
		"sent":    func(sent, _ int64) int64 { return sent },
		"dropped": func(_, dropped int64) int64 { return dropped },
	} {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "redpoll_traces_total",
			Help:        "Traces of runs by what became of them: sent to the collector (-otlp), or dropped since it was away or too slow.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 {
			if e == nil {
				return 0
			}
			return float64(pick(e.Counts()))
		}))
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
