package worker

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// A lease that repair takes for one of a broken clock would be cut, and the
// check run twice.
func TestLongestLease(t *testing.T) {
	t.Parallel()
	cfg := Config{Queue: newFake(), Commands: commands(), Name: "w1", Lease: check.MaxLease}
	if _, err := New(cfg); err != nil {
		t.Errorf("New() with a lease of %s = %v, want none", cfg.Lease, err)
	}
	cfg.Lease++
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "Lease 10m0.000000001s: want 1s to 10m0s") {
		t.Errorf("New() with a lease of %s = %v, want it refused", cfg.Lease, err)
	}
}
