package scheduler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// grid is a schedule of n checks that are due every period, spread evenly: a
// fake of the lane's sorted set that runs them in no time.
type grid struct {
	mu    sync.Mutex
	due   []time.Time // guarded by mu
	every time.Duration
	late  []time.Duration // guarded by mu
	calls int             // guarded by mu
}

func newGrid(n int, every time.Duration) *grid {
	g := &grid{every: every}
	for i := range n {
		g.due = append(g.due, time.Now().Add(every*time.Duration(i)/time.Duration(n)).Truncate(time.Millisecond))
	}
	return g
}

func (g *grid) dispatch(_ check.Lane, limit int) (check.Dispatched, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls++
	now := time.Now()
	d := check.Dispatched{Now: now.UnixMilli(), Next: -1}
	for i, due := range g.due {
		if !due.After(now) && d.Moved < limit {
			g.late = append(g.late, now.Sub(due))
			g.due[i] = due.Add(g.every)
			d.Moved++
		}
		if ms := g.due[i].UnixMilli(); d.Next < 0 || ms < d.Next {
			d.Next = ms
		}
	}
	return d, nil
}

// runFor runs a scheduler for d and waits for its end.
func runFor(t *testing.T, s *Scheduler, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func TestDispatchIsPunctualAndCheap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGrid(1000, time.Second)
		runFor(t, New(&fakeQueue{dispatch: g.dispatch}, Config{}), 12*time.Second)
		slices.Sort(g.late)
		if len(g.late) < 11_900 {
			t.Fatalf("dispatched %d checks in 12 s, want about 12,000", len(g.late))
		}
		if p99 := g.late[len(g.late)*99/100]; p99 > 10*time.Millisecond {
			t.Errorf("p99 lateness = %s, want at most 10 ms", p99)
		}
		if g.calls > 12*210 {
			t.Errorf("%d calls in 12 s, want at most 200 a second", g.calls)
		}
	})
}

func TestDispatchGoesOnWhileBatchesAreFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left, start := 1000, time.Now()
		var took time.Duration
		f := &fakeQueue{dispatch: func(_ check.Lane, limit int) (check.Dispatched, error) {
			d := check.Dispatched{Moved: min(limit, left), Now: time.Now().UnixMilli(), Next: -1}
			if left -= d.Moved; left == 0 && took == 0 {
				took = time.Since(start) + 1
			}
			return d, nil
		}}
		runFor(t, New(f, Config{}), time.Second)
		if took == 0 || took > time.Millisecond {
			t.Errorf("1000 due checks took %s, want no pause between full batches", took)
		}
	})
}

func TestIdleLaneRestsAtMost50ms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGrid(0, time.Second)
		runFor(t, New(&fakeQueue{dispatch: g.dispatch}, Config{}), 10*time.Second)
		if g.calls < 200 || g.calls > 280 {
			t.Errorf("%d calls of an idle lane in 10 s, want 200 to 267", g.calls)
		}
	})
}

// A score that a person typed may lie in the far future or be no number.
func TestDispatchStandsAnyNextTime(t *testing.T) {
	t.Parallel()
	s := New(&fakeQueue{}, Config{})
	s.lanes.update(map[string]check.Zone{"default": {Version: 1, Partitions: 1}}, time.Now())
	for _, next := range []int64{-1 << 63, -5, -1, 0, 1, 1 << 40, 1<<63 - 1} {
		got := s.nextWait(check.Dispatched{Now: 1_700_000_000_000, Next: next})
		if got < s.cfg.MinWait || got > s.cfg.MaxWait {
			t.Errorf("nextWait(Next %d) = %s, want %s to %s", next, got, s.cfg.MinWait, s.cfg.MaxWait)
		}
	}
}

