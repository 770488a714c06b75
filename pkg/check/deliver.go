package check

import (
	"context"
	"errors"
	"time"
)

// Deliverer is a Handler for alerts. With `delivery: stream`, which is its
// default, Deliver is called for each change of an incident of the checks that
// name it, instead of Process for each result: at least once, in order per
// check, again with growing pauses until it returns no error.
type Deliverer interface {
	Handler
	// Deliver passes one change on. It returns the target's own id of the alert,
	// which comes back as Delivery.Ref with the incident's next changes; empty
	// keeps the one that is there. See Permanent and RetryAfter for errors.
	Deliver(ctx context.Context, d Delivery) (ref string, err error)
}

// Delivery is one change of an incident on its way to a Deliverer. It must not
// be changed. Event.Incident.ID and Event.Change name it: a repetition carries
// the same two, and the same Event.Planned.
type Delivery struct {
	// Event carries the change; its Incident and Change are always set.
	Event *Event
	// Ref is what Deliver returned for this incident before, empty if nothing.
	Ref string
	// Ack is the incident's acknowledgement, nil when there is none that holds.
	Ack *Ack
	// Attempt counts from 1.
	Attempt int
}

// Ack is an acknowledgement of an incident: somebody takes care of it. It
// stands as JSON beside the incident.
type Ack struct {
	// Entry is the id of its request in the intake: the newest counts.
	Entry string `json:"entry,omitempty"`
	// At is when that came, unix ms.
	At      int64  `json:"at"`
	By      string `json:"by,omitempty"`
	Comment string `json:"comment,omitempty"`
	// Until is when it ends by itself; zero: with the incident.
	Until time.Time `json:"until,omitzero"`
	// Removed: it was taken back. Ended: that Until is over was told.
	Removed bool `json:"removed,omitempty"`
	Ended   bool `json:"ended,omitempty"`
}

// Holds says whether the acknowledgement, which may be nil, holds at a time,
// unix ms.
func (a *Ack) Holds(at int64) bool {
	return a != nil && !a.Removed && (a.Until.IsZero() || at < a.Until.UnixMilli())
}

// Keeper is a Deliverer whose target forgets alerts that are not repeated: the
// worker that delivers for it shows it the open incidents again and again.
type Keeper interface {
	Deliverer
	// KeepEvery is the pause between two rounds, at least a second.
	KeepEvery() time.Duration
	// Keep repeats open incidents, at most 500 a call. Their events are the
	// latest results of their checks, without a Change. An error is counted and
	// logged; the next round repeats all of them anyway.
	Keep(ctx context.Context, open []Delivery) error
}

// StreamOnly is embedded by a Deliverer that makes no sense inline: such an
// entry in handlers.yaml is refused.
type StreamOnly struct{}

// Process returns an error: nobody calls it.
func (StreamOnly) Process(context.Context, *Event) error {
	return errors.New("this handler takes changes of incidents from the stream only")
}

// NotInline marks the handler. It cannot have the name of its type: what embeds
// that has a field so called, which hides the method.
func (StreamOnly) NotInline() {}

// IsStreamOnly says whether a handler takes changes from the stream only.
func IsStreamOnly(h Handler) bool {
	_, only := h.(interface{ NotInline() })
	return only
}

// PermanentError says that a repetition would fail as well.
type PermanentError struct{ Err error }

// Permanent marks an error that no repetition mends, a refused request say: the
// change goes to the dead letters at once.
func Permanent(err error) error { return &PermanentError{err} }

func (e *PermanentError) Error() string { return e.Err.Error() }

// Unwrap gives the marked error.
func (e *PermanentError) Unwrap() error { return e.Err }

// RetryAfterError asks for a pause.
type RetryAfterError struct {
	Err   error
	After time.Duration
}

// RetryAfter marks an error whose target asked for a pause before the next
// attempt (RFC 9110, section 10.2.3). It is kept within the bounds of the pauses
// there are anyway.
func RetryAfter(err error, after time.Duration) error { return &RetryAfterError{err, after} }

func (e *RetryAfterError) Error() string { return e.Err.Error() }

// Unwrap gives the marked error.
func (e *RetryAfterError) Unwrap() error { return e.Err }
