package check

import (
	"testing"
	"time"
)

// The server's clock was set back while a check ran, whose planned time is in
// the future now. A little is nothing: the slot it ran for is not run again.
// But a check does not stand still until the clock has caught up.
func TestNextDueAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	c := &Check{ID: "a", Command: "x", Every: Duration(2 * time.Second), Phase: new(Duration)}
	s, err := c.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_700_000_000_500)
	for _, tt := range []struct{ back, want time.Duration }{
		{-100 * time.Millisecond, 1500 * time.Millisecond},
		{time.Second, 1500 * time.Millisecond},
		{1500 * time.Millisecond, 3500 * time.Millisecond}, // the slot that it ran for is not over
		{9500 * time.Millisecond, 11500 * time.Millisecond},
		{41500 * time.Millisecond, 1500 * time.Millisecond},
		{time.Hour, 1500 * time.Millisecond},
	} {
		due, missed := NextDue(c, s, now.Add(tt.back), now, false)
		if got := due.Sub(now); got != tt.want || missed != 0 {
			t.Errorf("set back by %s: due in %s, %d missed, want %s and none", tt.back, got, missed, tt.want)
		}
	}
	once := At{now.Add(time.Hour)}
	if due, _ := NextDue(c, once, once.Time, now, false); !due.IsZero() {
		t.Errorf("a one-shot that ran is due again at %s", due)
	}
}
