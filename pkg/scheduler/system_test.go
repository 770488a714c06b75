package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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
	return runOn(t, redisqueue.New(s.Client(t), ""), hooks)
}

// runOn starts a scheduler on a queue and stops it with the test.
func runOn(t *testing.T, q Queue, hooks Hooks) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	sched := New(q, Config{Commands: testCommands(), Hooks: hooks})
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

// pages counts the calls of the intake that bring or change something.
type pages struct {
	*redisqueue.Queue
	read, adopted, done atomic.Int64
}

func (p *pages) IntakeNew(ctx context.Context, count int, block time.Duration) ([]check.IntakeEntry, error) {
	found, err := p.Queue.IntakeNew(ctx, count, block)
	if len(found) > 0 {
		p.read.Add(1)
	}
	return found, err
}

func (p *pages) Adopt(ctx context.Context, lane check.Lane, as []check.Adoption) ([]check.AdoptOutcome, error) {
	p.adopted.Add(1)
	return p.Queue.Adopt(ctx, lane, as)
}

func (p *pages) IntakeDone(ctx context.Context, vs []check.Verdict) error {
	p.done.Add(1)
	return p.Queue.IntakeDone(ctx, vs)
}

// Many flat adds are read, applied and answered by the page: that is what lets
// 100,000 of them take well under a minute.
func TestIntakeThroughput(t *testing.T) {
	t.Parallel()
	const n = 2000
	server := redistest.Start(t)
	r := newRig(t, server.Client(t))
	addMany(t, r.client, r.KeyIntake(), n)
	v := &verdictsOf{got: map[string]int{}, seen: make(chan struct{}, 1)}
	q := &pages{Queue: r.Queue}
	begin := time.Now()
	stop := runOn(t, q, Hooks{Verdict: v.add})
	v.wait(t, accepted, n)
	took := time.Since(begin)
	stop()
	t.Logf("%d requests in %s, %.0f a second", n, took, n/took.Seconds())
	const want = n / 200 // pages, as large as they may be
	if read, adopted, done := q.read.Load(), q.adopted.Load(), q.done.Load(); read != want || adopted != want || done != want {
		t.Errorf("%d requests were read by %d calls, applied by %d, answered by %d, want %d each", n, read, adopted, done, want)
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
	if ttl := r.client.PTTL(t.Context(), r.KeyIntakeLock()).Val(); ttl > lockTTL {
		t.Errorf("its lock lasts for %s, want %s at most", ttl, lockTTL)
	}
	addMany(t, r.client, r.KeyIntake(), 300)
	if _, err := r.IntakeNew(t.Context(), 200, 0); err != nil || !ok {
		t.Fatalf("IntakeNew() = %v, lock %v", err, ok)
	}
	v := &verdictsOf{got: map[string]int{}, seen: make(chan struct{}, 1)}
	run(t, server, Hooks{Verdict: v.add})
	run(t, server, Hooks{Verdict: v.add})
	v.wait(t, accepted, 300)
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

// punctual is a queue that notes when its lane was dispatched, and whether
// there was room for all that was due.
type punctual struct {
	*redisqueue.Queue
	mu    sync.Mutex
	calls []dispatchCall // guarded by mu
}

type dispatchCall struct {
	now   int64 // by the server's clock, unix ms
	moved int
	full  bool
}

func (p *punctual) Dispatch(ctx context.Context, lane check.Lane, limit int) (check.Dispatched, error) {
	d, err := p.Queue.Dispatch(ctx, lane, limit)
	if err == nil {
		p.mu.Lock()
		p.calls = append(p.calls, dispatchCall{d.Now, d.Moved, d.Moved == limit})
		p.mu.Unlock()
	}
	return d, err
}

// passedOver gives the due times that a call with room left to a later one, of
// all in the order in which they were dispatched. No scheduler runs any more.
func (p *punctual) passedOver(dues []int64) (left []int64) {
	slices.SortFunc(p.calls, func(a, b dispatchCall) int { return cmp.Compare(a.now, b.now) })
	room := int64(0) // the latest call that had some
	for _, c := range p.calls {
		n := min(c.moved, len(dues))
		for _, due := range dues[:n] {
			if due <= room && room < c.now {
				left = append(left, due)
			}
		}
		dues = dues[n:]
		if !c.full {
			room = c.now
		}
	}
	return left
}

// Dispatch of 1,000 checks a second by two schedulers: each once, none early,
// and none later than the first call after its time. How soon that comes is
// seen where time is not the machine's: TestDispatchIsPunctualAndCheap.
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
	q := &punctual{Queue: r.Queue}
	stop, stopOther := runOn(t, q, Hooks{}), runOn(t, q, Hooks{})
	var found []check.Entry
	for late := time.Now().Add(time.Minute); len(found) < n && time.Now().Before(late); {
		more, err := r.Read(t.Context(), "w", []check.Lane{lane0}, 200, time.Second)
		r.must(err)
		found = append(found, more...)
	}
	stop()
	stopOther()
	seen := map[string]bool{}
	var dues, late []int64
	for _, e := range found {
		var i int64
		if _, err := fmt.Sscanf(e.ID, "c%d", &i); err != nil {
			t.Fatal(err)
		}
		dues, late = append(dues, start+i), append(late, entryMS(e.SID)-start-i)
		seen[e.ID] = true
	}
	if all := r.client.XLen(t.Context(), r.KeyReady(lane0)).Val(); len(seen) != n || all != n {
		t.Fatalf("%d of %d checks were dispatched, %d entries", len(seen), n, all)
	}
	if left := q.passedOver(dues); len(left) > 0 {
		t.Errorf("calls passed over %d checks that were due: %v", len(left), left)
	}
	slices.Sort(late)
	if late[0] < 0 {
		t.Errorf("a check was dispatched %d ms before its time", -late[0])
	}
	t.Logf("lateness: p50 %d ms, p99 %d ms, max %d ms", late[n/2], late[n*99/100], late[n-1])
}
