package proctest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// Fleet is a system of the daemons in PATH, on a Redis of any kind, with checks
// of one target. A test is done with it when Judge has been.
type Fleet struct {
	testing.TB
	Queue  *redisqueue.Queue
	Target *Target
	// Slack is added to every bound of time, for busy machines.
	Slack time.Duration
	url   string

	mu      sync.Mutex // guards the rest
	procs   []*Proc
	checks  map[string]time.Duration // every, by id
	results map[string][]result
	cursors map[check.Lane]string
}

// result is a result with its place in its stream.
type result struct {
	sid string
	check.Event
}

// NewFleet makes a fleet on a Redis that is reached by url, and by client.
func NewFleet(t testing.TB, url string, client redis.UniversalClient) *Fleet {
	t.Helper()
	return &Fleet{
		TB: t, Queue: redisqueue.New(client, ""), Target: ServeTarget(t), Slack: 3 * time.Second, url: url,
		checks: map[string]time.Duration{}, results: map[string][]result{}, cursors: map[check.Lane]string{},
	}
}

// Start starts a daemon.
func (f *Fleet) Start(name, program string, args ...string) *Proc {
	f.Helper()
	p := Start(f, name, append([]string{program, "-redis", f.url, "-listen", "127.0.0.1:0"}, args...)...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.procs = append(f.procs, p)
	return p
}

// Up starts two schedulers and two workers and waits until they are ready.
func (f *Fleet) Up(workerArgs ...string) (schedulers, workers []*Proc) {
	f.Helper()
	for _, n := range []string{"1", "2"} {
		schedulers = append(schedulers, f.Start("s"+n, "scheduler"))
		workers = append(workers, f.Start("w"+n, "worker", append([]string{"-name", "w" + n}, workerArgs...)...))
	}
	for _, p := range append(slices.Clone(schedulers), workers...) {
		f.Eventually(30*time.Second, func() error {
			if !p.Alive() {
				f.Fatalf("%s ended with code %d", p.Name, p.Code)
			}
			return p.Ready()
		})
	}
	return schedulers, workers
}

// Procs gives all processes that were started.
func (f *Fleet) Procs() []*Proc {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.procs)
}

// Eventually waits until cond gives no error, within a bound and the slack.
func (f *Fleet) Eventually(within time.Duration, cond func() error) {
	f.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(within + f.Slack)
	defer limit.Stop()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			f.Fatalf("waited for %s in vain: %v", within+f.Slack, err)
		}
	}
}

