package sample

import (
	"math"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestMillis(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(5_000_000)
	plain, later := check.Gauge("a", 1, ""), check.Gauge("b", 1, "")
	later.At = at.Add(1500 * time.Millisecond)
	skewed := &check.Event{Started: 9_000_000, Result: check.Result{At: at}}
	bare := &check.Event{Result: check.Result{At: at}}
	for _, tt := range []struct {
		name string
		ev   *check.Event
		m    check.Metric
		want int64
	}{
		{"Redis' clock", skewed, plain, 9_000_000},
		{"metric of its own time", skewed, later, 9_001_500},
		{"no clock but the worker's", bare, later, 5_001_500},
		{"no time of the result", &check.Event{Started: 7}, later, 7},
	} {
		if got := Millis(tt.ev, &tt.m); got != tt.want {
			t.Errorf("%s: Millis = %d, want %d", tt.name, got, tt.want)
		}
	}
	before := time.Now().UnixMilli()
	if got := Millis(&check.Event{}, &plain); got < before || got > time.Now().UnixMilli() {
		t.Errorf("Millis of nothing = %d, want now", got)
	}
}

func TestFinite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		m    check.Metric
		want bool
	}{
		{check.Gauge("a", 0, ""), true}, {check.Gauge("a", math.NaN(), ""), false}, {check.Gauge("a", math.Inf(-1), ""), false},
		{check.Counter("a", math.MaxUint64, 64, ""), true}, {check.String("a", "7"), false}, {check.Metric{}, false},
	} {
		if got := Finite(&tt.m); got != tt.want {
			t.Errorf("Finite(%+v) = %v", tt.m, got)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"in_octets.1": {"in_octets", "1"}, "a": {"a", ""}, "a.b.c": {"a", "b.c"}, ".a": {".a", ""}, "a.": {"a", ""}, "": {"", ""},
	} {
		if figure, item := Split(name); figure != want[0] || item != want[1] {
			t.Errorf("Split(%q) = %q, %q", name, figure, item)
		}
	}
}
