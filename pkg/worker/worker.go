package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Config are the settings of a Worker. Queue, Commands and Name must be set;
// zero values of the others mean the defaults.
type Config struct {
	Queue    Queue
	Commands check.Commands
	Handlers []HandlerInstance
	// Name is the worker's own: no other process may have it.
	// [A-Za-z0-9._:-], at most 128.
	Name string
	// Version is told in heartbeats.
	Version string
	// Zones are where the worker runs checks; default: check.DefaultZone.
	Zones []string
	// Slots is how many checks run at once; default 1000.
	Slots int
	// PerTarget is how many checks of one target (check.Targeted) run at once;
	// 0: any number.
	PerTarget int
	// SlowSlots is how many slots may be taken by checks whose latest run took a
	// second or longer, those of dead targets mostly; default three quarters,
	// negative: all.
	SlowSlots int
	// Lease is how long a check stays with a worker that does not answer;
	// default 30 s, at least 1 s, at most check.MaxLease.
	Lease time.Duration
	// Grace is how long running checks may go on after the stop; default 25 s,
	// negative: not at all.
	Grace time.Duration
	// ReadApart reads each lane with a call of its own, as Redis Cluster needs.
	ReadApart bool
	// TraceSample is the share of ordinary runs whose events carry a
	// check.Trace, as those of late runs and of results that are not OK do;
	// default check.DefaultTraceSample, negative: none.
	TraceSample float64
	// Uplinks are self-tests of the worker's own network; none: it is trusted.
	Uplinks []UplinkTest
	// Logger is where the worker writes; nil: nowhere.
	Logger *slog.Logger
	// Hooks, Metrics and Deliveries observe the work; nil: nobody.
	Hooks      Hooks
	Metrics    Metrics
	Deliveries DeliveryMetrics
}

// HandlerInstance is a handler under the name by which checks ask for it.
type HandlerInstance struct {
	Name    string
	Handler check.Handler
	// Default makes it a handler of the checks that name no handlers.
	Default bool
	// Timeout bounds one event; default 5 s.
	Timeout time.Duration
	// Filter says which events it gets; the zero value: all.
	Filter Filter
	// Stream delivers changes of incidents from the queue's stream, at least once
	// and in order per check, instead of results before the check goes back. It
	// needs a Queue that is an Outbox. A check.Deliverer gets them by Deliver,
	// other handlers by Process.
	Stream bool
	// The rest is for handlers of the stream.

	// Concurrency is how many changes are delivered at once; default 8.
	Concurrency int
	// GiveUp is the age at which a change that fails goes to the dead letters;
	// default 24 h, negative: never.
	GiveUp time.Duration
	// RetryMin and RetryMax bound the pause before another attempt, which doubles
	// each time; default 1 s and 5 min.
	RetryMin, RetryMax time.Duration
}

// Defaults of a Config.
const (
	DefaultSlots          = 1000
	DefaultLease          = 30 * time.Second
	DefaultGrace          = 25 * time.Second
	DefaultHandlerTimeout = 5 * time.Second
	DefaultConcurrency    = 8
	DefaultGiveUp         = 24 * time.Hour
	DefaultRetryMin       = time.Second
	DefaultRetryMax       = 5 * time.Minute
)

