package scheduler

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// Passes take turns over the lanes, at the pace that keeps Redis free, and
// only while the lock is held.
func TestRepairPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const large = 100 // pages of lane 1
		var mine atomic.Bool
		pages := map[int]int{}
		starts := map[int]int{}
		f := &fakeQueue{
			zones: func() (map[string]check.Zone, error) {
				return map[string]check.Zone{"default": {Version: 1, Partitions: 2}}, nil
			},
			lock: func(string) (bool, error) { return mine.Load(), nil },
			scanSpecs: func(lane check.Lane, cursor uint64, _ int) ([]check.Stored, uint64, error) {
				pages[lane.Part]++
				if cursor == 0 {
					starts[lane.Part]++
				}
				if lane.Part == 1 && cursor < large {
					return nil, cursor + 1, nil
				}
				return nil, 0, nil
			},
		}
		done := make(chan struct{})
		go func() { defer close(done); runFor(t, New(f, Config{}), 70*time.Second) }()
		time.Sleep(10 * time.Second)
		if len(pages) > 0 {
			t.Error("repair ran without the lock")
		}
		mine.Store(true)
		<-done
		if starts[0] < 10 || starts[0] > 13 {
			t.Errorf("small lane: %d passes in 60 s, want one each 5 s", starts[0])
		}
		if starts[1] < 7 {
			t.Errorf("large lane: %d passes of %d pages in 60 s", starts[1], large)
		}
		if total := pages[0] + pages[1]; total > 20*60 {
			t.Errorf("%d pages in 60 s, want at most 20 a second", total)
		}
	})
}

func TestHorizons(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	var h horizons
	for _, tt := range []struct {
		text string
		want time.Duration
	}{
		{spec("a", ""), 2 * time.Hour},
		{`{"id":"a","command":"probe","cron":"0 0 * * *"}`, 36 * time.Hour},
		{`{"id":"a","command":"probe","at":"2030-01-01T13:00:00Z"}`, time.Hour + time.Second},
		{`{"id":"a","command":"probe","at":"2029-01-01T13:00:00Z"}`, 0},
		{"rubbish", 0},
	} {
		for range 2 {
			if got := h.ahead(check.SHA(tt.text), tt.text, now); got != tt.want.Milliseconds() {
				t.Errorf("ahead(%s) = %d ms, want %s", tt.text, got, tt.want)
			}
		}
	}
	cron := `{"id":"a","command":"probe","cron":"0 0 * * *"}`
	if got := h.ahead(check.SHA(cron), cron, now.Add(13*time.Hour)); got != 47*time.Hour.Milliseconds() {
		t.Errorf("the horizon of a cron schedule moves with time: %d ms", got)
	}
}

// Repair adopts within 10 s what was put into a registry of 10,000 checks.
func TestRepairAdoptsAmongTenThousand(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t).Client(t))
	ctx := t.Context()
	for page := range 50 {
		var pairs []any
		for i := range 200 {
			id := fmt.Sprintf("c%d-%d", page, i)
			pairs = append(pairs, id, spec(id, ""))
		}
		r.must(r.client.HSet(ctx, r.KeySpecs(lane0), pairs...).Err())
	}
	begin := time.Now()
	if got := len(r.pass(lane0)); got != 10_000 {
		t.Errorf("adopted %d checks, want 10,000", got)
	}
	adopt := time.Since(begin)
	begin = time.Now()
	if got := r.pass(lane0); len(got) > 0 {
		t.Errorf("a quiet pass found %d", len(got))
	}
	t.Logf("adopted 10,000 in %s, a quiet pass takes %s", adopt, time.Since(begin))
}

// While checks of a zone move, passes are quick, and go where checks are to leave.
func TestRepairPaceOfMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		zone := check.Zone{Version: 2, Partitions: 8, Spread: 8}
		away := "c0" // belongs to another lane than the first
		for i := 1; zone.Home("default", away).Part == 0; i++ {
			away = fmt.Sprint("c", i)
		}
		var counted atomic.Bool
		pages := map[int]int{}
		f := &fakeQueue{
			zones: func() (map[string]check.Zone, error) { return map[string]check.Zone{"default": zone}, nil },
			scanSpecs: func(lane check.Lane, cursor uint64, _ int) ([]check.Stored, uint64, error) {
				if counted.Load() {
					pages[lane.Part]++
				}
				if lane.Part == 0 {
					return []check.Stored{{ID: away, Spec: spec(away, "")}}, (cursor + 1) % 2000, nil
				}
				return nil, (cursor + 1) % 200, nil
			},
		}
		done := make(chan struct{})
		go func() { defer close(done); runFor(t, New(f, Config{}), 80*time.Second) }()
		time.Sleep(20 * time.Second) // all lanes were gone through since the zone has these partitions
		counted.Store(true)
		<-done
		rest := 0
		for part, n := range pages {
			if part > 0 {
				rest += n
			}
			if n == 0 {
				t.Errorf("nobody looks at lane %d", part)
			}
		}
		if pages[0] < 60*100 || len(pages) != 8 || rest > pages[0] {
			t.Errorf("in 60 s %d pages of the lane that checks leave, and %d of the others (%d lanes)", pages[0], rest, len(pages))
		}
	})
}