// Redpoll runs the operator's command and gives its output and exit code.
func (f *Fleet) Redpoll(args ...string) (string, int) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "redpoll", append([]string{"--redis", f.url}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		f.Fatalf("redpoll %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), cmd.ProcessState.ExitCode()
}

// Must is Redpoll that has to succeed.
func (f *Fleet) Must(args ...string) string {
	f.Helper()
	out, code := f.Redpoll(args...)
	if code != 0 {
		f.Errorf("redpoll %s = %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// Add requests checks with a prefix and a number in a zone, spread over their
// grids, and waits until all have run.
func (f *Fleet) Add(zone, prefix string, n int, every time.Duration, more ...string) {
	f.Helper()
	begun := time.Now()
	for i := range n {
		id := fmt.Sprintf("%s%03d", prefix, i)
		f.Request(append([]string{
			"id", id, "zone", zone, "command", "tcp", "every", every.String(), "timeout", "10s", "params.host", "127.0.0.1",
			"params.port", fmt.Sprint(f.Target.Port), "params.send", id + "\n", "params.expect", "ok", "params.timeout", "9s", "first", "spread",
		}, more...)...)
	}
	f.Watch(prefix, n, every)
	f.GoOn(begun, 1, every+15*time.Second)
}

// Watch has checks with a prefix and a number judged that somebody else adds.
func (f *Fleet) Watch(prefix string, n int, every time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range n {
		f.checks[fmt.Sprintf("%s%03d", prefix, i)] = every
	}
}

// Request puts a request into the intake.
func (f *Fleet) Request(fields ...string) {
	f.Helper()
	if _, err := f.Queue.Request(f.Context(), fields); err != nil {
		f.Fatal(err)
	}
}

// GoOn waits until each check has run n times since an instant.
func (f *Fleet) GoOn(since time.Time, n int, within time.Duration) {
	f.Helper()
	f.mu.Lock()
	ids := slices.Sorted(maps.Keys(f.checks))
	f.mu.Unlock()
	f.Eventually(within, func() error {
		ids = slices.DeleteFunc(ids, func(id string) bool { return f.Target.Since(id, since) >= n })
		if len(ids) > 0 {
			return fmt.Errorf("%d checks have not run %d times: %.100s", len(ids), n, strings.Join(ids, " "))
		}
		return nil
	})
}

// ReadResults reads what has come into the streams of results of all lanes, also
// of those that their zones have given up since the latest call.
func (f *Fleet) ReadResults() {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	lanes, err := f.Queue.Lanes(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for lane := range f.cursors {
		lanes = append(lanes, lane)
	}
	for _, lane := range lanes {
		f.readLane(lane) // twice: there is nothing more
	}
}

func (f *Fleet) readLane(lane check.Lane) {
	f.Helper()
	for {
		from := "-"
		if f.cursors[lane] != "" {
			from = "(" + f.cursors[lane]
		}
		page, err := f.Queue.Client().XRangeN(f.Context(), f.Queue.KeyResults(lane), from, "+", 1000).Result()
		if err != nil {
			f.Fatal(err)
		}
		for _, m := range page {
			r := result{sid: m.ID}
			text, _ := m.Values["event"].(string)
			if err := json.Unmarshal([]byte(text), &r.Event); err != nil {
				f.Fatalf("result %s: %v", m.ID, err)
			}
			f.results[r.Check.ID] = append(f.results[r.Check.ID], r)
			f.cursors[lane] = m.ID
		}
		if len(page) < 1000 {
			return
		}
	}
}

// Judge compares what the target saw with what the results of all lanes say.
// running is 1 while runs go on, whose results are to come.
func (f *Fleet) Judge(b Bounds, running int) *Tally {
	f.Helper()
	begun := time.Now()
	f.ReadResults()
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := &Tally{}
	faults := map[string][]string{}
	b.Slack, b.Doubles = b.Slack+f.Slack, b.Doubles+running
	for id, every := range f.checks {
		k := Book{Every: every, Seen: f.Target.Of(id)}
		list := slices.SortedFunc(slices.Values(f.results[id]), func(x, y result) int { return compareSIDs(x.sid, y.sid) })
		for _, r := range list {
			k.Results = append(k.Results, r.Event)
		}
		if running > 0 {
			k = k.until(begun)
		}
		for kind, text := range k.Judge(b, sum) {
			faults[kind] = append(faults[kind], id+": "+text)
		}
	}
	for kind, list := range faults {
		slices.Sort(list)
		f.Errorf("%d checks %s:\n  %s", len(list), kind, strings.Join(list[:min(len(list), 5)], "\n  "))
	}
	f.Logf("%d checks, %s", len(f.checks), sum)
	return sum
}

// compareSIDs compares ids of stream entries of servers whose clocks agree.
func compareSIDs(a, b string) int {
	aMS, aSeq, _ := strings.Cut(a, "-")
	bMS, bSeq, _ := strings.Cut(b, "-")
	return cmp.Or(cmp.Compare(len(aMS), len(bMS)), strings.Compare(aMS, bMS), cmp.Compare(len(aSeq), len(bSeq)), strings.Compare(aSeq, bSeq))
}

// Beside gives the checks of which two runs went on at once.
func (f *Fleet) Beside() (ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.checks {
		if slices.ContainsFunc(f.Target.Of(id), func(a Arrival) bool { return a.Beside }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
