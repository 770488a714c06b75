package check

import "strconv"

// Lane is one partition of a zone: the unit of Redis keys.
type Lane struct {
	Zone string
	Part int
}

// String gives the lane as it stands between the braces of a key, zone:part.
func (l Lane) String() string { return l.Zone + ":" + strconv.Itoa(l.Part) }

// Entry is an entry of a lane's ready stream as it was delivered to a worker:
// a check that is queued, not yet the right to run it.
type Entry struct {
	Lane Lane
	SID  string // the stream entry's id
	ID   string // the check's id
}

// Lease is the right to run one check until a deadline, and what a worker
// must know to run it. Times are unix ms on the Redis server's clock.
type Lease struct {
	Entry
	// Token proves the ownership: worker name, slash, random.
	Token string
	// Rev is the revision of the spec; Spec is its text, or empty when the
	// revision is the one that the worker said it had.
	Rev  string
	Spec string
	// Last is the check's last record, JSON, or empty.
	Last string
	// Planned is when the run was due, Now when the lease was given.
	Planned int64
	Now     int64
	// Crashes counts the workers that were lost while they ran this check.
	Crashes int
	// Reclaimed says that another worker held the lease before and let it
	// expire.
	Reclaimed bool
}

// Completion ends a run: what is written, and when the check is due next.
type Completion struct {
	Entry
	Token string
	Rev   string // of the spec that ran
	// Next is the next due time, unix ms; 0 means never: a one-shot is done.
	Next int64
	// KeepCrashes is set when the command was not run because of its crash
	// count; an ordinary completion clears the count.
	KeepCrashes bool
	// Last and Event are JSON for `last` and `results`. Both empty: the run
	// was skipped, nothing is recorded.
	Last  string
	Event string
	// IncidentID and Incident are written to `incidents`, Change to
	// `changes`; empty when the run changed no incident.
	IncidentID string
	Incident   string
	Change     string
}

// Outcome is the answer to one item of a batch of renewals, completions or
// releases.
type Outcome uint8

// The outcomes.
const (
	// OutcomeDone: the move was made, now or by an earlier call of the same.
	OutcomeDone Outcome = iota
	// OutcomeStale: the lease is no longer ours; nothing was changed.
	OutcomeStale
	// OutcomeRemoved: the check was removed during the run; its result is
	// dropped and the check is free.
	OutcomeRemoved
	// OutcomeBad: the record in Redis could not be read; repair will mend it.
	OutcomeBad
)

// Placement says where a new or changed spec puts its check.
type Placement struct {
	// Rev is the revision, Spec the text, SHA its sha1 in hex.
	Rev, Spec, SHA string
	// First is the due time when the check has to be placed, unix ms.
	First int64
	// Keep keeps the due time of a waiting check: the schedule did not change.
	Keep bool
}
