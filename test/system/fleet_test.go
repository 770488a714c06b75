package system

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// lease is that of the workers here: short, so that losses are soon made good.
const lease = 2 * time.Second

// fleet is a Redis with schedulers, workers and checks of one test.
type fleet struct {
	testing.TB
	redis  *redistest.Server
	client *redis.Client
	target *target
	// reach gives the flags by which a program reaches Redis.
	reach func(program string) []string

	mu      sync.Mutex // guards the rest
	procs   []*proc
	checks  map[string]time.Duration // every, by id
	results map[string][]check.Event
	cursor  string // the last result that was read
}

// newFleet starts a Redis of its own, with more arguments if there are any. It
// must be called from the test itself. What that Redis has answered stands in its
// append-only file when it is killed: with "everysec" it would not, while the
// disk is busy, and nothing can be said of what was lost.
func newFleet(t testing.TB, more ...string) *fleet {
	t.Helper()
	notShort(t)
	return newFleetOn(t, redistest.Start(t, append([]string{"--appendonly", "yes", "--appendfsync", "no"}, more...)...))
}

// notShort skips a test that takes long where that was asked for.
func notShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: system tests take minutes, and -short was asked for")
	}
	binary(t, "redpoll")
}

// newFleetOn is newFleet with a Redis that is there.
func newFleetOn(t testing.TB, s *redistest.Server) *fleet {
	t.Helper()
	f := &fleet{
		TB: t, redis: s, client: s.Client(t), target: serveTarget(t),
		checks: map[string]time.Duration{}, results: map[string][]check.Event{}, cursor: "0-0",
	}
	f.reach = func(program string) []string {
		switch program {
		case "redis-cli":
			return []string{"-p", strconv.Itoa(s.Port)}
		case "redpoll":
			return []string{"--redis", s.URL()}
		}
		return []string{"-redis", s.URL()}
	}
	return f
}

func (f *fleet) start(name, program string, args ...string) *proc {
	f.Helper()
	words := append([]string{binary(f, program), "-listen", "127.0.0.1:0"}, f.reach(program)...)
	return f.enlist(start(f, name, append(words, args...)...))
}

func (f *fleet) enlist(p *proc) *proc {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.procs = append(f.procs, p)
	return p
}

// again starts a process that has ended anew.
func (f *fleet) again(p *proc) *proc {
	f.Helper()
	p.Replaced = true
	return f.enlist(p.again())
}

func (f *fleet) scheduler(name string) *proc {
	f.Helper()
	return f.start(name, "scheduler")
}

func (f *fleet) worker(name string, args ...string) *proc {
	f.Helper()
	return f.start(name, "worker", append([]string{"-name", name, "-lease", lease.String()}, args...)...)
}

// up starts schedulers s1... and workers w1... and waits until all are ready.
func (f *fleet) up(schedulers, workers int) (ss, ws []*proc) {
	f.Helper()
	for i := range schedulers {
		ss = append(ss, f.scheduler(fmt.Sprintf("s%d", i+1)))
	}
	for i := range workers {
		ws = append(ws, f.worker(fmt.Sprintf("w%d", i+1)))
	}
	f.ready(append(slices.Clone(ss), ws...)...)
	return ss, ws
}

func (f *fleet) ready(ps ...*proc) {
	f.Helper()
	for _, p := range ps {
		f.eventually(15*time.Second, func() error {
			if !p.alive() {
				f.Fatalf("%s ended with code %d", p.Name, p.Code)
			}
			return p.ready()
		})
	}
}

// running gives the processes that are there, by the start of their name.
func (f *fleet) running(prefix string) (ps []*proc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.procs {
		if p.alive() && strings.HasPrefix(p.Name, prefix) {
			ps = append(ps, p)
		}
	}
	return ps
}

// repairs counts all repairs so far, by kind.
func (f *fleet) repairs() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	kinds := map[string]int{}
	for _, p := range f.procs {
		p.repairs(kinds)
	}
	return kinds
}

// eventually waits until cond gives no error, within a bound and the slack.
func (f *fleet) eventually(within time.Duration, cond func() error) {
	f.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(within + *slack)
	defer limit.Stop()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			f.Fatalf("waited for %s in vain: %v", within+*slack, err)
		}
	}
}

