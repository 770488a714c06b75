package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// longLook is the longest pause between two looks at who delivers what.
const longLook = 3 * time.Second

// deliverer delivers changes of incidents to the handlers of the stream. For
// each lane and handler one worker of the fleet holds the right to do so; where
// it is this one, a feed does.
type deliverer struct {
	w        *Worker
	out      Outbox
	handlers []*handler
	names    []string
	fleet    atomic.Pointer[shares] // who is to deliver what; nil: not known yet
	news     newsdesk

	mu    sync.Mutex // guards the rest
	feeds map[*feed]struct{}
	// known are the readers that were there once: whoever loses them, and what the
	// queue remembers of them, they begin with all that is kept.
	known map[share]bool
}

func newDeliverer(w *Worker, out Outbox) *deliverer {
	d := &deliverer{w: w, out: out, feeds: map[*feed]struct{}{}, known: map[share]bool{}}
	for _, h := range w.handlers {
		if h.Stream {
			d.handlers, d.names = append(d.handlers, h), append(d.names, h.Name)
		}
	}
	d.news.init()
	return d
}

// lookEvery is the pace of looks: a dead worker's rights run out after a lease
// and are taken within a look.
func (d *deliverer) lookEvery() time.Duration { return min(d.w.cfg.Lease/3, longLook) }

// run delivers until ctx ends and what was begun then has ended.
func (d *deliverer) run(ctx context.Context, p phases) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { d.watchFleet(ctx, p) })
	wg.Go(func() { d.watchNews(ctx, p) })
	type place struct {
		cancel context.CancelFunc
		ended  chan struct{}
	}
	places := map[check.Lane]place{}
	for ctx.Err() == nil {
		now := map[check.Lane]bool{}
		for _, lane := range *d.w.lanes.Load() {
			now[lane] = true
			if _, ok := places[lane]; !ok {
				sub, cancel := context.WithCancel(ctx)
				pl := place{cancel, make(chan struct{})}
				places[lane] = pl
				wg.Go(func() {
					defer close(pl.ended)
					d.lane(sub, p, lane)
				})
			}
		}
		for lane, pl := range places {
			if now[lane] {
				continue
			}
			pl.cancel()
			select { // a lane that comes back begins when its end is over
			case <-pl.ended:
				delete(places, lane)
			default:
			}
		}
		pause(ctx, beatEvery)
	}
	for _, pl := range places {
		pl.cancel()
	}
}

// lane takes and keeps the rights of one lane until ctx ends, then gives them
// away.
func (d *deliverer) lane(ctx context.Context, p phases, lane check.Lane) {
	held := map[*handler]*feed{}
	for look := 0; ctx.Err() == nil; look++ {
		d.keep(p, held)
		d.take(p, lane, held, look%forceEvery == 0)
		pause(ctx, jitter(d.lookEvery()))
	}
	for _, f := range held {
		f.stop(d.fleet.Load().after(f.hold.Lane, f.h.Name))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, f := range held {
			<-f.ended
		}
	}()
	tick := time.NewTicker(d.lookEvery())
	defer tick.Stop()
	for { // what is on its way may take its time: the right must last
		select {
		case <-ended:
			return
		case <-tick.C:
			for _, f := range held {
				f.renew(p)
			}
		}
	}
}

// keep makes the rights last that this worker has in a lane, and passes on
// those that are to be another's.
func (d *deliverer) keep(p phases, held map[*handler]*feed) {
	for h, f := range held {
		select {
		case <-f.ended:
			delete(held, h)
			continue
		default:
		}
		f.renew(p)
		if next := d.fleet.Load().of(f.hold.Lane, h.Name, f.began); next != "" && next != d.w.cfg.Name && f.stop(next) {
			d.w.log.Info("delivery is passed on", "lane", f.hold.Lane.String(), "handler", h.Name, "worker", next)
		}
	}
}

// forceEvery is after how many looks a right is asked for that seems to be
// another's: only the queue sees that it is one which never ends.
const forceEvery = 20

// take takes the rights of a lane that nobody has, or that are to be this
// worker's.
func (d *deliverer) take(p phases, lane check.Lane, held map[*handler]*feed, force bool) {
	if len(held) == len(d.handlers) {
		return
	}
	owners, err := d.out.DeliveryOwners(p.queue, lane, d.names)
	if err == nil && len(owners) != len(d.names) {
		err = fmt.Errorf("%d answers to %d handlers", len(owners), len(d.names))
	}
	if err != nil {
		d.w.away.note("look who delivers", err)
		return
	}
	d.w.away.passed("look who delivers")
	cutOff := d.w.uplinks[lane.Zone].isDown()
	for i, h := range d.handlers {
		if cutOff && d.fleet.Load().after(lane, h.Name) != "" {
			continue // this worker's network is down, there are others
		}
		if held[h] != nil || !force && owners[i] != "" && owners[i] != d.w.cfg.Name+"/" {
			continue
		}
		hold := check.DeliveryHold{Lane: lane, Handler: h.Name, Token: d.w.cfg.Name + "/" + rand.Text()}
		asked, what := time.Now(), "take the delivery to "+h.Name+" in lane "+lane.String()
		got, err := d.out.HoldDelivery(p.queue, hold, d.w.cfg.Lease)
		if err != nil {
			d.w.away.note(what, err)
			continue
		}
		d.w.away.passed(what)
		if got {
			d.w.log.Info("delivery begins", "lane", lane.String(), "handler", h.Name)
			held[h] = d.start(p, h, hold, asked)
		}
	}
}

// knows says whether a lane had a reader for a handler, as far as this worker
// has seen; learn notes that it has one.
func (d *deliverer) knows(lane check.Lane, handler string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[share{lane, handler}]
}

func (d *deliverer) learn(lane check.Lane, handler string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[share{lane, handler}] = true
}

// start begins a feed.
func (d *deliverer) start(p phases, h *handler, hold check.DeliveryHold, asked time.Time) *feed {
	f := newFeed(d, h, hold)
	work, cancelWork := context.WithCancel(p.work)
	queue, cancelQueue := context.WithCancel(p.queue)
	f.cut = func() { cancelWork(); cancelQueue() }
	f.extend(asked)
	d.mu.Lock()
	d.feeds[f] = struct{}{}
	d.mu.Unlock()
	d.news.join(f)
	go func() {
		defer close(f.ended)
		f.run(phases{work: work, queue: queue})
		f.giveAway(p)
		d.news.leave(f)
		d.mu.Lock()
		delete(d.feeds, f)
		d.mu.Unlock()
	}()
	return f
}
