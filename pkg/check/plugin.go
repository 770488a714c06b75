package check

import (
	"context"
	"encoding/json"
	"time"
)

// Run is what a Command is told about the run that it makes. It must not be
// changed.
type Run struct {
	Check   *Check
	Planned time.Time
	// Last is the check's latest committed run, nil when there was none.
	Last *Last
}

// Command measures. One value serves many runs at once.
//
// Run obeys ctx within 100 ms. A target in trouble, a timeout of the target
// included, is a Result; an error means that the command could not do its work.
// Result.At is set by the command.
type Command interface {
	Run(ctx context.Context, run Run) (Result, error)
}

// Targeted is a Command that knows which host it measures.
type Targeted interface {
	Command
	// Target is the host's name or address as the params write it; empty when
	// they name none. Workers bound how many checks of one target run at once.
	Target() string
}

// CommandFunc is a function that is a Command.
type CommandFunc func(ctx context.Context, run Run) (Result, error)

// Run calls f.
func (f CommandFunc) Run(ctx context.Context, run Run) (Result, error) { return f(ctx, run) }

// CommandFactory makes a Command from a check's params. Wrong params are
// refused here, with an error that names the field, never found out by Run.
// It does no I/O: the scheduler calls it to validate requests.
type CommandFactory func(params json.RawMessage) (Command, error)

// Commands are the commands that a worker offers, by name.
type Commands map[string]CommandFactory

// Event is one result on its way through the handlers and into the streams
// `results` and `changes`. It never carries the check's params. Its JSON begins
// with the fields of Last: unless a Mutator changed it, one text is both.
type Event struct {
	Result
	// Planned is when the run was due, Started and Finished when the command
	// ran: unix ms on the Redis server's clock. An inline handler may see one
	// planned time twice.
	Planned  int64  `json:"planned"`
	Started  int64  `json:"started"`
	Finished int64  `json:"finished"`
	Worker   string `json:"worker"`
	// Rev and what follows up to Flapping are those of Last.
	Rev      string `json:"rev,omitempty"`
	Since    int64  `json:"since"`
	Fails    int    `json:"fails,omitempty"`
	Held     string `json:"held,omitempty"`
	Down     int64  `json:"down,omitempty"`
	Asked    int64  `json:"asked,omitempty"`
	Turns    uint64 `json:"turns,omitempty"`
	Flapping bool   `json:"flapping,omitempty"`
	// Incident is the check's incident; Change says what the run did to it.
	Incident *Incident `json:"incident,omitempty"`
	// Previous is the state of the check before this result; OK when there
	// was no result before.
	Previous State `json:"previous"`
	// Soft says that the result is not OK and the incident waits for more
	// attempts.
	Soft   bool   `json:"soft,omitempty"`
	Change Change `json:"change,omitempty"`
	// Trace is nil for most runs, and always for handlers: they are part of it.
	Trace *Trace     `json:"trace,omitempty"`
	Check EventCheck `json:"check"`
}

// EventCheck is what an Event tells about its check.
type EventCheck struct {
	ID       string            `json:"id"`
	Zone     string            `json:"zone"`
	Command  string            `json:"command"`
	Every    Duration          `json:"every,omitzero"`
	Cron     string            `json:"cron,omitempty"`
	Timezone string            `json:"timezone,omitempty"`
	At       time.Time         `json:"at,omitzero"`
	Labels   map[string]string `json:"labels,omitempty"`
	Meta     map[string]any    `json:"meta,omitempty"`
	// Handlers are those of Check.Handlers: an empty list is none, nil the default
	// ones.
	Handlers []string `json:"handlers,omitzero"`
}

// Handler gets every result of the checks that name it. One value serves many
// events at once. The event is shared with other handlers: it must not be
// changed.
type Handler interface {
	Process(ctx context.Context, ev *Event) error
}

// Mutator is a Handler that also changes events before any handler processes
// them. Mutators run in order and do no network I/O. They may change metrics,
// text and labels, never State or Reason.
type Mutator interface {
	Mutate(ctx context.Context, ev *Event) error
}

// HandlerFactory makes a Handler from the settings of one entry in
// handlers.yaml, given as a JSON object without the keys that redpoll itself
// reads (name, type, delivery, default, timeout, concurrency, give_up, filter).
// A Handler that holds resources is an io.Closer as well.
type HandlerFactory func(settings json.RawMessage) (Handler, error)

// Handlers are the types of handlers that a worker offers, by type name.
type Handlers map[string]HandlerFactory
