package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/worker"
)

// benchMetrics counts runs, and keeps how late they started while it is asked
// to.
type benchMetrics struct {
	finished atomic.Int64
	keep     atomic.Bool
	mu       sync.Mutex // guards late
	late     []time.Duration
}

// Started keeps how late a run started.
func (m *benchMetrics) Started(late time.Duration) {
	if m.keep.Load() {
		m.mu.Lock()
		m.late = append(m.late, late)
		m.mu.Unlock()
	}
}

// Finished counts a run.
func (m *benchMetrics) Finished(string, check.State, time.Duration) { m.finished.Add(1) }

// HandlerFailed is not measured: bench has no handlers.
func (m *benchMetrics) HandlerFailed(string) {}

// Count is not measured.
func (m *benchMetrics) Count(worker.Counter, int) {}

const (
	benchLateChecks = 10_000
	benchLateEvery  = 10 * time.Second
	benchWarmUp     = 2 * time.Second
)

// warmUp is how long the fleet runs before it is measured.
func (o *benchOptions) warmUp() time.Duration { return min(benchWarmUp, o.duration/2) }

// benchLate measures how late checks start at an easy pace.
func (a *app) benchLate(ctx context.Context, o benchOptions, r *benchLateness) error {
	m := &benchMetrics{}
	n := benchLateChecks
	if o.checks > 0 {
		n = min(n, o.checks)
	}
	err := a.benchPart(ctx, m, benchLoad{n, benchLateEvery, o.warmUp()}, func() error {
		m.keep.Store(true)
		err := sleep(ctx, o.duration)
		m.keep.Store(false)
		return err
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	*r = benchLateness{Checks: n, Every: shortDuration(benchLateEvery), Starts: len(m.late)}
	if len(m.late) == 0 {
		return errors.New("bench: no check started")
	}
	slices.Sort(m.late)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	r.P50, r.P99, r.Max = ms(m.late[len(m.late)/2]), ms(m.late[len(m.late)*99/100]), ms(m.late[len(m.late)-1])
	r.Early, _ = slices.BinarySearch(m.late, 0)
	return nil
}

// What benchFull tries first when it has to find out how many checks are more
// than can be run. Two seconds of work keep a worker busy; ten would make it
// skip what is too late.
const (
	benchTryChecks = 20_000
	benchTryTime   = 2 * time.Second
	benchAhead     = 2
)

// benchFull measures cycles with more due checks than can be run.
func (a *app) benchFull(ctx context.Context, o benchOptions, r *benchCycles) error {
	if o.checks == 0 {
		try := benchOptions{checks: benchTryChecks, duration: benchTryTime}
		if err := a.benchCycles(ctx, try, r); err != nil {
			return err
		}
		o.checks = max(int(r.PerSecond)*benchAhead, 1000)
	}
	return a.benchCycles(ctx, o, r)
}

func (a *app) benchCycles(ctx context.Context, o benchOptions, r *benchCycles) error {
	m := &benchMetrics{}
	return a.benchPart(ctx, m, benchLoad{o.checks, time.Second, o.warmUp()}, func() error {
		before, beforeRedis, beforeOwn, start := m.finished.Load(), a.redisCPU(ctx), ownCPU(), time.Now()
		if err := sleep(ctx, o.duration); err != nil {
			return err
		}
		done, took := m.finished.Load()-before, time.Since(start)
		if done == 0 {
			return errors.New("bench: no check was run")
		}
		*r = benchCycles{Checks: o.checks, Seconds: took.Seconds(), PerSecond: float64(done) / took.Seconds()}
		us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(done) }
		r.OwnCPU = us(ownCPU() - beforeOwn)
		if used := a.redisCPU(ctx) - beforeRedis; used > 0 {
			r.RedisCPU = us(used)
		}
		return nil
	})
}

// benchLoad is the checks of one part of the measurement.
type benchLoad struct {
	checks int
	every  time.Duration
	warmUp time.Duration
}

// benchPart registers checks, starts a fleet and measures once it is warm.
func (a *app) benchPart(ctx context.Context, m *benchMetrics, load benchLoad, measure func() error) error {
	conn, remove, err := a.benchQueue(ctx)
	if err != nil {
		return err
	}
	defer remove()
	if err := benchRegister(ctx, conn, load.checks, load.every); err != nil {
		return err
	}
	stop, err := a.benchFleet(conn, m).start(ctx)
	if err != nil {
		return err
	}
	err = sleep(ctx, load.warmUp)
	if err == nil {
		err = measure()
	}
	return errors.Join(err, stop())
}

// benchRegister puts checks into the schedule, each at its place on the grid.
func benchRegister(ctx context.Context, conn *connection, n int, every time.Duration) error {
	if err := conn.EnterZone(ctx, check.DefaultZone); err != nil {
		return err
	}
	lane := check.Lane{Zone: check.DefaultZone}
	if err := conn.Prepare(ctx, lane); err != nil {
		return err
	}
	ms, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	rev := strconv.FormatInt(ms, 10) + "-0"
	var batch []check.Adoption
	for i := range n {
		c := &check.Check{ID: fmt.Sprintf("bench-%d", i), Command: "noop", Every: check.Duration(every)}
		text := string(c.Text())
		batch = append(batch, check.Adoption{
			ID: c.ID, Rev: rev, Spec: text, SHA: check.SHA(text), First: check.First(c, time.UnixMilli(ms), true).UnixMilli(),
		})
		if len(batch) == 200 || i == n-1 {
			if _, err := conn.Adopt(ctx, lane, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

// redisCPU is the CPU time of the server so far, 0 when it does not tell.
func (a *app) redisCPU(ctx context.Context) time.Duration {
	info, err := a.conn.info(ctx)
	if err != nil {
		return 0
	}
	user, _ := strconv.ParseFloat(info["used_cpu_user"], 64)
	system, _ := strconv.ParseFloat(info["used_cpu_sys"], 64)
	return time.Duration((user + system) * float64(time.Second))
}
