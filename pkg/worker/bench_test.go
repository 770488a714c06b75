package worker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// endless is a queue that always has another check to run, until n ran.
type endless struct {
	around
	fake
	left atomic.Int64 // to be read
	todo atomic.Int64 // to be completed
	done chan struct{}
	once sync.Once
	last string
	ids  []string
}

func newEndless(n int) *endless {
	last, ev, s := records("plain", 0.0123, 1_700_000_000_123)
	last.Incident = nil
	q := &endless{done: make(chan struct{}), fake: *newFake()}
	q.last, _ = encode(&last, &ev, s, false)
	q.left.Store(int64(n))
	q.todo.Store(int64(n))
	for i := range 10_000 {
		q.ids = append(q.ids, fmt.Sprint("a", i))
	}
	return q
}

func (q *endless) Read(ctx context.Context, _ string, lanes []check.Lane, count int, block time.Duration) ([]check.Entry, error) {
	left := q.left.Add(-int64(count))
	if n := int64(count) + min(left, 0); n <= 0 {
		<-time.After(block)
		return nil, nil
	} else if n < int64(count) {
		count = int(n)
	}
	now := time.Now().UnixMilli()
	entries := make([]check.Entry, count)
	for i := range entries {
		id := q.ids[(int(left)+i+1<<40)%len(q.ids)]
		entries[i] = check.Entry{Lane: lanes[0], SID: "1700000000000-1", ID: id, Planned: now}
	}
	return entries, nil
}

func (q *endless) Lease(_ context.Context, req check.LeaseRequest) ([]check.Lease, []check.Entry, error) {
	now := time.Now().UnixMilli()
	leases := make([]check.Lease, len(req.Entries))
	for i, e := range req.Entries {
		leases[i] = check.Lease{Entry: e, Token: req.Token, Rev: "1", Last: q.last, Now: now}
		if req.Revs[i] == "" {
			leases[i].Spec = specOf(e.ID, "none", `,"labels":{"site":"fra"}`)
		}
	}
	return leases, nil, nil
}

func (q *endless) Reclaim(context.Context, check.LeaseRequest, int) ([]check.Lease, []check.Entry, error) {
	return nil, nil, nil
}

func (q *endless) Now(context.Context) (int64, error) { return time.Now().UnixMilli(), nil }

func (q *endless) Raise(context.Context, check.Lane, check.Raise) (check.AdoptOutcome, error) {
	return check.AdoptChanged, nil
}

func (q *endless) Complete(_ context.Context, _ check.Lane, items []check.Completion) ([]check.Outcome, error) {
	if q.todo.Add(-int64(len(items))) <= 0 {
		q.once.Do(func() { close(q.done) })
	}
	return make([]check.Outcome, len(items)), nil
}

// BenchmarkRun is all that a worker does for a check whose command does
// nothing, without the queue.
func BenchmarkRun(b *testing.B) {
	for _, outputs := range []int{0, 1} {
		b.Run(fmt.Sprint("handlers ", outputs), func(b *testing.B) {
			q := newEndless(b.N)
			cfg := Config{Queue: q, Name: "w1", Commands: check.Commands{"none": command(fine)}}
			for range outputs {
				cfg.Handlers = append(cfg.Handlers, HandlerInstance{Name: "h", Default: true, Handler: handlerFunc(nil)})
			}
			w, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			b.ReportAllocs()
			b.ResetTimer()
			go func() { ended <- w.Run(ctx) }()
			<-q.done
			b.StopTimer()
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}
