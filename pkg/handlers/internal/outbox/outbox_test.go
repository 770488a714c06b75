package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// target notes what it is sent, and answers as it is told to.
type target struct {
	mu      sync.Mutex // guards all below
	batches []string
	at      []time.Duration // since the first call of send
	begin   time.Time
	answer  func(ctx context.Context, b Batch) (done, lost int, err error)
}

func (g *target) send(ctx context.Context, b Batch) (done, lost int, err error) {
	g.mu.Lock()
	if g.begin.IsZero() {
		g.begin = time.Now()
	}
	g.batches = append(g.batches, string(b.Text()))
	g.at = append(g.at, time.Since(g.begin))
	answer := g.answer
	g.mu.Unlock()
	if answer == nil {
		return b.Len(), 0, nil
	}
	return answer(ctx, b)
}

func (g *target) seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.batches)
}

func box(g *target) *Box {
	return New(Config{Send: g.send, Values: 100, Bytes: 1000, Batch: 3, Flush: time.Second})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &target{}
		b := box(g)
		defer b.Close()
		b.Add([]byte("a"), 1)
		b.Add([]byte("b"), 1)
		synctest.Wait()
		if got := g.seen(); len(got) != 0 {
			t.Fatalf("sent %q at once, want it to wait for company", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := g.seen(); !slices.Equal(got, []string{"ab"}) {
			t.Fatalf("after flush: %q", got)
		}
		for _, text := range []string{"c", "d", "e"} { // a batch is full
			b.Add([]byte(text), 1)
		}
		synctest.Wait()
		b.Add([]byte("large"), 7)
		b.Add([]byte("f"), 2)
		b.Add([]byte("g"), 1)
		b.Add([]byte("h"), 1)
		synctest.Wait()
		b.Close()
		if got := g.seen(); !slices.Equal(got, []string{"ab", "cde", "large", "fg", "h"}) {
			t.Fatalf("batches %q", got)
		}
		if s := b.Stats(); s != (check.OutputStats{Capacity: 100, Sent: 16}) {
			t.Fatalf("Stats = %+v", s)
		}
	})
}

// TestLargeBatch: batches are bounded in bytes, too.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	g := &target{}
	b := New(Config{Send: g.send, Values: 100, Bytes: 8 << 20, Batch: 100, Flush: time.Hour})
	for range 5 {
		b.Add(make([]byte, 600<<10), 1)
	}
	b.Close()
	for _, text := range g.seen() {
		if len(text) != 600<<10 {
			t.Fatalf("a batch of %d bytes", len(text))
		}
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		g := &target{answer: func(_ context.Context, b Batch) (int, int, error) { <-gate; return b.Len(), 0, nil }}
		b := box(g)
		for range 100 {
			if !b.Add([]byte("x"), 1) {
				t.Fatal("refused with room left")
			}
		}
		if b.Add([]byte("x"), 1) {
			t.Fatal("taken without room")
		}
		synctest.Wait() // the first batch is on its way: that makes no room
		if s := b.Stats(); b.Add([]byte("x"), 1) || s.Queued != 100 || s.Dropped != 1 {
			t.Fatalf("Stats = %+v", s)
		}
		gate <- struct{}{}
		synctest.Wait()
		if !b.Add([]byte("y"), 3) || b.Add([]byte("y"), 1) {
			t.Fatal("a batch that was sent makes room for three values")
		}
		close(gate)
		b.Close()
		if s := b.Stats(); s != (check.OutputStats{Capacity: 100, Sent: 103, Dropped: 3}) {
			t.Fatalf("Stats = %+v", s)
		}
		if b.Add([]byte("x"), 1) {
			t.Fatal("taken after Close")
		}
	})
}

func TestFullOfBytes(t *testing.T) {
	t.Parallel()
	b := box(&target{})
	defer b.Close()
	if !b.Add(make([]byte, 999), 1) || b.Add(make([]byte, 2), 1) || !b.Add(make([]byte, 1), 1) {
		t.Fatal("want 1000 bytes taken and no more")
	}
	b.Drop(5)
	if s := b.Stats(); s.Dropped != 6 {
		t.Fatalf("Stats = %+v", s)
	}
}

