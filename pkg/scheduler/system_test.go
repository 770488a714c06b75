package scheduler

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// verdictsOf counts verdicts and lets a test wait for them.
type verdictsOf struct {
	mu   sync.Mutex
	got  map[string]int // guarded by mu
	seen chan struct{}
}

func (v *verdictsOf) add(c check.Verdict) {
	v.mu.Lock()
	v.got[c.Verdict]++
	v.mu.Unlock()
	select {
	case v.seen <- struct{}{}:
	default:
	}
}

func (v *verdictsOf) wait(t *testing.T, verdict string, n int) {
	t.Helper()
	late := time.After(60 * time.Second)
	for {
		v.mu.Lock()
		got := v.got[verdict]
		v.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-v.seen:
		case <-late:
			t.Fatalf("%d verdicts %s, want %d", got, verdict, n)
		}
	}
}

// run starts a scheduler on the server and stops it with the test.
func run(t *testing.T, s *redistest.Server, hooks Hooks) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	sched := New(redisqueue.New(s.Client(t), ""), Config{Commands: testCommands(), Hooks: hooks})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := sched.Run(ctx); err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

// addMany puts n flat requests into the intake.
func addMany(t testing.TB, c *redis.Client, key string, n int) {
	t.Helper()
	pipe := c.Pipeline()
	for i := range n {
		words := append([]any{"XADD", key, "*"}, anys(append(set(fmt.Sprintf("c%d", i), "1h"), "first", "spread"))...)
		pipe.Do(t.Context(), words...)
		if pipe.Len() == 1000 || i == n-1 {
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func anys(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

// 100,000 flat adds take well under a minute; a test has time for fewer.
func TestIntakeThroughput(t *testing.T) {
	t.Parallel()
	const n = 5000
	server := redistest.Start(t)
	r := newRig(t, server.Client(t))
	addMany(t, r.client, r.KeyIntake(), n)
	v := &verdictsOf{got: map[string]int{}, seen: make(chan struct{}, 1)}
	begin := time.Now()
	run(t, server, Hooks{Verdict: v.add})
	v.wait(t, accepted, n)
	took := time.Since(begin)
	t.Logf("%d requests in %s, %.0f a second", n, took, n/took.Seconds())
	if took > 20*time.Second {
		t.Errorf("%d requests took %s", n, took)
	}
}

// A scheduler dies with the intake in its hands: another one goes on with what
// is left, and nothing is applied twice or lost.
func TestAnotherSchedulerTakesTheIntakeOver(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newRig(t, server.Client(t))
	ok, err := r.IntakeLock(t.Context(), "one that dies")
	r.must(err)
	addMany(t, r.client, r.KeyIntake(), 300)
	if _, err := r.IntakeNew(t.Context(), 200, 0); err != nil || !ok {
		t.Fatalf("IntakeNew() = %v, lock %v", err, ok)
	}
	v := &verdictsOf{got: map[string]int{}, seen: make(chan struct{}, 1)}
	begin := time.Now()
	run(t, server, Hooks{Verdict: v.add})
	run(t, server, Hooks{Verdict: v.add})
	v.wait(t, accepted, 300)
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("took over after %s, want about 2 s", took)
	}
}

// Redis is killed and comes back empty but for the registry: all checks are
// dispatched again.
func TestNothingIsLostButTheRegistryStays(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newRig(t, server.Client(t))
	v := &verdictsOf{got: map[string]int{}, seen: make(chan struct{}, 1)}
	run(t, server, Hooks{Verdict: v.add})
	run(t, server, Hooks{Verdict: v.add})
	for i := range 50 {
		r.request(append(set(fmt.Sprintf("c%d", i), "1s"), "first", "spread")...)
	}
	v.wait(t, accepted, 50)
	specs, err := r.client.HGetAll(t.Context(), r.KeySpecs(lane0)).Result()
	r.must(err)
	if len(specs) != 50 {
		t.Fatalf("%d specs", len(specs))
	}
	server.Kill()
	r.must(server.Run(t))
	r.must(r.client.HSet(t.Context(), r.KeySpecs(lane0), specs).Err())
	seen := map[string]bool{}
	late := time.Now().Add(30 * time.Second)
	for len(seen) < 50 && time.Now().Before(late) {
		entries, err := r.Read(t.Context(), "w", []check.Lane{lane0}, 100, 200*time.Millisecond)
		r.must(err)
		for _, e := range entries {
			seen[e.ID] = true
		}
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 checks run again", len(seen))
	}
}

// Lateness of dispatch at 1,000 checks a second, each once and none early.
func TestDispatchLateness(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newRig(t, server.Client(t))
	const n = 2000
	start := r.now() + 500
	var adoptions []check.Adoption
	for i := range n {
		text := spec(fmt.Sprintf("c%d", i), "")
		adoptions = append(adoptions, check.Adoption{
			ID: fmt.Sprintf("c%d", i), Rev: "1-0", Spec: text, SHA: check.SHA(text), First: start + int64(i),
		})
	}
	for page := range slices.Chunk(adoptions, 200) {
		_, err := r.Adopt(t.Context(), lane0, page)
		r.must(err)
	}
	r.must(r.EnterZone(t.Context(), "default"))
	run(t, server, Hooks{})
	run(t, server, Hooks{})
	var late []int64
	for len(late) < n {
		found, err := r.Read(t.Context(), "w", []check.Lane{lane0}, 200, time.Second)
		r.must(err)
		if len(found) == 0 {
			break
		}
		for _, e := range found {
			var i int64
			if _, err := fmt.Sscanf(e.ID, "c%d", &i); err != nil {
				t.Fatal(err)
			}
			late = append(late, entryMS(e.SID)-start-i)
		}
	}
	slices.Sort(late)
	if len(late) != n || late[0] < 0 {
		t.Fatalf("%d checks were dispatched, want %d; the earliest %v ms late", len(late), n, late[:1])
	}
	t.Logf("lateness: p50 %d ms, p99 %d ms, max %d ms", late[n/2], late[n*99/100], late[n-1])
	// Other tests run beside this one: the bar is far above the 20 ms of a quiet machine.
	if late[n*99/100] > 500 {
		t.Errorf("p99 lateness = %d ms", late[n*99/100])
	}
}
