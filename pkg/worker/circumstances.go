package worker

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// downtimesEvery is about how often the downtimes are read, beside the
	// readings before incidents.
	downtimesEvery = 5 * time.Second
	// askTime bounds each of the questions before an incident opens: about
	// downtimes, and about the parents of the check.
	askTime = 2 * time.Second
	// answerAge is how long an answer is used: the checks behind a router that
	// dies all ask the same.
	answerAge = time.Second
	// maxNeighbours bounds the answers that are kept.
	maxNeighbours = 10_000
)

// firstDowntimes reads the downtimes before the first run: a worker that is
// started in one must not open what it holds. Whoever may not read them, or
// finds something else in their place, goes on without.
func (w *Worker) firstDowntimes(ctx context.Context) error {
	err := w.loadDowntimes(ctx)
	if code := replyCode(err); code == "WRONGTYPE" || code == "NOPERM" {
		w.away.note("read downtimes", err)
		return nil
	}
	return err
}

// watchDowntimes reads the downtimes again and again until p.queue ends. While
// that fails the ones that are known stay.
func (w *Worker) watchDowntimes(p phases) {
	for pause(p.queue, downtimesEvery*8/10+rand.N(downtimesEvery*4/10)) {
		err := w.loadDowntimes(p.queue)
		switch {
		case p.queue.Err() != nil:
			return
		case err != nil:
			w.away.note("read downtimes", err)
		default:
			w.away.passed("read downtimes")
		}
	}
}

// loadDowntimes reads the downtimes. One that cannot be read covers nothing.
func (w *Worker) loadDowntimes(ctx context.Context) error {
	texts, err := w.cfg.Queue.Downtimes(ctx)
	if err != nil {
		return err
	}
	var list check.Downtimes
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		d, err := check.ParseDowntime(texts[id])
		switch {
		case err != nil:
			if w.junk.first("downtime " + id + texts[id]) {
				w.log.Warn("downtime cannot be read", "downtime", check.CleanText(id, 128), "err", err)
			}
		case d.Deleted == 0:
			d.ID = id
			list = append(list, d)
		}
	}
	w.downtimes.Store(&list)
	return nil
}

// calendar lets one at a time ask for the downtimes before an incident.
type calendar struct {
	turn  chan struct{} // holds one while somebody asks
	asked time.Time     // guarded by turn
}

// freshDowntimes reads the downtimes, unless somebody did so in the last
// second: one that was made a moment ago counts. When there is no answer the
// ones that are known do.
func (w *Worker) freshDowntimes(ctx context.Context) check.Downtimes {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	select {
	case w.calendar.turn <- struct{}{}:
		if time.Since(w.calendar.asked) >= answerAge {
			if err := w.loadDowntimes(ctx); err != nil {
				w.away.note("read downtimes", err)
			}
			w.calendar.asked = time.Now() // also of a queue that hangs: those who wait here go on
		}
		<-w.calendar.turn
	case <-ctx.Done():
	}
	if list := w.downtimes.Load(); list != nil {
		return *list
	}
	return nil
}

// circumstances finds out what may keep the incident from opening that next
// would open.
func (w *Worker) circumstances(ctx context.Context, r *run, next *check.Last, in check.Circumstances) check.Circumstances {
	c := r.spec.check
	in.Downtime, r.until = w.freshDowntimes(ctx).Of(c, r.lease.Planned, in.Finished)
	if in.Downtime == "" && len(c.Parents) > 0 {
		in.Parent, in.Unsure = w.askParents(ctx, r, next)
	}
	return in
}

// askParents tells which parent is in trouble, or of which nothing is known
// since the check is. When the queue does not answer nothing is known of any.
func (w *Worker) askParents(ctx context.Context, r *run, next *check.Last) (parent, unsure string) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	c, zone := r.spec.check, r.lease.Lane.Zone
	known := map[string]check.Neighbour{}
	for {
		k := check.Kin(c, known, next.Down, next.Started)
		if k.Parent != "" || len(k.Missing) == 0 {
			if len(k.Hurry) > 0 {
				if err := w.cfg.Queue.Hurry(ctx, zone, k.Hurry); err != nil {
					w.away.note("hurry parents", err)
				}
			}
			return k.Parent, k.Unsure
		}
		if err := w.meet(ctx, zone, k.Missing, known); err != nil {
			w.away.note("read parents", err)
			return "", c.Parents[0]
		}
		w.away.passed("read parents")
	}
}

// meet adds what is known of checks to known.
func (w *Worker) meet(ctx context.Context, zone string, ids []string, known map[string]check.Neighbour) error {
	now := time.Now()
	var ask []string
	for _, id := range ids {
		if n, ok := w.neighbours.get(zone, id, now); ok {
			known[id] = n
		} else {
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	found, err := w.cfg.Queue.Neighbours(ctx, zone, ask)
	if err != nil {
		return err
	}
	for i, id := range ask {
		n := check.Neighbour{}
		if i < len(found) {
			f := found[i]
			n.There, n.Paused, n.Crashes, n.At = f.There, f.Paused, f.Crashes, f.At
			if last, err := decodeLast(f.Last); err == nil { // what cannot be read is none
				// The rest, texts and metrics, would only fill the memory.
				n.Last = &check.Last{Result: check.Result{State: last.State}, Started: last.Started, Since: last.Since, Held: last.Held}
			}
		}
		known[id] = n
		w.neighbours.put(zone, id, n, now)
	}
	return nil
}

// neighbours keeps for a moment what is known of other checks.
type neighbours struct {
	mu    sync.Mutex // guards known
	known map[string]met
}

type met struct {
	check.Neighbour
	at time.Time
}

func (s *neighbours) get(zone, id string, now time.Time) (check.Neighbour, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.known[zone+"/"+id]
	return m.Neighbour, ok && now.Sub(m.at) < answerAge
}

func (s *neighbours) put(zone, id string, n check.Neighbour, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= maxNeighbours {
		s.known = map[string]met{}
	}
	s.known[zone+"/"+id] = met{n, now}
}
