package cli

import (
	"strings"
	"testing"
	"time"
)

func TestProgressText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		done, total int
		took        time.Duration
		want        string
	}{
		{"start", 0, 1000, 0, "apply [------------------------] 0/1000   0%"},
		{"half", 500, 1000, 2 * time.Second, "apply [############------------] 500/1000  50%  250/s  2s left"},
		{"end", 1000, 1000, 4 * time.Second, "apply [########################] 1000/1000 100%  250/s  0s left"},
		{"nothing to do", 0, 0, 0, "apply [########################] 0/0 100%"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &progress{what: "apply", total: tt.total}
			if got := p.text(tt.done, tt.took); got != tt.want {
				t.Errorf("text(%d, %s) = %q, want %q", tt.done, tt.took, got, tt.want)
			}
		})
	}
}

func TestProgressPace(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	now := time.Unix(0, 0)
	p := &progress{w: &out, what: "apply", total: 1000, start: now}
	for i := range 1001 {
		p.step(i, now.Add(time.Duration(i)*time.Millisecond))
	}
	p.finish()
	if n := strings.Count(out.String(), "apply ["); n < 10 || n > 12 {
		t.Errorf("1 s of steps drew %d times, want about 11", n)
	}
	if !strings.Contains(out.String(), "1000/1000 100%") {
		t.Errorf("the end was not drawn: %q", out.String())
	}
	silent := &progress{what: "apply", total: 1}
	silent.step(1, now)
	silent.finish()
}