// Worker runs checks. New makes one.
type Worker struct {
	cfg      Config
	log      *slog.Logger
	handlers []*handler
	byName   map[string]*handler

	slots    slots
	runs     running
	crew     crew
	specs    specCache
	suspects suspects
	commits  commits
	returns  returns
	rests    rests
	stats    stats
	gate     gate
	spent    Spender // Config.Metrics if it is one, else nil

	uplinks map[string]*uplink // by zone; nil where there are no tests
	own     ownIncidents

	delivery *deliverer // nil without handlers of the stream

	lanes  atomic.Pointer[[]check.Lane]
	began  atomic.Bool
	away   trouble
	warned limiter
	junk   onceSet

	downtimes  atomic.Pointer[check.Downtimes]
	calendar   calendar
	neighbours neighbours
	absent     absentees

	endings sync.WaitGroup // work that outlives the run it came from
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// New makes a Worker. The error tells everything that is wrong with cfg.
func New(cfg Config) (*Worker, error) {
	orElse(&cfg.Slots, DefaultSlots)
	orElse(&cfg.Lease, DefaultLease)
	orElse(&cfg.Grace, DefaultGrace)
	orElse(&cfg.SlowSlots, cfg.Slots-cfg.Slots/4)
	orElse(&cfg.TraceSample, check.DefaultTraceSample)
	if len(cfg.Zones) == 0 {
		cfg.Zones = []string{check.DefaultZone}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = noMetrics{}
	}
	if cfg.Deliveries == nil {
		cfg.Deliveries = noDeliveries{}
	}
	cfg.Handlers = slices.Clone(cfg.Handlers)
	for i := range cfg.Handlers {
		cfg.Handlers[i].defaults()
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w := &Worker{cfg: cfg, log: cfg.Logger, byName: map[string]*handler{}, uplinks: newUplinks(cfg.Zones, cfg.Uplinks)}
	for _, inst := range cfg.Handlers {
		h := newHandler(inst)
		w.handlers = append(w.handlers, h)
		w.byName[inst.Name] = h
	}
	w.slots.init(cfg.Slots)
	w.gate.init(cfg.PerTarget, cfg.SlowSlots, cfg.Slots)
	w.suspects.init()
	w.specs.init(w.build)
	w.commits.init(w)
	w.away.log = w.log
	w.calendar.turn = make(chan struct{}, 1)
	w.spent, _ = cfg.Metrics.(Spender)
	w.absent.crew, _ = cfg.Queue.(crewReader)
	if out, ok := cfg.Queue.(Outbox); ok && len(delivers(cfg.Handlers)) > 0 {
		w.delivery = newDeliverer(w, out)
	}
	return w, nil
}

// orElse sets what is zero to its default.
func orElse[T int | float64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (c *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("worker: "+format, args...)) }
	if c.Queue == nil {
		bad("Queue is not set")
	}
	if !nameForm.MatchString(c.Name) {
		bad("Name %q: want 1 to 128 letters, digits, dots, colons or dashes", c.Name)
	}
	if c.Slots < 1 {
		bad("Slots %d: want at least 1", c.Slots)
	}
	if c.PerTarget < 0 {
		bad("PerTarget %d: want 0 or more", c.PerTarget)
	}
	if c.Lease < time.Second || c.Lease > check.MaxLease {
		bad("Lease %s: want 1s to %s", c.Lease, check.MaxLease)
	}
	seen := map[string]bool{}
	for _, h := range c.Handlers {
		switch {
		case h.Name == "" || h.Handler == nil:
			bad("handler %q: want a name and a handler", h.Name)
		case seen[h.Name]:
			bad("handler %q is there twice", h.Name)
		case h.Timeout < 0:
			bad("handler %q: timeout %s: want more than 0", h.Name, h.Timeout)
		default:
			if err := h.validate(c.Queue); err != nil {
				bad("handler %q: %w", h.Name, err)
			}
		}
		seen[h.Name] = true
	}
	for _, u := range c.Uplinks {
		switch {
		case u.Target == "" || u.Test == nil:
			bad("uplink %q: want a target and a test", u.Target)
		case u.Zone != "" && !slices.Contains(c.Zones, u.Zone):
			bad("uplink %q: the worker does not serve zone %s", u.Target, u.Zone)
		}
	}
	return errors.Join(errs...)
}

// Slots tells how many slots are free, how many run a check, and how many are
// held by commands that did not end when they were told to.
func (w *Worker) Slots() (free, busy, stuck int) { return w.slots.counts() }

// Zones tells where the worker runs checks.
func (w *Worker) Zones() []string { return slices.Clone(w.cfg.Zones) }
