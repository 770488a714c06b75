package worker

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// spec is what a worker makes of one revision of a check.
type spec struct {
	rev      string
	check    *check.Check
	schedule check.Schedule
	command  check.Command
	target   string // of the command; empty: it names none
	// fault is the result of the check when there is no command to run.
	fault check.Result
	// label is the command's name for metrics, which must not grow with what
	// users write.
	label     string
	handlers  []*handler
	missing   []string // handlers that this worker does not have
	event     check.EventCheck
	eventJSON []byte
	// longest is all the time that a run can need.
	longest time.Duration
	size    int // about, bytes
}

// cacheBytes bounds about the memory of parsed specs: 100,000 small ones.
const cacheBytes = 128 << 20

// specSize is what a parsed spec takes beside its text.
const specSize = 1 << 10

type specKey struct {
	lane check.Lane
	id   string
}

// specCache holds the specs of checks that ran here lately.
type specCache struct {
	build func(lane check.Lane, id, rev, text string) *spec
	mu    sync.Mutex // guards the rest
	specs map[specKey]*spec
	size  int
}

func (c *specCache) init(build func(lane check.Lane, id, rev, text string) *spec) {
	c.build, c.specs = build, map[specKey]*spec{}
}

// known gives the specs of entries, nil where there is none.
func (c *specCache) known(entries []check.Entry) []*spec {
	out := make([]*spec, len(entries))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range entries {
		out[i] = c.specs[specKey{e.Lane, e.ID}]
	}
	return out
}

// of gives the spec of a lease: the one that it brings, else the one that is
// here. Nil: neither fits, which is the queue's fault.
func (c *specCache) of(l *check.Lease) *spec {
	key := specKey{l.Lane, l.ID}
	if l.Spec == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s := c.specs[key]; s != nil && s.rev == l.Rev {
			return s
		}
		return nil
	}
	s := c.build(l.Lane, l.ID, l.Rev, l.Spec)
	c.put(key, s)
	l.Spec = ""
	return s
}

// put stores a spec. When there is no room others go, whichever the map gives
// first: under a fleet's round of checks no order is better than chance.
func (c *specCache) put(key specKey, s *spec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.specs[key]; old != nil {
		c.size -= old.size
	}
	c.specs[key] = s
	c.size += s.size
	for k, other := range c.specs {
		if c.size <= cacheBytes {
			return
		}
		if k != key {
			delete(c.specs, k)
			c.size -= other.size
		}
	}
}

// unreadableEvery is the pace of a check whose spec cannot be read.
const unreadableEvery = time.Minute

// unknownLabel is the command in metrics of checks whose command this worker
// does not have.
const unknownLabel = "unknown"

// build makes a spec of its text. What is wrong with it becomes its fault.
func (w *Worker) build(lane check.Lane, id, rev, text string) *spec {
	s := &spec{rev: rev, size: 3*len(text) + specSize, label: unknownLabel}
	c, err := check.Parse([]byte(text))
	if err == nil && c.ID != id {
		err = fmt.Errorf("id: want %s, as the spec is stored under that", id)
	}
	if err == nil {
		s.schedule, err = c.Schedule()
	}
	if err != nil {
		c = &check.Check{ID: id, Zone: lane.Zone}
		s.schedule = check.Every{Interval: unreadableEvery}
		s.fault = check.Result{State: check.StateUnknown, Reason: check.ReasonBadParams, Text: "spec: " + err.Error()}
	} else {
		w.buildCommand(s, c)
	}
	s.check = c
	s.longest = c.TimeoutOr() + 2*giveUpAfter + 2*askTime
	w.pickHandlers(s)
	s.event = check.NewEvent(c)
	if s.eventJSON, err = json.Marshal(s.event); err != nil {
		s.event.Meta = nil // cannot be: it came from JSON
		s.eventJSON, _ = json.Marshal(s.event)
	}
	return s
}

// buildCommand makes the command of a check, or the fault that stands for it.
func (w *Worker) buildCommand(s *spec, c *check.Check) {
	if w.cfg.Commands[c.Command] != nil {
		s.label = c.Command
	}
	err := guarded(w.log, func() (err error) {
		s.command, err = w.cfg.Commands.Build(c.Command, c.Params)
		return err
	}, "check", c.ID, "command", c.Command)
	if err == nil && s.command == nil {
		err = fmt.Errorf("command %s: its factory gave none", c.Command)
	}
	if err == nil && w.cfg.PerTarget > 0 {
		err = guarded(w.log, func() error { s.target = targetOf(s.command); return nil }, "check", c.ID, "command", c.Command)
	}
	if err == nil {
		return
	}
	s.command = nil
	s.fault = check.Result{State: check.StateUnknown, Reason: check.ReasonBadParams, Text: err.Error()}
	if s.label == unknownLabel {
		s.fault.Reason = check.ReasonNoCommand
	}
}

// pickHandlers finds the handlers of a check that get its results: those it
// names, or the defaults.
func (w *Worker) pickHandlers(s *spec) {
	if s.check.Handlers == nil {
		for _, h := range w.handlers {
			if h.Default && !h.Stream {
				s.handlers = append(s.handlers, h)
			}
		}
	}
	for _, name := range s.check.Handlers {
		switch h := w.byName[name]; {
		case h == nil:
			s.missing = append(s.missing, name)
		case !h.Stream: // others read the stream
			s.handlers = append(s.handlers, h)
		}
	}
	for _, h := range s.handlers {
		s.longest += 2 * (h.Timeout + giveUpAfter) // it may mutate and process
	}
	if len(s.missing) > 0 && w.absent.crew == nil {
		w.log.Warn("handlers are not here", "check", s.check.ID, "handlers", s.missing)
	}
}
