package main

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/internal/docstest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/worker"
)

func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	docstest.Settings(t, "../../docs/settings.md", "worker", run)
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	docstest.Metrics(t, "../../docs/metrics.md", func(reg prometheus.Registerer) {
		newMetrics(reg)
		newDeliveries(reg)
		reg.MustRegister(newBacklogs(nil))
		registerSlots(reg, nil)
		registerOutputs(reg, nil)
		registerTraces(reg, nil)
	})
}

func TestMetricsAreSound(t *testing.T) {
	t.Parallel()
	docstest.Sound(t, func(reg *prometheus.Registry) {
		m := newMetrics(reg)
		m.Finished("http", check.StateOK, time.Second)
		m.expect([]worker.HandlerInstance{{Name: "pager"}})
		w, err := worker.New(worker.Config{Queue: redisqueue.New(nil, ""), Name: "w", Commands: check.Commands{}})
		if err != nil {
			t.Fatal(err)
		}
		registerSlots(reg, w)
		d := newDeliveries(reg).expect([]worker.HandlerInstance{{Name: "pager", Stream: true}}, []string{"fra"})
		d.Delivered("pager", worker.DeliveryDone, time.Second)
		d.Kept("pager", worker.KeptDone, 3)
		b := newBacklogs(w)
		b.of = func() []worker.Backlog { return []worker.Backlog{{Handler: "pager", Zone: "fra", Changes: 3}} }
		reg.MustRegister(b)
		registerOutputs(reg, nil)
		registerTraces(reg, nil)
		registerUplinks(reg, w)
	}, "redpoll_check_lateness_seconds", "redpoll_check_duration_seconds{command}", "redpoll_results_total{command,state}", "redpoll_slots{state}",
		"redpoll_stale_completions_total", "redpoll_missed_slots_total", "redpoll_handler_errors_total{handler}", "redpoll_deliveries_total{handler,outcome}",
		"redpoll_delivery_duration_seconds{handler}", "redpoll_delivery_lag_entries{handler,zone}", "redpoll_delivery_oldest_seconds{handler,zone}",
		"redpoll_delivery_retries_waiting{handler,zone}", "redpoll_deliveries_trimmed_total{handler,zone}", "redpoll_dead_letters_total{handler}",
		"redpoll_check_phase_seconds{phase}")
}
