package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/check"
)

// outputs shows the figures of handlers that buffer what they send, read when
// somebody asks.
type outputs []output

type output struct {
	name string // that of the handler
	out  check.Output
}

// registerOutputs adds the handlers that are outputs.
func registerOutputs(reg prometheus.Registerer, entries []daemon.HandlerEntry) {
	var all outputs
	for _, e := range entries {
		if out, ok := e.Handler.(check.Output); ok {
			all = append(all, output{e.Name, out})
		}
	}
	reg.MustRegister(all)
}

// outputFigure is one metric of an output.
type outputFigure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	pick func(s check.OutputStats) float64
}

func newOutputFigure(name, help string, kind prometheus.ValueType, pick func(s check.OutputStats) float64) outputFigure {
	return outputFigure{prometheus.NewDesc("redpoll_handler_"+name, help, []string{"handler"}, nil), kind, pick}
}

var outputFigures = []outputFigure{
	newOutputFigure("queue_entries", "Values that wait in a handler's buffer or are on their way.", prometheus.GaugeValue,
		func(s check.OutputStats) float64 { return float64(s.Queued) }),
	newOutputFigure("queue_capacity", "Values that may wait in a handler's buffer.", prometheus.GaugeValue,
		func(s check.OutputStats) float64 { return float64(s.Capacity) }),
	newOutputFigure("sent_total", "Values that a handler's target took over.", prometheus.CounterValue,
		func(s check.OutputStats) float64 { return float64(s.Sent) }),
	newOutputFigure("dropped_total", "Values that found no place in a handler's buffer or protocol.", prometheus.CounterValue,
		func(s check.OutputStats) float64 { return float64(s.Dropped) }),
	newOutputFigure("failed_total", "Values that a handler's target refused, or that were given up at the end.", prometheus.CounterValue,
		func(s check.OutputStats) float64 { return float64(s.Failed) }),
	newOutputFigure("retries_total", "Batches that a handler sent once more.", prometheus.CounterValue,
		func(s check.OutputStats) float64 { return float64(s.Retries) }),
}

// Describe names the figures.
func (outputs) Describe(out chan<- *prometheus.Desc) {
	for _, f := range outputFigures {
		out <- f.desc
	}
}

// Collect reads the figures.
func (all outputs) Collect(out chan<- prometheus.Metric) {
	for _, o := range all {
		s := o.out.Stats()
		for _, f := range outputFigures {
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.pick(s), o.name)
		}
	}
}
