package check

// These are the records that cross the border between the loops (scheduler,
// worker, CLI) and the queue.

// Zone is what the hash `zones` says of one zone.
type Zone struct {
	// Version rises whenever the rest changes.
	Version int
	// Partitions is how many lanes the zone's checks belong to; 0: the zone was
	// deleted.
	Partitions int
	// Spread is how many lanes may hold checks while these move to the lanes
	// that they belong to; 0: each is where it belongs.
	Spread int
}

// Lanes is how many lanes have to be looked after.
func (z Zone) Lanes() int { return max(z.Partitions, z.Spread, 1) }

// Home is the lane that a check of the zone with that name belongs to.
func (z Zone) Home(name, id string) Lane { return Lane{Zone: name, Part: Partition(id, z.Partitions)} }

// Stored is what a lane holds of one check; empty texts where it has none.
type Stored struct {
	ID   string
	Spec string
	Last string
}

// IncidentEntry is one incident as a lane keeps it.
type IncidentEntry struct {
	Lane     Lane
	ID       string
	Incident string // JSON
	Ack      string // JSON, empty without one
}

// Heartbeat is what a worker tells of itself, JSON in the hash `workers`.
type Heartbeat struct {
	Name     string   `json:"name"`
	Zones    []string `json:"zones"`
	Slots    int      `json:"slots"`
	Busy     int      `json:"busy"`
	Commands []string `json:"commands"`
	Handlers []string `json:"handlers"`
	// Delivers are those of Handlers that get changes from the stream.
	Delivers []string `json:"delivers,omitempty"`
	// Incidents are the open ones about the worker itself: a zone's uplink that
	// is down. The worker takes no checks of such a zone.
	Incidents []string `json:"incidents,omitempty"`
	Version   string   `json:"version"`
	// Started is when the worker started, unix ms; Every the pace of its
	// beats, ms: after three it is not live.
	Started int64 `json:"started"`
	Every   int64 `json:"every"`
	// At is the server's time of this beat, unix ms; the queue sets it.
	At int64 `json:"at"`
}

// The pace of beats that a Heartbeat may tell of: a worker beats every few seconds.
const (
	minBeat = int64(1000)
	maxBeat = int64(3_600_000)
)

// LiveAt tells whether the worker is live at a time of the server, unix ms: its
// beat is no older than three. One further ahead is from before the clock was
// set back: who is there has beaten again since, or does so in a moment.
func (hb *Heartbeat) LiveAt(now int64) bool {
	three := 3 * min(max(hb.Every, minBeat), maxBeat)
	return hb.At >= now-three && hb.At <= now+three
}

// IntakeEntry is one request as it stands in the intake. Fields is nil for an
// entry that was deleted or trimmed after it had been delivered.
type IntakeEntry struct {
	EntryID string
	Fields  map[string]string
	// Size is how many bytes an entry has that is too long to be read; Fields
	// is nil then.
	Size int
}

// The verdicts on requests.
const (
	VerdictAccepted  = "accepted"
	VerdictRejected  = "rejected"
	VerdictUnchanged = "unchanged"
)

// Verdict is the answer to one request, written to the intake's log.
type Verdict struct {
	Entry string // the intake entry's id; empty when no request stands behind it
	Zone  string
	ID    string
	Op    string
	// Verdict is one of the constants above; empty: only acknowledge the
	// entry, log nothing.
	Verdict string
	// Reason says why, or carries a warning of an accepted request.
	Reason string
}

// Stats are the counts of one lane. Waiting checks are split by when they are
// due: within 60 s (the overdue ones too), within 180 s, later.
type Stats struct {
	Due60, Due180, Later int64
	// Overdue is how long the earliest waiting check has been due, ms.
	Overdue int64
	// Ready is the length of the ready stream: queued and running checks.
	// Pending are those of them that were delivered to a worker.
	Ready, Pending int64
}

// RepairItem is one check of the registry whose place is to be verified.
type RepairItem struct {
	ID string
	// SHA is the sha1 in hex of the spec's text as it was scanned.
	SHA string
	// Ahead is how far in the future the check may be due, ms; 0: any time.
	Ahead int64
	// Place is where the check goes when it has to be placed, unix ms. 0: the
	// finding is only reported, and the item is sent again with a Place.
	Place int64
	// Bad marks the text as refused in the record: it is not reported as
	// FindingNew or FindingHand again, and the check is taken out of the
	// schedule.
	Bad bool
}

// Finding is something that repair found wrong with a check, and mended
// unless the kind says that the caller has to.
type Finding struct {
	ID   string
	Kind string
	// Open: nothing was mended yet, the caller has to act.
	Open bool
}

// SweepCursor is where a sweep over a lane goes on; the zero value is its start.
type SweepCursor struct {
	// Part is what the sweep looks at: 0 records, then due times, last records,
	// incidents (SweepIncidents).
	Part   int
	Cursor uint64
	// Done: the sweep has seen everything.
	Done bool
	// Stones asks for tombstones too.
	Stones bool
}

// SweepIncidents is the part of a sweep that looks at incidents: the ids of its
// findings are theirs.
const SweepIncidents = 3

// Kinds of findings on which the caller acts.
const (
	// FindingNew: there is a spec and no record, or a tombstone only.
	FindingNew = "new"
	// FindingHand: the text in the registry is not the one that the record
	// knows: somebody wrote it by hand.
	FindingHand = "hand"
	// FindingLost: the check is neither waiting nor queued nor running.
	FindingLost = "lost"
	// FindingFar: the check is due later than Ahead allows, and was not set
	// back for its crash count.
	FindingFar = "far"
	// FindingVanished: there is a record and no spec: it was removed by hand.
	FindingVanished = "vanished"
	// FindingIncident: an incident is open of which the last record of its check
	// says nothing: its key was lost, or somebody wrote one of them by hand.
	FindingIncident = "lost_incident"
	// FindingAckOver: the acknowledgement of an open incident is over and that
	// was not told yet: nothing is wrong.
	FindingAckOver = "ack_over"
	// FindingDone: a one-shot that has run.
	FindingDone = "done"
	// FindingFrozen: on its way to another lane. Nothing is wrong, somebody has
	// to carry it on.
	FindingFrozen = "frozen"
	// FindingTombstone: a check that was removed. Nothing is wrong.
	FindingTombstone = "tombstone"
)

// Nearby is what the queue tells of a check that is another one's parent.
type Nearby struct {
	ID string
	// There: the check exists and is not done. Paused: it does not run.
	There, Paused bool
	// Crashes counts the workers that were lost while they ran it.
	Crashes int
	// At is when a one-shot is to run, unix ms, 0 for any other check.
	At int64
	// Last is its last record, JSON; empty when there is none.
	Last string
}

// Acking writes an acknowledgement beside an incident. Incident and Old are the
// texts that the caller read: others by now give AdoptConflict.
type Acking struct {
	ID       string // of the incident
	Incident string
	Old, Ack string // Old is empty when there was none
	Change   string // the event for `changes`
}

// Orphan resolves an incident that its check knows nothing of. Last, the
// check's last record, and Incident are the texts that the caller read.
type Orphan struct {
	Check, Last  string
	ID, Incident string
	Resolved     string // the incident that follows
	Change       string // the event for `changes`
}
