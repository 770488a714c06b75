package check

import (
	"math"
	"testing"
)

// A worker is live until its latest beat is older than three, or further ahead:
// then the clock was set back, and a live one beats again at once.
func TestHeartbeatLiveAt(t *testing.T) {
	t.Parallel()
	const now = 1_000_000_000
	for _, tt := range []struct {
		name      string
		at, every int64
		want      bool
	}{
		{"just now", now, 3000, true},
		{"three beats ago", now - 9000, 3000, true},
		{"longer ago", now - 9001, 3000, false},
		{"read behind the clock", now + 5, 3000, true},
		{"three beats ahead", now + 9000, 3000, true},
		{"further ahead", now + 9001, 3000, false},
		{"says no pace", now - 3000, 0, true},
		{"says no pace, longer ago", now - 3001, 0, false},
		{"a pace below zero", now - 3001, -5000, false},
		{"no time", 0, 3000, false},
		{"junk of a time", math.MinInt64, 3000, false},
		{"junk of a time ahead", math.MaxInt64, 3000, false},
		{"junk of a pace", now - 5, math.MaxInt64, true},
		{"junk of a pace, hours ago", now - 3*3_600_000 - 1, math.MaxInt64, false},
	} {
		hb := Heartbeat{At: tt.at, Every: tt.every}
		if got := hb.LiveAt(now); got != tt.want {
			t.Errorf("%s: LiveAt = %v, want %v", tt.name, got, tt.want)
		}
	}
}
