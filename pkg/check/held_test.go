package check

import (
	"testing"
	"time"
)

func TestHeldDue(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-05-01T00:00:00Z")
	for _, tt := range []struct {
		held  string
		until time.Duration // from now
		want  time.Duration // from now; 0: never
	}{
		{"", 0, 0}, {HeldSuppressed, 0, 0}, {HeldFlap, 0, 0}, {HeldWaiting + "r", 0, 0},
		{HeldParent + "r", 0, time.Minute},
		{HeldDowntime + "d", 20 * time.Minute, 20 * time.Minute},
		{HeldDowntime + "d", 20 * time.Hour, time.Hour},
		{HeldDowntime + "d", -time.Second, time.Hour}, // it ended by now: nothing but the pace is known
	} {
		want := time.Time{}
		if tt.want > 0 {
			want = now.Add(tt.want)
		}
		if got := HeldDue(&Last{Held: tt.held}, now.Add(tt.until).UnixMilli(), now); !got.Equal(want) {
			t.Errorf("held %q for %s: due %s, want %s", tt.held, tt.until, got, want)
		}
	}
}
