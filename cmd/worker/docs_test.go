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
		registerOutputs(reg, nil)
		registerTraces(reg, nil)
		registerUplinks(reg, w)
	}, "redpoll_check_lateness_seconds", "redpoll_check_duration_seconds{command}", "redpoll_results_total{command,state}", "redpoll_slots{state}",
		"redpoll_stale_completions_total", "redpoll_missed_slots_total", "redpoll_handler_errors_total{handler}", "redpoll_check_phase_seconds{phase}")
}
