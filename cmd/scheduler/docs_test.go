package main

import (
	"testing"

	"github.com/redpoll/redpoll/internal/docstest"
)

func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	docstest.Settings(t, "../../docs/settings.md", "scheduler", run)
}