// run runs a program to its end and gives its output and exit code.
func (f *fleet) run(stdin, program string, args ...string) (string, int) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		f.Fatalf("%s %s: %v", program, args, err)
	}
	return strings.TrimSpace(string(out)), cmd.ProcessState.ExitCode()
}

// redpoll runs the CLI.
func (f *fleet) redpoll(args ...string) (string, int) {
	f.Helper()
	return f.run("", binary(f, "redpoll"), append(f.reach("redpoll"), args...)...)
}

// cli runs redis-cli with the words of one command.
func (f *fleet) cli(words ...string) string {
	f.Helper()
	out, code := f.run("", "redis-cli", append(append(f.reach("redis-cli"), "-e"), words...)...)
	if code != 0 {
		f.Fatalf("redis-cli %q: %s", words, out)
	}
	return out
}

// lines lets redis-cli read commands from its input, one a line, and gives the
// answers.
func (f *fleet) lines(commands ...string) []string {
	f.Helper()
	out, code := f.run(strings.Join(commands, "\n")+"\n", "redis-cli", f.reach("redis-cli")...)
	if code != 0 {
		f.Fatalf("redis-cli: %s", out)
	}
	return strings.Split(out, "\n")
}

// key names a key of the lane where all checks are unless a test says so.
func key(name string) string { return "redpoll:{default:0}:" + name }

// addLine is the redis-cli line that adds a check of the target.
func (f *fleet) addLine(id, every string, more ...string) string {
	return fmt.Sprintf(`XADD redpoll:intake * id %s command tcp every %s timeout 40s params.timeout 40s params.host 127.0.0.1 params.port %d params.send "%s\n" params.expect ok %s`,
		id, every, f.target.port, id, strings.Join(more, " "))
}

// add adds checks c000... to the fleet, spread over their grids, and waits
// until all have run.
func (f *fleet) add(n int, every ...time.Duration) {
	f.Helper()
	var add []string
	ids := map[string]time.Duration{}
	for i := range n {
		id, e := fmt.Sprintf("c%03d", i), every[i%len(every)]
		ids[id] = e
		add = append(add, f.addLine(id, e.String(), "first spread"))
	}
	f.mu.Lock()
	maps.Copy(f.checks, ids)
	f.mu.Unlock()
	begun := time.Now()
	f.lines(add...)
	f.goOn(begun, 1, slices.Max(every)+5*time.Second)
}

// all gives the ids of the fleet's checks.
func (f *fleet) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.checks))
}

// goOn waits until each check has arrived n times since an instant.
func (f *fleet) goOn(since time.Time, n int, within time.Duration) {
	f.Helper()
	f.eventually(within, func() error { return f.behind(since, n) })
}

// behind gives an error unless each check has arrived n times since an instant.
func (f *fleet) behind(since time.Time, n int) error {
	var waiting []string
	for _, id := range f.all() {
		if f.target.since(id, since) < n {
			waiting = append(waiting, id)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	late := fmt.Sprintf("%d checks have not run %d times: %.100s", len(waiting), n, strings.Join(waiting, " "))
	record, err := f.client.HGet(f.Context(), key("runs"), waiting[0]).Result()
	if err != nil {
		return fmt.Errorf("%s; the first one's record: %w", late, err)
	}
	return fmt.Errorf("%s; the first one's record: %q", late, record)
}

// readResults reads what has come into the stream of results.
func (f *fleet) readResults() {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		page, err := f.client.XRangeN(f.Context(), key("results"), "("+f.cursor, "+", 1000).Result()
		if err != nil {
			f.Fatal(err)
		}
		for _, m := range page {
			var ev check.Event
			if err := json.Unmarshal([]byte(m.Values["event"].(string)), &ev); err != nil {
				f.Fatalf("result %s: %v", m.ID, err)
			}
			f.results[ev.Check.ID] = append(f.results[ev.Check.ID], ev)
			f.cursor = m.ID
		}
		if len(page) < 1000 {
			return
		}
	}
}
