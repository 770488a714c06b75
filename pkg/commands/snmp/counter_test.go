package snmp

import (
	"math"
	"testing"
	"time"
)

// noon is when the tests sample.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestFault2 shows that the width of a counter decides about its wrap, and
// that a wrap loses no count.
func TestFault2(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to uint64
		width    uint8
		want     uint64
		ok       bool
	}{
		{4294967295, 0, 32, 1, true},
		{4294967290, 9, 32, 15, true},
		{0, 4294967295, 32, 4294967295, true},
		{7, 7, 32, 0, true},
		{5, 4, 32, 4294967295, true},
		{4294967295, 4294967296, 64, 1, true},
		{18446744073709551615, 0, 64, 1, true},
		{18446744073709551610, 9, 64, 15, true},
		{4294967295, 0, 64, 0, false}, // back, not around
		{1 << 63, 0, 64, 0, false},
	} {
		got, ok := advance(tt.from, tt.to, tt.width)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("advance(%d, %d, %d) = %d, %v, want %d, %v", tt.from, tt.to, tt.width, got, ok, tt.want, tt.ok)
		}
	}
}

// TestFault3 shows that a restart is no wrap, and that the wrap of sysUpTime
// after 497 days is no restart.
func TestFault3(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60 * 100
	up := func(n uint32) ticks { return ticks{n, true} }
	for _, tt := range []struct {
		name      string
		last, now ticks
		gap       time.Duration
		want      bool
	}{
		{"steady", up(1000), up(7000), time.Minute, true},
		{"late answer", up(1000), up(7300), time.Minute, true},
		{"slow clock", up(100000), up(100000 + 29000), 5 * time.Minute, true},
		{"restart", up(90 * day), up(3000), time.Minute, false},
		{"restart and a long boot", up(90 * day), up(100), time.Hour, false},
		{"restart soon after the first start", up(500), up(3000), time.Minute, false},
		{"restart that came back further than before", up(500), up(20000), time.Hour, false},
		{"wrap after 497 days", up(math.MaxUint32 - 999), up(5000), time.Minute, true},
		{"wrap to the tick", up(math.MaxUint32), up(5999), time.Minute, true},
		{"restart just before the wrap", up(math.MaxUint32 - 100000), up(3000), time.Minute, false},
		{"clock of the worker set back", up(1000), up(400000), time.Minute, false},
		{"stands still", up(1000), up(1000), time.Minute, false},
		{"no clock now", up(1000), ticks{}, time.Minute, true},
		{"no clock before", ticks{}, up(1000), time.Minute, true},
	} {
		if got := continuous(tt.last, tt.now, tt.gap); got != tt.want {
			t.Errorf("%s: continuous(%v, %v, %v) = %v, want %v", tt.name, tt.last, tt.now, tt.gap, got, tt.want)
		}
	}
}

// TestFault4 shows that two samples of one instant give no rate and divide by
// nothing.
func TestFault4(t *testing.T) {
	t.Parallel()
	last := sample{count: 100, width: 64, at: noon}
	for _, tt := range []struct {
		gap  time.Duration
		want why
	}{
		{0, tooSoon}, {1, tooSoon}, {499 * time.Millisecond, tooSoon}, {-time.Second, restarted}, {-1, restarted},
		{500 * time.Millisecond, rated}, {time.Second, rated},
	} {
		now := sample{count: 200, width: 64, at: noon.Add(tt.gap)}
		r, w := rate(last, now)
		if w != tt.want || math.IsInf(r, 0) || math.IsNaN(r) {
			t.Errorf("rate after %v = %v, %q, want %q", tt.gap, r, w, tt.want)
		}
	}
}

// TestFault7 shows that a rate divides by the time between the samples.
func TestFault7(t *testing.T) {
	t.Parallel()
	last := sample{count: 1000, width: 32, at: noon}
	r, w := rate(last, sample{count: 4000, width: 32, at: noon.Add(1500 * time.Millisecond)})
	if w != rated || r != 2000 {
		t.Errorf("rate = %v, %q, want 2000", r, w)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	base := sample{count: 1000, width: 64, at: noon, uptime: ticks{100000, true}, broken: ticks{5, true}}
	next := sample{count: 4000, width: 64, at: noon.Add(time.Minute), uptime: ticks{106000, true}, broken: ticks{5, true}}
	for _, tt := range []struct {
		name   string
		change func(last, now *sample)
		want   why
	}{
		{"steady", func(_, _ *sample) {}, rated},
		{"first", func(last, _ *sample) { *last = sample{} }, first},
		{"width changed", func(_, now *sample) { now.width = 32 }, newWidth},
		{"restart", func(_, now *sample) { now.uptime.n = 50 }, restarted},
		{"interrupted", func(_, now *sample) { now.broken.n = 104000 }, interrupts},
		{"object of interruptions is gone", func(_, now *sample) { now.broken = ticks{} }, interrupts},
		{"back", func(_, now *sample) { now.count = 999 }, backwards},
	} {
		last, now := base, next
		tt.change(&last, &now)
		r, w := rate(last, now)
		if w != tt.want || w == rated && r != 50 || w != rated && r != 0 {
			t.Errorf("%s: rate = %v, %q, want %q", tt.name, r, w, tt.want)
		}
	}
}
