// Package sample is what handlers of metrics need to know of an event.
package sample

import (
	"math"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Millis is when a metric of the event was measured, unix ms. It is counted on
// Redis' clock, as Event.Started is, since the runs of one check may be made by
// workers whose clocks differ.
func Millis(ev *check.Event, m *check.Metric) int64 {
	var later time.Duration
	if !m.At.IsZero() && !ev.Result.At.IsZero() {
		later = m.At.Sub(ev.Result.At)
	}
	switch {
	case ev.Started > 0:
		return ev.Started + later.Milliseconds()
	case !ev.Result.At.IsZero():
		return ev.Result.At.Add(later).UnixMilli()
	}
	return time.Now().UnixMilli()
}

// Finite says whether a metric is a number that every protocol can carry.
func Finite(m *check.Metric) bool {
	switch m.Kind {
	case check.KindCounter:
		return true
	case check.KindGauge:
		return !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0)
	}
	return false
}

// Split takes the name of a metric apart: `in_octets.1` is the figure in_octets
// of the item 1. Names without a dot have no item.
func Split(name string) (figure, item string) {
	figure, item, _ = strings.Cut(name, ".")
	if figure == "" {
		return name, ""
	}
	return figure, item
}
