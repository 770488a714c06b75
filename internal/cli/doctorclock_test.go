package cli

import (
	"testing"
	"time"
)

// An answer that took its time says nothing against the clock that it tells; a
// quick one says how things are.
func TestClockGap(t *testing.T) {
	t.Parallel()
	type look struct{ at, took, server time.Duration }
	ms, second := time.Millisecond, time.Second
	for name, tt := range map[string]struct {
		looks        []look
		moved, apart time.Duration // 0: not known to be so
	}{
		"agree":           {looks: []look{{0, ms, 0}, {second, ms, second}}},
		"slow at first":   {looks: []look{{0, 3 * second, 3 * second}, {4 * second, ms, 4 * second}}},
		"slow at last":    {looks: []look{{0, ms, 0}, {second, 3 * second, second}}},
		"ahead":           {looks: []look{{0, ms, 5 * second}, {second, 2 * ms, 6 * second}}, apart: 5*second - ms},
		"behind":          {looks: []look{{0, ms, -5 * second}, {second, ms, -4 * second}}, apart: 5*second - ms},
		"set forward":     {looks: []look{{0, ms, 0}, {second, ms, 2 * second}}, moved: second - 2*ms, apart: second - ms},
		"set back":        {looks: []look{{0, ms, 0}, {second, ms, 0}}, moved: second - 2*ms, apart: second - ms},
		"all answer late": {looks: []look{{0, second, second}, {2 * second, second, 2 * second}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var gap clockGap
			epoch := time.UnixMilli(1e12)
			for _, l := range tt.looks {
				gap.look(epoch.Add(l.at), epoch.Add(l.at+l.took), epoch.Add(l.server).UnixMilli())
			}
			if moved := max(gap.moved(), 0); moved != tt.moved || gap.apart() != tt.apart {
				t.Errorf("moved by %s, %s apart, want %s and %s", moved, gap.apart(), tt.moved, tt.apart)
			}
		})
	}
}
