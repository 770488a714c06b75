package main

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/worker"
)

// metrics are a worker's own. Labels hold names that this worker knows, never
// what a target or a check says.
type metrics struct {
	lateness prometheus.Histogram
	duration *prometheus.HistogramVec
	results  *prometheus.CounterVec
	handlers *prometheus.CounterVec
	counters map[worker.Counter]prometheus.Counter
	phases   map[string]prometheus.Observer
	// commands holds a *commandMetrics for each command: finding one by its
	// labels for every run costs several times as much.
	commands sync.Map
}

type commandMetrics struct {
	duration prometheus.Observer
	results  [check.StateUnknown + 1]prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "redpoll_check_lateness_seconds", Help: "How late runs started: from the planned time to the begin of the command, by the clock of Redis. Runs that were left out are not in it.",
			Buckets: []float64{.001, .0025, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1200, 3600},
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "redpoll_check_duration_seconds", Help: "How long commands ran. One that was given up counts with the time that it had; unknown stands for commands that this worker does not have.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"command"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "redpoll_results_total", Help: "Results by command and state (OK, WARN, CRIT, UNKNOWN), counted before their commit.",
		}, []string{"command", "state"}),
		handlers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "redpoll_handler_errors_total", Help: "Events that a handler got wrong: an error, a panic, or no end in its time. The check goes on.",
		}, []string{"handler"}),
		counters: map[worker.Counter]prometheus.Counter{},
		phases:   newPhases(reg),
	}
	reg.MustRegister(m.lateness, m.duration, m.results, m.handlers)
	for what, help := range map[worker.Counter]string{
		worker.CountStale:     "Runs whose lease was no longer theirs at the end: nothing of them was written. Rises when workers stand still for longer than -lease.",
		worker.CountMissed:    "Slots of schedules that passed without a run, since the one before took too long or nobody was there. They are not made up.",
		worker.CountDropped:   "Results that were given up since Redis was away and too many waited. They count as stale as well.",
		worker.CountNoHandler: "Events for handlers that checks name and this worker does not have: nobody gets them.",
	} {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "redpoll_" + string(what) + "_total", Help: help})
		m.counters[what] = c
		reg.MustRegister(c)
	}
	return m
}

// Started observes how late a run started.
func (m *metrics) Started(late time.Duration) { m.lateness.Observe(late.Seconds()) }

// Finished counts a result.
func (m *metrics) Finished(command string, state check.State, took time.Duration) {
	c := m.command(command)
	c.duration.Observe(took.Seconds())
	c.results[min(state, check.StateUnknown)].Inc()
}

func (m *metrics) command(name string) *commandMetrics {
	if c, ok := m.commands.Load(name); ok {
		return c.(*commandMetrics)
	}
	c := &commandMetrics{duration: m.duration.WithLabelValues(name)}
	for s := range c.results {
		c.results[s] = m.results.WithLabelValues(name, check.State(s).String())
	}
	m.commands.Store(name, c)
	return c
}

// HandlerFailed counts an event that a handler did not get right.
func (m *metrics) HandlerFailed(handler string) { m.handlers.WithLabelValues(handler).Inc() }

// Count adds to a counter.
func (m *metrics) Count(what worker.Counter, n int) {
	if c := m.counters[what]; c != nil {
		c.Add(float64(n))
	}
}

// registerState adds what is read when somebody asks.
func registerState(reg prometheus.Registerer, w *worker.Worker, set *settings) {
	registerSlots(reg, w)
	reg.MustRegister(newBacklogs(w))
	registerOutputs(reg, set.handlers)
	registerUplinks(reg, w)
	registerTraces(reg, set.observe.exporter)
}

// registerSlots adds the state of the slots, read when somebody asks.
func registerSlots(reg prometheus.Registerer, w *worker.Worker) {
	for state, pick := range map[string]func(free, busy, stuck int) int{
		"free":  func(free, _, _ int) int { return free },
		"busy":  func(_, busy, _ int) int { return busy },
		"stuck": func(_, _, stuck int) int { return stuck },
	} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "redpoll_slots", Help: "Slots by state: free, busy with a check, stuck with a command or handler that did not end in its time. Together they are -slots.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return float64(pick(w.Slots())) }))
	}
	for reason, pick := range map[string]func(target, slow int) int{
		"target": func(target, _ int) int { return target },
		"slow":   func(_, slow int) int { return slow },
	} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "redpoll_waiting_runs", Help: "Leased runs that wait without a slot: for others of their target (-per-target), or of slow checks (-slow-slots), to end.",
			ConstLabels: prometheus.Labels{"limit": reason},
		}, func() float64 { return float64(pick(w.Waiting())) }))
	}
}

// registerUplinks adds the state of the uplinks that are tested.
func registerUplinks(reg prometheus.Registerer, w *worker.Worker) {
	for zone := range w.Uplinks() {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "redpoll_uplink_up", Help: "1 while the worker's own network works, by its self-tests (-uplink); 0: it takes no checks of the zone.",
			ConstLabels: prometheus.Labels{"zone": zone},
		}, func() float64 {
			if w.Uplinks()[zone] {
				return 1
			}
			return 0
		}))
	}
}
