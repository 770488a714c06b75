package worker

import (
	"cmp"
	"slices"
	"time"
)

// DeliveryMetrics counts what a worker delivers from the stream. It is called
// from many goroutines at once.
type DeliveryMetrics interface {
	// Delivered is told what became of a change, and how long the handler took;
	// 0 when it was not called.
	Delivered(handler string, how Delivered, took time.Duration)
	// Kept counts open incidents of a Keeper.
	Kept(handler string, how Kept, n int)
	// Trimmed counts changes that were gone before they were delivered.
	Trimmed(handler, zone string, n int)
}

// Delivered says what became of a change.
type Delivered string

// What becomes of a change.
const (
	DeliveryDone    Delivered = "delivered"
	DeliveryFailed  Delivered = "failed"  // it is tried again
	DeliveryDead    Delivered = "dead"    // given up
	DeliverySkipped Delivered = "skipped" // the handler does not want it
)

// Kept says what became of an open incident in a round of a Keeper.
type Kept string

// What becomes of an open incident.
const (
	KeptDone    Kept = "kept"
	KeptFailed  Kept = "failed"
	KeptSkipped Kept = "skipped" // nothing is known of its check, or another one is open there
)

type noDeliveries struct{}

func (noDeliveries) Delivered(string, Delivered, time.Duration) {}
func (noDeliveries) Kept(string, Kept, int)                     {}
func (noDeliveries) Trimmed(string, string, int)                {}

func (w *Worker) delivered(h *handler, how Delivered, took time.Duration) {
	w.cfg.Deliveries.Delivered(h.Name, how, took)
}

func (w *Worker) kept(h *handler, how Kept, n int) {
	if n > 0 {
		w.cfg.Deliveries.Kept(h.Name, how, n)
	}
}

// Backlog is what waits for a handler in those lanes of a zone in which this
// worker delivers to it.
type Backlog struct {
	Handler, Zone string
	Lanes         int
	// Changes is how many are not delivered yet, Retries how many checks wait for
	// another attempt.
	Changes, Retries int
	// Oldest is the age of the oldest change that this worker has read and not
	// delivered.
	Oldest time.Duration
}

// Backlogs tells what waits for the handlers to which this worker delivers now,
// by handler and zone.
func (w *Worker) Backlogs() []Backlog {
	if w.delivery == nil {
		return nil
	}
	type key struct{ handler, zone string }
	sums := map[key]*Backlog{}
	w.delivery.mu.Lock()
	defer w.delivery.mu.Unlock()
	for f := range w.delivery.feeds {
		k := key{f.h.Name, f.hold.Lane.Zone}
		b := sums[k]
		if b == nil {
			b = &Backlog{Handler: k.handler, Zone: k.zone}
			sums[k] = b
		}
		f.addTo(b)
	}
	out := make([]Backlog, 0, len(sums))
	for _, b := range sums {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Backlog) int {
		return cmp.Or(cmp.Compare(a.Handler, b.Handler), cmp.Compare(a.Zone, b.Zone))
	})
	return out
}

func (f *feed) addTo(b *Backlog) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.Lanes++
	b.Changes += f.lines.count + max(f.left, 0)
	b.Retries += len(f.lines.waiting)
	if sid := f.lines.oldest(); sid != "" {
		age := time.Duration(f.server+time.Since(f.local).Milliseconds()-entryTime(sid)) * time.Millisecond
		b.Oldest = max(b.Oldest, age)
	}
}

// delivers gives the names of the handlers of the stream.
func delivers(list []HandlerInstance) []string {
	var out []string
	for _, h := range list {
		if h.Stream {
			out = append(out, h.Name)
		}
	}
	return out
}
