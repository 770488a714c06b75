package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/worker"
)

// instance makes what the worker needs of an entry in handlers.yaml.
func instance(e daemon.HandlerEntry) worker.HandlerInstance {
	return worker.HandlerInstance{
		Name: e.Name, Handler: e.Handler, Default: e.Default, Timeout: e.Timeout,
		Stream: e.Delivery == daemon.DeliverStream, Concurrency: e.Concurrency, GiveUp: e.GiveUp,
		Filter: worker.Filter{Only: worker.Only(e.Only), States: e.States, Labels: e.Labels},
	}
}

// deliveries are the metrics of handlers of the stream.
type deliveries struct {
	done     *prometheus.CounterVec
	duration *prometheus.HistogramVec
	kept     *prometheus.CounterVec
	trimmed  *prometheus.CounterVec
	dead     *prometheus.CounterVec
}

func newDeliveries(reg prometheus.Registerer) *deliveries {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	d := &deliveries{
		done: counter("redpoll_deliveries_total", "Changes of incidents by handler and what became of them: delivered, failed (tried again), "+
			"dead (given up), skipped (not for this handler).", "handler", "outcome"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "redpoll_delivery_duration_seconds", Help: "How long a handler took for a change of an incident, also one that failed.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"handler"}),
		kept: counter("redpoll_kept_incidents_total", "Open incidents that were repeated to a target which forgets: kept, failed, "+
			"skipped (of a check that is gone, or that has another one open).", "handler", "outcome"),
		trimmed: counter("redpoll_deliveries_trimmed_total", "Changes of incidents that were gone from the stream before they were delivered.", "handler", "zone"),
		dead:    counter("redpoll_dead_letters_total", "Changes of incidents that were given up: redpoll deadletters lists them.", "handler"),
	}
	reg.MustRegister(d.done, d.duration, d.kept, d.trimmed, d.dead)
	return d
}

// expect shows what has not happened yet as 0.
func (d *deliveries) expect(handlers []worker.HandlerInstance, zones []string) *deliveries {
	for _, h := range handlers {
		if !h.Stream {
			continue
		}
		for _, how := range []worker.Delivered{worker.DeliveryDone, worker.DeliveryFailed, worker.DeliveryDead, worker.DeliverySkipped} {
			d.done.WithLabelValues(h.Name, string(how))
		}
		for _, zone := range zones {
			d.trimmed.WithLabelValues(h.Name, zone)
		}
		d.dead.WithLabelValues(h.Name)
	}
	return d
}

// Delivered counts a change.
func (d *deliveries) Delivered(handler string, how worker.Delivered, took time.Duration) {
	d.done.WithLabelValues(handler, string(how)).Inc()
	if took > 0 {
		d.duration.WithLabelValues(handler).Observe(took.Seconds())
	}
	if how == worker.DeliveryDead {
		d.dead.WithLabelValues(handler).Inc()
	}
}

// Kept counts open incidents.
func (d *deliveries) Kept(handler string, how worker.Kept, n int) {
	d.kept.WithLabelValues(handler, string(how)).Add(float64(n))
}

// Trimmed counts changes that are gone.
func (d *deliveries) Trimmed(handler, zone string, n int) {
	d.trimmed.WithLabelValues(handler, zone).Add(float64(n))
}

// backlogs are the gauges of what waits, read when somebody asks.
type backlogs struct {
	of                    func() []worker.Backlog
	lag, oldest, retrying *prometheus.Desc
}

func newBacklogs(w *worker.Worker) *backlogs {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"handler", "zone"}, nil)
	}
	return &backlogs{
		of: func() []worker.Backlog { return w.Backlogs() },
		lag: desc("redpoll_delivery_lag_entries", "Changes of incidents that wait for delivery, in the lanes where this worker delivers: "+
			"the sum over all workers is the whole."),
		oldest:   desc("redpoll_delivery_oldest_seconds", "Age of the oldest change that waits for delivery, 0 without one, in the lanes where this worker delivers."),
		retrying: desc("redpoll_delivery_retries_waiting", "Checks whose next change failed and waits for another attempt, in the lanes where this worker delivers."),
	}
}

// Describe names the gauges.
func (b *backlogs) Describe(to chan<- *prometheus.Desc) {
	to <- b.lag
	to <- b.oldest
	to <- b.retrying
}

// Collect reads them.
func (b *backlogs) Collect(to chan<- prometheus.Metric) {
	for _, l := range b.of() {
		for desc, v := range map[*prometheus.Desc]float64{
			b.lag: float64(l.Changes), b.oldest: l.Oldest.Seconds(), b.retrying: float64(l.Retries),
		} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, l.Handler, l.Zone)
		}
	}
}
