package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// company is how long a completion waits for others when the worker is
	// busy, and enough is how many end the wait.
	company = 2 * time.Millisecond
	enough  = 100
	// commitBytes bounds the texts of one call.
	commitBytes = 1 << 20
	// maxKept is how many results wait for a queue that is away.
	maxKept = 10_000
)

// commits writes the ends of runs: in batches, one call a lane at a time. A
// lane has a goroutine only while it has something to write.
type commits struct {
	w     *Worker
	mu    sync.Mutex // guards the rest
	lanes map[check.Lane]*laneCommits
	kept  int
	fewer chan struct{} // closed when kept has become less; nil: nobody waits
}

type laneCommits struct {
	queue  []commit      // in order of arrival
	flying int           // how many of the first are being written
	writes bool          // its goroutine is there
	full   chan struct{} // holds one: enough have come
}

type commit struct {
	check.Completion
	suspect bool
	handled time.Time    // when the handlers were through; zero: the run was skipped
	event   *check.Event // for Hooks.OnTrace; nil mostly
}

func (c *commits) init(w *Worker) { c.w, c.lanes = w, map[check.Lane]*laneCommits{} }

// expect counts a result that add will bring.
func (c *commits) expect() {
	c.mu.Lock()
	c.kept++
	c.mu.Unlock()
}

// add takes the end of a run that was expected. When too many wait, the oldest
// of the lane is given up.
func (c *commits) add(p phases, done commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[done.Lane]
	if l == nil {
		l = &laneCommits{full: make(chan struct{}, 1)}
		c.lanes[done.Lane] = l
	}
	l.queue = append(l.queue, done)
	if c.kept > maxKept && len(l.queue) > l.flying {
		c.drop(l, l.flying)
	}
	if len(l.queue)-l.flying >= enough {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
	if !l.writes {
		l.writes = true
		lane := done.Lane
		c.w.endings.Go(func() { c.write(p, lane, l) })
	}
}

// drop gives up the result at position i. c.mu is held.
func (c *commits) drop(l *laneCommits, i int) {
	c.lost(l.queue[i : i+1])
	l.queue = slices.Delete(l.queue, i, i+1)
}

// lost counts results that are given up. c.mu is held.
func (c *commits) lost(gone []commit) {
	c.less(len(gone))
	c.w.cfg.Metrics.Count(CountDropped, len(gone))
	c.w.cfg.Metrics.Count(CountStale, len(gone))
	for i := range gone {
		if gone[i].suspect {
			c.w.suspects.release()
		}
	}
}

// less notes that n results are out. c.mu is held.
func (c *commits) less(n int) {
	c.kept -= n
	if c.fewer != nil {
		close(c.fewer)
		c.fewer = nil
	}
}

// wait waits until fewer than limit results wait; false when ctx ended first.
func (c *commits) wait(ctx context.Context, limit int) bool {
	for ctx.Err() == nil {
		c.mu.Lock()
		if c.kept < limit {
			c.mu.Unlock()
			return true
		}
		if c.fewer == nil {
			c.fewer = make(chan struct{})
		}
		fewer := c.fewer
		c.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
		}
	}
	return false
}

// write writes what waits in a lane, until nothing does. While the queue is
// away it tries again, with ever smaller batches: if it is not away but
// refuses one result, the others get through. The pauses are well within a
// lease: what runs as soon as the queue is back must not lose its own by them.
func (c *commits) write(p phases, lane check.Lane, l *laneCommits) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	refusals := 0 // in a row
	longest := min(longPause, c.w.cfg.Lease/3)
	for attempt := 0; ; {
		c.gather(p, l, timer)
		part := c.head(l, max(1, batch>>attempt))
		if len(part) == 0 {
			return
		}
		outcomes, err := c.w.cfg.Queue.Complete(p.queue, lane, part)
		if err == nil && len(outcomes) != len(part) {
			err = fmt.Errorf("complete: %d answers to %d results", len(outcomes), len(part))
		}
		if err == nil {
			attempt, refusals = 0, 0
			c.w.away.passedIn("complete", lane)
			c.w.rests.over(lane)
			c.landed(l, part, outcomes)
			continue
		}
		attempt = min(attempt+1, 8)
		c.missed(l, len(part) == 1)
		c.w.away.missed(lane.String(), err)
		if c.w.away.refused(p.queue, "complete", lane, err, longest) {
			if refusals++; refusals < 2 {
				continue // somebody may have put it right meanwhile
			}
			c.returnAll(lane, l)
			c.w.rests.begin(lane, time.Now())
			return
		}
		if !c.w.away.failedFor(p.queue, "complete", err, attempt, longest) {
			c.abandon(l)
			return
		}
	}
}

// gather waits a moment for company when other runs go on.
func (c *commits) gather(p phases, l *laneCommits, timer *time.Timer) {
	c.mu.Lock()
	n := len(l.queue)
	c.mu.Unlock()
	if n == 0 || n >= enough || !c.w.runs.any() {
		return
	}
	timer.Reset(company)
	select {
	case <-l.full:
	case <-timer.C:
	case <-p.queue.Done():
	}
}

// head gives the next results to write, at most limit; none ends the lane's
// goroutine.
func (c *commits) head(l *laneCommits, limit int) []check.Completion {
	c.mu.Lock()
	defer c.mu.Unlock()
	part := make([]check.Completion, 0, min(limit, len(l.queue)))
	for size := 0; len(part) < cap(part); {
		next := &l.queue[len(part)]
		size += len(next.Last) + len(next.Event) + len(next.Change) + len(next.Incident)
		if size > commitBytes && len(part) > 0 {
			break
		}
		part = append(part, next.Completion)
	}
	l.flying = len(part)
	l.writes = l.flying > 0
	select {
	case <-l.full:
	default:
	}
	return part
}

// landed takes the answers to the first results of a lane.
func (c *commits) landed(l *laneCommits, part []check.Completion, outcomes []check.Outcome) {
	for i, out := range outcomes {
		switch out {
		case check.OutcomeDone:
		case check.OutcomeRemoved:
			c.w.log.Debug("check was removed while it ran", "check", part[i].ID)
		case check.OutcomeStale:
			c.w.cfg.Metrics.Count(CountStale, 1)
			c.w.log.Warn("result dropped", "check", part[i].ID, "reason", "lease is no longer ours")
		default:
			c.w.log.Warn("result dropped", "check", part[i].ID, "reason", "run record is unreadable")
		}
	}
	c.tell(l, outcomes)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, done := range l.queue[:l.flying] {
		if done.suspect {
			c.w.suspects.release()
		}
	}
	rest := copy(l.queue, l.queue[l.flying:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
	c.less(l.flying)
	l.flying = 0
}

// missed notes that the first results of a lane were not written; the only one
// of a call goes to the end, so that it holds up nobody.
func (c *commits) missed(l *laneCommits, alone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.flying = 0
	if alone {
		l.queue = append(l.queue[1:], l.queue[0])
	}
}

// abandon gives up everything in a lane, and tells what that was: it is broken,
// or the worker ends without its queue.
func (c *commits) abandon(l *laneCommits) []commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost(l.queue)
	given := l.queue
	l.queue, l.writes = nil, false
	return given
}

// returnAll gives up everything in a lane that is broken and hands the runs
// back: they were no crashes, which is what leases that run out count as.
func (c *commits) returnAll(lane check.Lane, l *laneCommits) {
	for _, done := range c.abandon(l) {
		c.w.handBack(lane, done.Token, []check.Entry{done.Entry})
	}
}
