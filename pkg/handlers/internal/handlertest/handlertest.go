// Package handlertest is what tests of handlers of metrics share.
package handlertest

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Event is a result of an http check with a few metrics.
func Event(id string) *check.Event {
	at := time.Unix(1_767_225_600, 0)
	return &check.Event{
		Check: check.EventCheck{
			ID: id, Zone: "default", Command: "http", Every: check.Duration(10 * time.Second),
			Labels: map[string]string{"site": "fra", "role": "web server"},
		},
		Result: check.Result{At: at, Metrics: []check.Metric{
			check.Seconds("resp_seconds", 12345*time.Microsecond),
			check.Seconds("connect_seconds", 1234*time.Microsecond),
			check.Gauge("status", 200, ""),
			check.Gauge("size_bytes", 51234, "bytes"),
			check.Gauge("temp", -3.5, "celsius"),
			check.Counter("requests", 1<<40, 64, ""),
			check.String("server", "nginx"),
		}},
		Planned: at.UnixMilli(), Started: at.UnixMilli(), Finished: at.UnixMilli() + 12, Worker: "w1",
	}
}

// Values is how many numbers an Event has.
const Values = 6

// Dead demands of an output whose target takes nothing that Process goes on,
// that it says when there is no room, and that Close ends and leaves no value
// uncounted.
func Dead(t *testing.T, h check.Output, values int) {
	t.Helper()
	refused, offered := 0, 0
	for n := 0; refused < 10; n++ {
		ev := Event(fmt.Sprint("web", n))
		ev.Started += int64(n)
		if err := h.Process(t.Context(), ev); err != nil {
			refused++
		}
		offered += values
		if s := h.Stats(); s.Queued > s.Capacity || s.Capacity == 0 {
			t.Fatalf("Stats = %+v after %d events, want at most the capacity queued", s, n+1)
		}
	}
	Close(t, h)
	s := h.Stats()
	if all := s.Sent + s.Dropped + s.Failed; s.Queued != 0 || s.Dropped == 0 || s.Failed == 0 || all != uint64(offered) {
		t.Fatalf("Stats at the end = %+v, want all of %d values counted, none queued", s, offered)
	}
}

// Close closes a handler, which must not take long.
func Close(t testing.TB, h check.Handler) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- h.(io.Closer).Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Close does not end")
	}
}

// Bench measures what Process costs a run, the result of a check with seven
// metrics.
func Bench(b *testing.B, h check.Handler) {
	b.Helper()
	events := make([]*check.Event, 64)
	for i := range events {
		events[i] = Event(fmt.Sprint("web", i))
	}
	b.ReportAllocs()
	failed := 0
	for i := 0; b.Loop(); i++ {
		ev := events[i%len(events)]
		ev.Started += 10_000
		if h.Process(b.Context(), ev) != nil {
			failed++
		}
	}
	b.ReportMetric(float64(failed)/float64(b.N), "refused/op")
}

// Eventually waits until cond gives no error, for longer than a sender's longest
// pause.
func Eventually(t testing.TB, cond func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain: %v", err)
		}
	}
}
