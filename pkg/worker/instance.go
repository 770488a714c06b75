package worker

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// handler is a HandlerInstance that is ready for use.
type handler struct {
	HandlerInstance
	mutator check.Mutator // nil when it is none
	// slots holds one for each change that is being delivered.
	slots chan struct{}
}

func newHandler(inst HandlerInstance) *handler {
	h := &handler{HandlerInstance: inst}
	h.mutator, _ = inst.Handler.(check.Mutator)
	if inst.Stream {
		h.slots = make(chan struct{}, inst.Concurrency)
	}
	return h
}

// defaults fills in what is zero.
func (h *HandlerInstance) defaults() {
	orElse(&h.Timeout, DefaultHandlerTimeout)
	orElse(&h.Concurrency, DefaultConcurrency)
	orElse(&h.GiveUp, DefaultGiveUp)
	orElse(&h.RetryMin, DefaultRetryMin)
	orElse(&h.RetryMax, max(DefaultRetryMax, h.RetryMin))
}

// streamName is what a handler of the stream may be called: it is a consumer
// group, and a word beside each incident.
var streamName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ackWord stands beside an incident that was acknowledged.
const ackWord = "ack"

// validate says what is wrong with an instance for the queue.
func (h *HandlerInstance) validate(q Queue) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !h.Stream {
		if check.IsStreamOnly(h.Handler) {
			bad("it takes changes from the stream only")
		}
		switch h.Filter.Only {
		case "", OnlyAll, OnlyChanges, OnlyIncidents:
		default:
			bad("only %q: want %s, %s or %s", h.Filter.Only, OnlyAll, OnlyChanges, OnlyIncidents)
		}
		return errors.Join(errs...)
	}
	if _, ok := q.(Outbox); !ok && q != nil {
		bad("the queue has no stream of changes: it is no Outbox")
	}
	if _, ok := h.Handler.(check.Mutator); ok {
		bad("it changes events, which those of the stream are not")
	}
	if !streamName.MatchString(h.Name) || h.Name == ackWord {
		bad("its name is that of a consumer group: want 1 to 64 letters, digits, dots, dashes, underscores, and not %s", ackWord)
	}
	if h.Filter.Only != "" && h.Filter.Only != OnlyIncidents {
		bad("only %q: the stream has changes of incidents only", h.Filter.Only)
	}
	if h.Concurrency < 1 {
		bad("concurrency %d: want at least 1", h.Concurrency)
	}
	if h.RetryMin < time.Millisecond || h.RetryMax < h.RetryMin {
		bad("pauses of %s to %s: want at least 1ms, and the second no shorter", h.RetryMin, h.RetryMax)
	}
	return errors.Join(errs...)
}
