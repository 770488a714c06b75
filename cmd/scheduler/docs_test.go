package main

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/internal/docstest"
)

func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	docstest.Settings(t, "../../docs/settings.md", "scheduler", run)
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	docstest.Metrics(t, "../../docs/metrics.md", func(reg prometheus.Registerer) { newMetrics(reg) })
}

func TestMetricsAreSound(t *testing.T) {
	t.Parallel()
	docstest.Sound(t, func(reg *prometheus.Registry) {
		newMetrics(reg).hooks(nil).Zone("default", time.Second, 1)
	}, "redpoll_overdue_seconds{zone}", "redpoll_ready_entries{zone}", "redpoll_repairs_total{kind}")
}