// One lane that does not answer and one that is always full leave the others
// as punctual as they are alone.
func TestNoLaneStarves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		grids := map[int]*grid{}
		for part := range 14 {
			grids[part] = newGrid(100, time.Second)
		}
		broken := 0
		f := &fakeQueue{
			zones: func() (map[string]check.Zone, error) {
				return map[string]check.Zone{"default": {Version: 1, Partitions: 16}}, nil
			},
			dispatch: func(lane check.Lane, limit int) (check.Dispatched, error) {
				switch lane.Part {
				case 14:
					broken++
					time.Sleep(3 * time.Second)
					return check.Dispatched{}, errors.New("i/o timeout")
				case 15:
					time.Sleep(time.Millisecond)
					return check.Dispatched{Moved: limit, Now: time.Now().UnixMilli()}, nil
				}
				return grids[lane.Part].dispatch(lane, limit)
			},
		}
		runFor(t, New(f, Config{}), 10*time.Second)
		if broken == 0 {
			t.Error("the broken lane was not tried")
		}
		for part, g := range grids {
			slices.Sort(g.late)
			if p99 := g.late[len(g.late)*99/100]; p99 > 20*time.Millisecond || len(g.late) < 980 {
				t.Errorf("lane %d: %d checks, p99 lateness %s, want 1000 and at most 20 ms", part, len(g.late), p99)
			}
		}
	})
}

func TestRedisAwayEndsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		away := func() bool { return time.Since(start) > 2*time.Second && time.Since(start) < 30*time.Second }
		g := newGrid(10, time.Second)
		tries := 0
		var failed atomic.Int64
		var after time.Duration
		f := &fakeQueue{
			zones: func() (map[string]check.Zone, error) {
				if away() {
					return nil, errors.New("connection refused")
				}
				return map[string]check.Zone{"default": {Version: 1, Partitions: 1}}, nil
			},
			dispatch: func(lane check.Lane, limit int) (check.Dispatched, error) {
				if away() {
					tries++
					return check.Dispatched{}, errors.New("connection refused")
				}
				if tries > 0 && after == 0 {
					after = time.Since(start) - 30*time.Second
				}
				return g.dispatch(lane, limit)
			},
		}
		s := New(f, Config{Hooks: Hooks{Failed: func(string) { failed.Add(1) }}})
		done := make(chan struct{})
		go func() { defer close(done); runFor(t, s, 40*time.Second) }()
		time.Sleep(time.Second)
		if err := s.Ready(); err != nil {
			t.Errorf("Ready() = %v while Redis answers", err)
		}
		time.Sleep(10 * time.Second)
		if err := s.Ready(); !errors.Is(err, ErrAway) {
			t.Errorf("Ready() = %v while Redis is away, want ErrAway", err)
		}
		<-done
		if tries < 5 || tries > 20 {
			t.Errorf("%d tries in 28 s, want a few, with growing pauses", tries)
		}
		if after > longPause {
			t.Errorf("went on %s after Redis came back, want at most %s", after, longPause)
		}
		if failed.Load() == 0 {
			t.Error("no failure was told to the hooks")
		}
	})
}

// The stop lets a move that has begun end, and cuts it off after the grace.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		unlocked := false
		f := &fakeQueue{unlock: func(string) error { unlocked = true; return nil }}
		s := New(f, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run() = %v", err)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("stopped %s after the signal, want at most 1 s", took-3*time.Second)
		}
		if !unlocked {
			t.Error("the intake's lock was kept")
		}
	})
}

func TestPrepareComesFirstAndAgainAfterTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		calls := 0
		f := &fakeQueue{
			lock:    func(string) (bool, error) { return false, nil },
			prepare: func(lane check.Lane) error { order = append(order, "prepare "+lane.String()); return nil },
			dispatch: func(check.Lane, int) (check.Dispatched, error) {
				if calls++; calls == 2 {
					return check.Dispatched{}, errors.New("READONLY")
				}
				order = append(order, "dispatch")
				return check.Dispatched{Now: 1, Next: -1}, nil
			},
		}
		runFor(t, New(f, Config{MaxWait: 400 * time.Millisecond}), time.Second)
		want := []string{"prepare default:0", "dispatch", "prepare default:0", "dispatch"}
		if len(order) < 4 || !slices.Equal(order[:4], want) {
			t.Errorf("order = %q, want %q first", order, want)
		}
	})
}

// Calls that do not come back hold up the stop no longer than the grace and
// 1 s.
func TestStopWithHangingRedis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{dispatch: func(check.Lane, int) (check.Dispatched, error) {
			<-time.After(time.Minute)
			return check.Dispatched{}, errors.New("timeout")
		}}
		begun := time.Now()
		runFor(t, New(q, Config{Grace: 2 * time.Second}), 5*time.Second)
		if took := time.Since(begun) - 5*time.Second; took > 3*time.Second {
			t.Errorf("the stop took %s, want the grace of 2 s and 1 s at most", took)
		}
		<-time.After(2 * time.Minute) // what hangs ends before the test does
	})
}
