package worker

import (
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Hooks tell a program what its worker does. Nil functions are left out. They
// are called from many goroutines at once and should return soon: the run
// waits. A panic in one is logged and changes nothing.
type Hooks struct {
	// OnStart is called before a command runs. The Check must not be changed.
	OnStart func(c *check.Check, planned time.Time)
	// OnFinish is called when a run has its result and its handlers had it. The
	// event must not be changed.
	OnFinish func(ev *check.Event, took time.Duration)
	// OnTrace is called for a run that has a Trace when it was committed, unix
	// ms on the Redis server's clock. Until it returns no result of that lane is
	// committed. The event must not be changed.
	OnTrace func(ev *check.Event, committed int64)
	// OnError is called for a command or a handler (its name, else empty) that
	// failed or panicked, for the check of the given id.
	OnError func(id, handler string, err error)
	// OnTurn is called at least once a second while the worker's loop turns and
	// not all slots are stuck: a sign of life for a supervisor.
	OnTurn func()
	// OnSlow is called for a run that starts 60 s or more after its planned
	// time, and for one that has been running for 30 s.
	OnSlow func(id string, kind Slow, by time.Duration)
}

// Slow says in which way a run is slow.
type Slow string

// The ways to be slow.
const (
	SlowStart Slow = "late" // started long after the planned time
	SlowRun   Slow = "long" // runs for long
)

// When a run is slow.
const (
	LateAfter = 60 * time.Second
	LongAfter = 30 * time.Second
)

// Metrics counts what a worker does. It is called from many goroutines at
// once and for every run: it must be fast.
type Metrics interface {
	// Started is told how long after its planned time a run started.
	Started(late time.Duration)
	// Finished is told how long the command took.
	Finished(command string, state check.State, took time.Duration)
	// HandlerFailed counts an event that a handler did not get right.
	HandlerFailed(handler string)
	// Count adds to a counter.
	Count(what Counter, n int)
}

// Spender is a Metrics that is also told where the time of runs goes.
type Spender interface {
	Metrics
	// Spent is told how long a run was in a phase, check.PhaseRun excepted: that
	// is Finished's. It is as fast as the others.
	Spent(phase string, took time.Duration)
}

// Counter names something that a worker counts.
type Counter string

// What a worker counts.
const (
	// CountStale: runs whose lease was not theirs any more at the end.
	CountStale Counter = "stale_completions"
	// CountMissed: slots of schedules that passed without a run.
	CountMissed Counter = "missed_slots"
	// CountDropped: results that were given up since the queue was away for
	// too long. They count as stale as well.
	CountDropped Counter = "dropped_results"
	// CountNoHandler: events for a handler that this worker does not have.
	CountNoHandler Counter = "missing_handlers"
)

type noMetrics struct{}

func (noMetrics) Started(time.Duration)                       {}
func (noMetrics) Finished(string, check.State, time.Duration) {}
func (noMetrics) HandlerFailed(string)                        {}
func (noMetrics) Count(Counter, int)                          {}
