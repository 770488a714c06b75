package check

import (
	"crypto/sha256"
	"time"
)

// Trace tells when a run was where, beside the Planned, Started and Finished of
// its Event: unix ms on the Redis server's clock. Only the events of some runs
// have one, see Traced.
type Trace struct {
	// Queued is when the check came into the ready stream for the last time,
	// Leased when its worker got the right to run it, Handled when the last
	// handler was through with the event.
	Queued  int64 `json:"queued"`
	Leased  int64 `json:"leased"`
	Handled int64 `json:"handled"`
	// Crashes counts the workers that were lost with this run before.
	Crashes int `json:"crashes,omitempty"`
}

// TraceLate is how late a run starts that is traced for that alone.
const TraceLate = time.Second

// DefaultTraceSample is the share of ordinary runs that are traced.
const DefaultTraceSample = 0.01

// Traced says whether a run is worth a Trace: every one that was not OK or
// TraceLate late, and of the others the share sample (0 to 1), which the
// check's id and the planned time pick, so that every worker picks the same.
func Traced(state State, late time.Duration, id string, planned int64, sample float64) bool {
	return state != StateOK || late >= TraceLate || sampled(id, planned, sample)
}

// sampled hashes id and planned (FNV-1a, whose bits are then mixed) to a number
// from 0 to 1 and compares it with the share.
func sampled(id string, planned int64, share float64) bool {
	if share <= 0 {
		return false
	}
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h = (h ^ uint64(planned)) * 1099511628211
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h ^= h >> 33
	return float64(h>>11)/(1<<53) < share
}

// The phases of a run, in order. Those of a run without a Trace are PhaseWait,
// PhaseRun and PhaseRest.
const (
	PhaseDispatch = "dispatch" // planned to queued: the scheduler
	PhaseQueue    = "queue"    // queued to leased: a free slot of a worker
	PhaseStart    = "start"    // leased to started: the worker, its limits included
	PhaseRun      = "run"      // started to finished: the command
	PhaseHandlers = "handlers" // finished to handled
	PhaseCommit   = "commit"   // handled to committed: company and Redis

	PhaseWait = "wait" // planned to started
	PhaseRest = "rest" // finished to committed
)

// Phase is one part of a run, unix ms on the Redis server's clock.
type Phase struct {
	Name     string
	From, To int64
}

// Took is how long the phase lasted.
func (p Phase) Took() time.Duration { return time.Duration(p.To-p.From) * time.Millisecond }

// Phases gives the parts of a run that was committed at the given time, unix
// ms; 0 leaves out the last one. Workers know the server's clock but for a round
// trip: what seems to end before it began takes no time.
func (e *Event) Phases(committed int64) []Phase {
	ends := []Phase{{Name: PhaseWait, To: e.Started}, {Name: PhaseRun, To: e.Finished}, {Name: PhaseRest, To: committed}}
	if t := e.Trace; t != nil {
		ends = []Phase{
			{Name: PhaseDispatch, To: t.Queued}, {Name: PhaseQueue, To: t.Leased}, {Name: PhaseStart, To: e.Started},
			{Name: PhaseRun, To: e.Finished}, {Name: PhaseHandlers, To: t.Handled}, {Name: PhaseCommit, To: committed},
		}
	}
	if committed == 0 {
		ends = ends[:len(ends)-1]
	}
	at := e.Planned
	for i := range ends {
		ends[i].From, ends[i].To = at, max(at, ends[i].To)
		at = ends[i].To
	}
	return ends
}

// TraceID names the run of a check that was planned for one time, for systems
// of traces: a run that was repeated has the same one.
func (e *Event) TraceID() (id [16]byte) {
	sum := sha256.Sum256([]byte(IncidentID(e.Check.Zone, e.Check.ID, e.Planned)))
	copy(id[:], sum[:])
	return id
}
