package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redpoll/redpoll/internal/docstest"
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
	})
}