// TestRetry: a batch comes again until it is settled, with growing pauses or
// those that the target asks for; what is behind it waits.
func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		answers := []error{away, away, away, check.RetryAfter(away, 7*time.Second), check.RetryAfter(away, time.Hour), nil, errors.New("nonsense")}
		var lines bytes.Buffer
		n := 0
		g := &target{answer: func(_ context.Context, b Batch) (int, int, error) {
			n++
			switch {
			case n > len(answers):
				return b.Len(), 0, nil
			case n <= 5:
				return 0, 0, answers[n-1]
			}
			return b.Len(), b.Values() - 1, answers[n-1]
		}}
		b := New(Config{Send: g.send, Values: 100, Bytes: 100, Batch: 3, Flush: time.Second, Log: slog.New(slog.NewTextHandler(&lines, nil))})
		b.Add([]byte("one"), 3)
		b.Add([]byte("two"), 3)
		b.Add([]byte("three"), 3)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		b.Close()
		want := []string{"one", "one", "one", "one", "one", "one", "two", "three"}
		if got := g.seen(); !slices.Equal(got, want) {
			t.Fatalf("batches %q, want %q", got, want)
		}
		bounds := [][2]time.Duration{{125, 250}, {250, 500}, {500, 1000}, {7000, 7000}, {30000, 30000}, {0, 0}, {0, 0}}
		for i, bound := range bounds {
			if pause := (g.at[i+1] - g.at[i]) / time.Millisecond; pause < bound[0] || pause > bound[1] {
				t.Errorf("pause %d of %d ms, want %v", i, pause, bound)
			}
		}
		if s := b.Stats(); s != (check.OutputStats{Capacity: 100, Sent: 5, Failed: 4, Retries: 5}) {
			t.Errorf("Stats = %+v", s)
		}
		text := lines.String()
		if strings.Count(text, "does not get through") != 1 || strings.Count(text, "\n") > 3 || !strings.Contains(text, "away") {
			t.Errorf("log:\n%s", text)
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(ctx context.Context, b Batch) (done, lost int, err error)
		took   time.Duration
		want   check.OutputStats
		calls  int
	}{
		{"well", nil, 0, check.OutputStats{Sent: 5}, 2},
		{"hangs", func(ctx context.Context, _ Batch) (int, int, error) { <-ctx.Done(); return 0, 0, ctx.Err() }, closeTime, check.OutputStats{Failed: 5}, 1},
		{"away", func(context.Context, Batch) (int, int, error) { return 0, 0, errors.New("away") }, 0, check.OutputStats{Failed: 5}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &target{answer: tt.answer}
				ends := 0
				var lines bytes.Buffer
				b := New(Config{
					Send: g.send, End: func() { ends++ }, Values: 100, Bytes: 100, Batch: 3, Flush: time.Hour,
					Log: slog.New(slog.NewTextHandler(&lines, nil)),
				})
				b.Add([]byte("a"), 2)
				b.Add([]byte("b"), 3)
				begin := time.Now()
				b.Close()
				b.Close() // changes nothing
				tt.want.Capacity = 100
				s := b.Stats()
				s.Retries = 0
				if took := time.Since(begin); took != tt.took || s != tt.want {
					t.Errorf("Close took %v, Stats = %+v, want %v and %+v", took, s, tt.took, tt.want)
				}
				if told := strings.Contains(lines.String(), `"output given up at the stop" values=5`); ends != 1 || told != (tt.want.Failed > 0) {
					t.Errorf("End was called %d times, log:\n%s", ends, lines.String())
				}
				if n := len(g.seen()); n < tt.calls || n > tt.calls+1 {
					t.Errorf("%d calls, want about %d", n, tt.calls)
				}
			})
		})
	}
	box(&target{}).Close() // nothing was put in
}

// TestCloseDuringPause: a pause does not hold up the end.
func TestCloseDuringPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		g := &target{answer: func(_ context.Context, b Batch) (int, int, error) {
			if calls++; calls < 5 {
				return 0, 0, check.RetryAfter(errors.New("busy"), time.Hour)
			}
			return b.Len(), 0, nil
		}}
		b := box(g)
		b.Add([]byte("a"), 3)
		time.Sleep(95 * time.Second) // four calls, and a pause
		begin := time.Now()
		b.Close()
		if s := b.Stats(); time.Since(begin) > 0 || s.Sent != 3 {
			t.Fatalf("Close took %v, Stats = %+v, want a last try at once", time.Since(begin), s)
		}
	})
}

// TestNothingIsLost: whatever comes from wherever, each value is counted once,
// and each goroutine's entries stay in order.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	fails := 0
	var got []string
	b := New(Config{Values: 500, Bytes: 5000, Batch: 20, Flush: time.Millisecond, Send: func(_ context.Context, batch Batch) (int, int, error) {
		fails++
		done := batch.Len()
		if fails%20 == 0 {
			done /= 2
		}
		for i := range done {
			text, _ := batch.Entry(i)
			got = append(got, string(text))
		}
		return done, 0, check.RetryAfter(errors.New("away"), 0)
	}})
	var group sync.WaitGroup
	var taken [4]uint64
	for i := range taken {
		group.Go(func() {
			for n := range 5000 {
				if b.Add(fmt.Appendf(nil, "%d:%04d", i, n), 1) {
					taken[i]++
				}
			}
		})
	}
	group.Wait()
	b.Close()
	sum := taken[0] + taken[1] + taken[2] + taken[3]
	if s := b.Stats(); s.Sent+s.Failed != sum || s.Dropped != 20000-sum || s.Queued != 0 || int(s.Sent) != len(got) {
		t.Fatalf("Stats = %+v of %d taken, %d seen", s, sum, len(got))
	}
	last := map[byte]string{}
	for _, text := range got {
		if text <= last[text[0]] {
			t.Fatalf("%s after %s", text, last[text[0]])
		}
		last[text[0]] = text
	}
}

func TestBatchParts(t *testing.T) {
	t.Parallel()
	all := Batch{text: []byte("aabbbcccc"), marks: []mark{{2, 1}, {5, 2}, {9, 3}}}
	mid := all.Slice(1, 3)
	text, values := mid.Entry(1)
	if all.Values() != 6 || string(mid.Text()) != "bbbcccc" || mid.Values() != 5 || string(text) != "cccc" || values != 3 || mid.Slice(1, 1).Text() != nil {
		t.Fatalf("parts %q %q %d", mid.Text(), text, values)
	}
}
