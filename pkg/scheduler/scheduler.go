package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Config are the settings of a Scheduler; the zero value is ready to use.
type Config struct {
	// Commands validate the params of requests. A check with another command
	// is accepted when a worker of its zone announced it.
	Commands check.Commands
	// Log is where the scheduler writes; nil: nowhere.
	Log *slog.Logger
	// Hooks observe the work.
	Hooks Hooks
	// Batch is how many checks one dispatch moves and how many requests are
	// applied at once; 0 means 200.
	Batch int
	// MinWait and MaxWait bound the pause between two dispatches of a lane; 0
	// means 5 ms and 50 ms.
	MinWait, MaxWait time.Duration
	// Grace is how long a move that has begun may take after the stop; 0 means
	// 5 s.
	Grace time.Duration
}

// Scheduler dispatches due checks and applies requests. New makes one.
type Scheduler struct {
	q     Queue
	cfg   Config
	log   *slog.Logger
	hooks Hooks
	owner string // of the intake's lock

	lanes  laneSet
	strays strays
	moves  moves
	// held is until when the intake's lock is surely ours, unix ns.
	held atomic.Int64
	// answered is when Redis answered a dispatch or a look for lanes, unix ns.
	answered atomic.Int64

	// The lanes loop's own: when heartbeats were read for new zones, and the zones
	// of which it knows that they have no lanes but their own.
	heard        time.Time
	lookedBeyond map[string]bool
	// The intake loop's own:
	crew  crew
	tries map[string]int // how often an entry that is left was tried
	// The repair loop's own:
	repairs repairState
}

// New makes a Scheduler on q.
func New(q Queue, cfg Config) *Scheduler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	orElse(&cfg.Batch, 200)
	orElse(&cfg.MinWait, 5*time.Millisecond)
	orElse(&cfg.MaxWait, 50*time.Millisecond)
	orElse(&cfg.Grace, 5*time.Second)
	return &Scheduler{
		q: q, cfg: cfg, log: cfg.Log, hooks: cfg.Hooks.filled(), owner: rand.Text(),
		lanes: newLaneSet(), moves: newMoves(), tries: map[string]int{},
	}
}

func orElse[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// endTime is how long the loops may take to end when the grace is over.
const endTime = time.Second

// Run works until ctx is done. Nothing new begins then; a move that has begun
// may end within Config.Grace. Redis being away ends nothing. Run returns nil,
// 1 s after the grace at the latest: a call to a Redis that hangs is not waited
// for. It is called once.
func (s *Scheduler) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if pause(work, s.cfg.Grace) {
			cancel()
		}
	})()

	var wg sync.WaitGroup
	for _, loop := range []func(ctx, work context.Context){s.watchLanes, s.takeIn, s.repair, s.carryFrozen, s.reportStrays, s.gauges} {
		wg.Go(func() { loop(ctx, work) })
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	<-ctx.Done()
	late := time.NewTimer(s.cfg.Grace + endTime)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		s.log.WarnContext(ctx, "calls to redis hang, they are not waited for")
	}
	return nil
}

// ErrAway is what Ready gives while Redis does not answer.
var ErrAway = errors.New("redis does not answer")

// readyAge is how old the latest answer of Redis may be; without trouble one
// comes each MaxWait for every lane, and each second for the list of lanes.
const readyAge = 3 * time.Second

// Ready gives ErrAway unless Redis answered within the last 3 s.
func (s *Scheduler) Ready() error {
	if time.Since(time.Unix(0, s.answered.Load())) > readyAge {
		return ErrAway
	}
	return nil
}

// alive notes that Redis has just answered.
func (s *Scheduler) alive() { s.answered.Store(time.Now().UnixNano()) }
