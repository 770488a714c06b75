package check

import (
	"strconv"
	"time"
)

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
	// Planned is when the run was due, unix ms on the Redis server's clock.
	Planned int64
}

// MaxLease is the longest time for which a lease is given or renewed at once:
// what stands in the queue for longer comes from a clock that was set back.
const MaxLease = 10 * time.Minute

// Lease is the right to run one check until a deadline, and what a worker
// must know to run it. Times are unix ms on the Redis server's clock.
type Lease struct {
	Entry
	// Token proves the ownership: worker name, slash, random.
	Token string
	// Record is the queue's own word on the run; it goes into the Completion.
	Record string
	// Rev is the revision of the spec, empty for a text that was not adopted
	// yet; Spec is its text, or empty when the revision is the one that the
	// worker said it had.
	Rev  string
	Spec string
	// Last is the check's last record, JSON, or empty.
	Last string
	// Now is when the lease was given, and Asked a moment before, by the clock of
	// the process that asked for it.
	Now   int64
	Asked time.Time
	// Crashes counts the workers that were lost while they ran this check.
	Crashes int
	// Reclaimed says that another worker held the lease before and was lost
	// with it; Crashes counts it.
	Reclaimed bool
}

// Completion ends a run: what is written, and when the check is due next.
type Completion struct {
	Entry
	Token  string
	Rev    string // of the spec that ran
	Record string // of the lease; without it completing costs more
	// Next is the next due time, unix ms; 0 means never: a one-shot is done.
	Next int64
	// KeepCrashes is set when the command was not run; an ordinary completion
	// clears the crash count.
	KeepCrashes bool
	// Last and Event are JSON for `last` and `results`; an empty Event is the
	// same as Last. Both empty: the run was skipped, nothing is recorded.
	Last  string
	Event string
	// IncidentID and Incident are written to `incidents`, Change to
	// `changes`. Without a Change the incident is one that stays open as it is:
	// it is written only where it was lost. All empty: there is none.
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

// LeaseRequest asks for the leases of delivered entries of one lane.
type LeaseRequest struct {
	Lane   Lane
	Worker string // the consumer's name
	Token  string // a new one for every call
	Lease  time.Duration
	// Suspects is how many checks with a crash count of 2 or more this worker
	// may take now: 1 while it holds none, else 0.
	Suspects int
	// Outage says that the queue was away lately: leases that ran out then tell
	// nothing of their workers, and none of them counts as lost.
	Outage  bool
	Entries []Entry
	// Revs are the revisions that the worker has the specs of, one for each
	// of Entries; empty where it has none. Nil: none at all.
	Revs []string
}

// Rev is the revision that the worker has of the i-th entry's spec, or empty.
func (r *LeaseRequest) Rev(i int) string {
	if i < len(r.Revs) {
		return r.Revs[i]
	}
	return ""
}

// Holding names a run that a worker holds, or with an empty Token an entry
// that was delivered to it and not leased yet.
type Holding struct {
	Entry
	Token string
}

// Adoption puts a spec under the care of the schedulers.
type Adoption struct {
	ID string
	// Rev is the revision, the intake entry's id. Empty for a spec that was
	// found in the registry: it stands there already and takes the revision
	// that the record has, plus a counter.
	Rev string
	// Spec is the text, SHA its sha1 in hex, Paused what it says.
	Spec, SHA string
	Paused    bool
	// OldSHA is the sha1 of the text that the caller read before, empty when
	// there was none. When the registry holds another one by now the answer is
	// AdoptConflict.
	OldSHA string
	// First is where the check goes when it has to be placed, unix ms.
	First int64
	// Keep keeps the due time of a waiting check: the schedule is the same.
	Keep bool
	// Leaves says that the spec is of another zone, and the schedule the same:
	// the check is to move.
	Leaves bool
}

// AdoptOutcome is the answer to one Adoption, Removal or run request.
type AdoptOutcome string

// The outcomes of a request.
const (
	AdoptNew       AdoptOutcome = "new"       // there was no such check
	AdoptChanged   AdoptOutcome = "changed"   // the spec was replaced, the check removed, the run ordered
	AdoptUnchanged AdoptOutcome = "unchanged" // nothing to do
	AdoptRepeated  AdoptOutcome = "repeated"  // this very request was applied before
	AdoptOlder     AdoptOutcome = "older"     // a newer request was applied before
	AdoptConflict  AdoptOutcome = "conflict"  // the spec is not the one that was read: read again
	AdoptMissing   AdoptOutcome = "missing"   // there is no such check
	AdoptPaused    AdoptOutcome = "paused"    // a paused check does not run
	AdoptBad       AdoptOutcome = "bad"       // the record could not be read; repair will mend it
	AdoptMoved     AdoptOutcome = "moved"     // the check is in another lane, or on its way there
)

// Removal takes a check away. An open incident is resolved with it.
type Removal struct {
	ID string
	// Rev is the intake entry's id; empty when the spec vanished from the
	// registry or a one-shot is done: then the record decides.
	Rev string
	// Last is the text of the record in `last` that Incident and Change were
	// made from; another one by now gives AdoptConflict.
	Last string
	// IncidentID, Incident and Change resolve the open incident; empty: none.
	IncidentID, Incident, Change string
}

// Dispatched is what a move of due checks to the workers did.
type Dispatched struct {
	Moved int
	// Now is the server's time, Next the earliest due time left, -1 for none;
	// unix ms.
	Now, Next int64
	// Dropped are ids that were due and have no spec. Frozen are those of checks
	// that are to move to another lane and were frozen instead of moved.
	Dropped, Frozen []string
}
