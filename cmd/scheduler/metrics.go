package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/scheduler"
)

// metrics are a scheduler's own. Labels hold zones and words of redpoll, never
// what somebody wrote into a request.
type metrics struct {
	dispatched prometheus.Counter
	strays     prometheus.Counter
	moved      prometheus.Counter
	requests   *prometheus.CounterVec
	repairs    *prometheus.CounterVec
	failures   *prometheus.CounterVec
	overdue    *prometheus.GaugeVec
	ready      *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"zone"})
	}
	m := &metrics{
		dispatched: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "redpoll_dispatched_total", Help: "Due checks that this scheduler moved into the stream of the workers.",
		}),
		strays: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "redpoll_strays_total", Help: "Ids that were due and have no spec: written by hand, or left behind. They are taken out.",
		}),
		moved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "redpoll_moved_checks_total", Help: "Checks that this scheduler brought to another lane, since partitions were changed or they moved to another zone.",
		}),
		requests: counter("redpoll_requests_total", "Verdicts on requests, and on specs that were written by hand: accepted, rejected, unchanged.", "verdict"),
		repairs:  counter("redpoll_repairs_total", "What repair found wrong and mended, by kind. Rises only after keys were lost or changed by hand.", "kind"),
		failures: counter("redpoll_loop_failures_total", "Failures of the scheduler's loops, by loop; each is tried again. Rises while Redis is away.", "loop"),
		overdue:  gauge("redpoll_overdue_seconds", "For how long the oldest due check of the zone has waited for a scheduler to dispatch it. Near 0 while one works."),
		ready:    gauge("redpoll_ready_entries", "Checks of the zone that are queued or running: the length of its ready streams."),
	}
	// What has not happened yet is 0, not missing: rates and alerts need that.
	for _, verdict := range []string{check.VerdictAccepted, check.VerdictRejected, check.VerdictUnchanged} {
		m.requests.WithLabelValues(verdict)
	}
	for _, kind := range scheduler.RepairKinds() {
		m.repairs.WithLabelValues(kind)
	}
	for _, loop := range scheduler.Loops() {
		m.failures.WithLabelValues(loop)
	}
	reg.MustRegister(m.dispatched, m.strays, m.moved, m.requests, m.repairs, m.failures, m.overdue, m.ready)
	return m
}

// hooks let a scheduler fill the metrics; turn is called with each turn of a loop.
func (m *metrics) hooks(turn func()) scheduler.Hooks {
	return scheduler.Hooks{
		Dispatched: func(_ check.Lane, moved, strays int) {
			m.dispatched.Add(float64(moved))
			m.strays.Add(float64(strays))
		},
		Verdict:  func(v check.Verdict) { m.requests.WithLabelValues(v.Verdict).Inc() },
		Moved:    func(_, _ check.Lane, checks int) { m.moved.Add(float64(checks)) },
		Repaired: func(_ check.Lane, _, kind string) { m.repairs.WithLabelValues(kind).Inc() },
		Zone: func(zone string, overdue time.Duration, ready int64) {
			m.overdue.WithLabelValues(zone).Set(overdue.Seconds())
			m.ready.WithLabelValues(zone).Set(float64(ready))
		},
		Failed: func(loop string) { m.failures.WithLabelValues(loop).Inc() },
		Turn:   turn,
	}
}
