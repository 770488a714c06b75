package check

import "errors"

// These are the records that cross the border between a worker that delivers
// changes of incidents and the queue.

// DeliveryHold is the right to deliver the changes of one lane to one handler.
type DeliveryHold struct {
	Lane    Lane
	Handler string
	// Token proves it: worker name, slash, random.
	Token string
}

// ChangeRequest asks for changes that a handler is to get.
type ChangeRequest struct {
	DeliveryHold
	// After is empty for new changes. Else it is the id of a stream entry: those
	// behind it that were handed out before and are not settled are asked for.
	After string
	// Count is the most of them; 0: none, only the figures.
	Count int
}

// ChangeEntry is an entry of the stream `changes`.
type ChangeEntry struct {
	SID string
	// Event is JSON, empty for an entry that was trimmed before it was settled.
	Event string
	// For is set when the entry is for one handler alone: it is sent again.
	For string
}

// ChangePage is the answer to a ChangeRequest.
type ChangePage struct {
	// Mine is false when the hold is another's, or nobody's: nothing was read.
	Mine    bool
	Entries []ChangeEntry
	// Trimmed is how many changes were gone before anybody read them for the
	// handler; Left is how many wait to be read.
	Trimmed, Left int
	// Now is the server's time, unix ms.
	Now int64
}

// Settlement ends entries of `changes` for a handler.
type Settlement struct {
	SIDs []string
	// IncidentID is the incident whose change was delivered; empty: the entries
	// were none of the handler's.
	IncidentID string
	// Ref is what the handler returned; empty keeps the one that is there.
	Ref string
}

// DeadLetter is a change that a handler did not get.
type DeadLetter struct {
	// Lane and ID say where it lies; the queue sets them.
	Lane Lane   `json:"-"`
	ID   string `json:"id"`
	// Event is the JSON of the event as it stood in `changes`.
	Event    string `json:"-"`
	Handler  string `json:"handler"`
	Reason   string `json:"reason"`
	Attempts int    `json:"attempts"`
	// At is when it was given up, unix ms; Entry was its id in `changes`.
	At    int64  `json:"at"`
	Entry string `json:"entry"`
}

// Alert is what stands in `incidents` of one incident, for one handler.
type Alert struct {
	ID string
	// Incident and Ack are JSON, empty where there is none.
	Incident, Ack string
	// Ref is what the handler returned; Known says that it got the incident.
	Ref   string
	Known bool
}

// ReaderState tells what became of a handler's consumer group.
type ReaderState string

// The states of a reader.
const (
	ReaderThere ReaderState = "there" // it was there
	ReaderNew   ReaderState = "new"   // made; it begins with what comes next
	ReaderLost  ReaderState = "lost"  // there had been one: made anew, it begins at the first change that is kept
)

// ErrNoReader says that a handler's consumer group is not there.
var ErrNoReader = errors.New("the consumer group is lost")
