// Package outbox is the buffer between a handler, which must not wait, and its
// target: bounded in values and bytes, emptied in batches by one goroutine, which
// tries a batch again until it is settled. What was put in first goes out first.
package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Config says how a Box works. All fields but End and Log are needed.
type Config struct {
	// Send passes a batch on, within its context. It returns how many entries
	// from the first on are settled, how many of their values are lost for good,
	// and why. The other entries come again, after a pause.
	Send func(ctx context.Context, b Batch) (done, lost int, err error)
	// End is called after the last Send, if there was an entry at all, to close
	// what Send holds open; nil is nothing.
	End func()
	// Values and Bytes are the most that wait, what is on its way included.
	Values, Bytes int
	// Batch is how many values a batch has at most, unless one entry has more.
	// As soon as that many wait they are sent.
	Batch int
	// Flush is the most time that an entry waits for company.
	Flush time.Duration
	// Log is where trouble is told, at most once a minute; nil is nowhere.
	Log *slog.Logger
}

const (
	maxBatch  = 1 << 20          // bytes of a batch, unless one entry has more
	closeTime = 2 * time.Second  // for all that is left at the end
	sendTime  = 30 * time.Second // for a batch
	minPause  = 250 * time.Millisecond
	maxPause  = 30 * time.Second
	spareText = 1 << 20 // bytes of a pile whose memory is used again
)

// Box is the buffer. Its zero value is of no use; see New. It must be closed.
type Box struct {
	cfg Config

	mu     sync.Mutex         // guards all below
	piles  []pile             // wait: each a batch, the oldest first
	values int                // that wait or are on their way
	bytes  int                // likewise
	spare  pile               // empty, to be used again
	stats  check.OutputStats  // but for Queued and Capacity
	cancel context.CancelFunc // ends the sending; nil before the first entry
	closed bool

	wake chan struct{} // a batch is full; holds one
	stop chan struct{} // closed by Close
	work sync.WaitGroup
	told teller
}

// pile is entries, one behind the other.
type pile struct {
	text   []byte
	marks  []mark
	values int
}

// mark is the end of an entry in the text, and how many values it has.
type mark struct{ end, values int }

// New makes a Box. Its goroutine begins with the first entry.
func New(cfg Config) *Box {
	return &Box{cfg: cfg, wake: make(chan struct{}, 1), stop: make(chan struct{}), told: teller{log: cfg.Log}}
}

// Add puts an entry in, which stands for a number of values. It keeps no text.
// False: there is no room, or the Box is closed; the values count as dropped.
func (b *Box) Add(text []byte, values int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.values+values > b.cfg.Values || b.bytes+len(text) > b.cfg.Bytes {
		b.stats.Dropped += uint64(values)
		return false
	}
	if b.cancel == nil {
		// The work outlives the runs whose results it carries: Close ends it.
		ctx, cancel := context.WithCancel(context.Background())
		b.cancel = cancel
		b.work.Go(func() { b.run(ctx) })
	}
	if b.put(text, values) {
		select {
		case b.wake <- struct{}{}:
		default: // it is told already
		}
	}
	b.values += values
	b.bytes += len(text)
	return true
}

// put appends an entry to the last pile, or to a new one when it is full, and
// says whether a pile became full.
func (b *Box) put(text []byte, values int) (full bool) {
	last := len(b.piles) - 1
	if last < 0 || b.piles[last].values+values > b.cfg.Batch || len(b.piles[last].text)+len(text) > maxBatch {
		full = last >= 0
		b.piles = append(b.piles, b.spare)
		b.spare = pile{}
		last++
	}
	p := &b.piles[last]
	p.text = append(p.text, text...)
	p.marks = append(p.marks, mark{len(p.text), values})
	p.values += values
	return full || p.values >= b.cfg.Batch
}

// Drop counts values that can never be sent.
func (b *Box) Drop(values int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Dropped += uint64(values)
}

// Stats tells what became of the values so far.
func (b *Box) Stats() check.OutputStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Queued, s.Capacity = b.values, b.cfg.Values
	return s
}

// Close sends what waits, for at most two seconds, and ends. What does not go
// out counts as failed; what comes later is dropped.
func (b *Box) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.stop)
	}
	cancel := b.cancel
	b.mu.Unlock()
	if cancel == nil {
		return nil
	}
	defer cancel()
	defer time.AfterFunc(closeTime, cancel).Stop()
	b.work.Wait()
	return nil
}

// take gives the oldest pile; none if there is none, or none that is full and
// such a one is wanted.
func (b *Box) take(full bool) (p pile, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.piles) == 0 || full && len(b.piles) == 1 && b.piles[0].values < b.cfg.Batch {
		return pile{}, false
	}
	p = b.piles[0]
	b.piles[0] = pile{} // whose memory the list would keep
	b.piles = b.piles[1:]
	return p, true
}

// waiting is how many piles there are.
func (b *Box) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.piles)
}

// giveBack lets the memory of a pile that was sent be used again, unless it is
// much.
func (b *Box) giveBack(p pile) {
	if cap(p.text) > spareText {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = pile{text: p.text[:0], marks: p.marks[:0]}
}

// settle counts a batch whose fate is known.
func (b *Box) settle(batch Batch, lost int) {
	lost = min(max(lost, 0), batch.Values())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Failed += uint64(lost)
	b.stats.Sent += uint64(batch.Values() - lost)
	b.values -= batch.Values()
	b.bytes -= len(batch.Text())
}

func (b *Box) countRetry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Retries++
}
