package redisqueue

import "github.com/redpoll/redpoll/pkg/check"

// DefaultPrefix is the first word of every key.
const DefaultPrefix = "redpoll"

// The consumer groups.
const (
	GroupWorkers    = "workers"    // of each lane's ready
	GroupSchedulers = "schedulers" // of the intake
)

// ConsumerDeliver is the one consumer of each handler's group of `changes`,
// which has the handler's name: who delivers next begins with what is pending.
const ConsumerDeliver = "deliver"

// How much the trimmed streams keep, about.
const (
	KeepIntakeLog = 10_000
	KeepResults   = 100_000 // results and changes, each
	KeepDead      = 10_000
)

// Global keys: each on its own slot of a cluster.

// KeyIntake is the stream of requests.
func (q *Queue) KeyIntake() string { return q.prefix + ":intake" }

// KeyIntakeLog is the stream of verdicts.
func (q *Queue) KeyIntakeLog() string { return q.prefix + ":intake:log" }

// KeyIntakeLock names the scheduler that applies the intake now.
func (q *Queue) KeyIntakeLock() string { return q.prefix + ":intake:lock" }

// KeyZones is the hash of zones.
func (q *Queue) KeyZones() string { return q.prefix + ":zones" }

// KeyWorkers is the hash of heartbeats.
func (q *Queue) KeyWorkers() string { return q.prefix + ":workers" }

// KeyDowntimes is the hash of downtimes.
func (q *Queue) KeyDowntimes() string { return q.prefix + ":downtimes" }

// KeyMeta is the hash with the schema version.
func (q *Queue) KeyMeta() string { return q.prefix + ":meta" }

// The keys of a lane, all with one hash tag.

func (q *Queue) laneKey(l check.Lane, what string) string {
	return q.prefix + ":{" + l.String() + "}:" + what
}

// KeySpecs is the lane's registry, check id -> spec.
func (q *Queue) KeySpecs(l check.Lane) string { return q.laneKey(l, "specs") }

// KeyDue is the lane's schedule, check id -> due time.
func (q *Queue) KeyDue(l check.Lane) string { return q.laneKey(l, "due") }

// KeyReady is the lane's stream of queued and running checks.
func (q *Queue) KeyReady(l check.Lane) string { return q.laneKey(l, "ready") }

// KeyRuns is the lane's arbiter, check id -> run record.
func (q *Queue) KeyRuns(l check.Lane) string { return q.laneKey(l, "runs") }

// KeyLast is the lane's hash of last records.
func (q *Queue) KeyLast(l check.Lane) string { return q.laneKey(l, "last") }

// KeyIncidents is the lane's hash of incidents.
func (q *Queue) KeyIncidents(l check.Lane) string { return q.laneKey(l, "incidents") }

// KeyResults is the lane's stream of committed results.
func (q *Queue) KeyResults(l check.Lane) string { return q.laneKey(l, "results") }

// KeyChanges is the lane's stream of incident changes.
func (q *Queue) KeyChanges(l check.Lane) string { return q.laneKey(l, "changes") }

// KeyDeliver names the worker that delivers the lane's changes for a handler.
func (q *Queue) KeyDeliver(l check.Lane, handler string) string {
	return q.laneKey(l, "deliver:"+handler)
}

// KeyReaders is the lane's hash of the handlers that read its changes.
func (q *Queue) KeyReaders(l check.Lane) string { return q.laneKey(l, "readers") }

// KeyDead is the lane's stream of changes that a handler did not get.
func (q *Queue) KeyDead(l check.Lane) string { return q.laneKey(l, "dead") }
