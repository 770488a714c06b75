package worker

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// fetchPage is how many changes are read at once.
	fetchPage = 100
	// window is how many events of changes a feed has in memory, and how many
	// changes it reads at all while its target seems to be away.
	window = 1000
	// maxHeld is how many changes a feed has read and not settled: as many as the
	// queue keeps, so that whatever fails holds up nobody else.
	maxHeld = 100_000
	// outage is after how many failures in a row, of any checks, the target seems
	// to be away.
	outage = 8
	// figuresEvery is how often a feed looks without being called.
	figuresEvery = 5 * time.Second
)

// feed delivers the changes of one lane to one handler, for as long as this
// worker has the right to.
type feed struct {
	d     *deliverer
	w     *Worker
	h     *handler
	hold  check.DeliveryHold
	began time.Time     // when it got the right
	cut   func()        // ends all calls that were made for this feed
	wake  chan struct{} // holds one: there is something to do
	ended chan struct{} // closed when the feed is over
	quit  chan struct{} // closed by stop

	mu       sync.Mutex // guards the rest
	lines    *lines
	until    time.Time // the right holds until then, surely
	timer    *time.Timer
	lost     bool
	quitting bool
	next     string    // who is to deliver then; empty: whoever comes
	streak   int       // failures in a row
	back     time.Time // when the target was there again after many
	news     bool      // there is something to read
	left     int       // entries that wait to be read; -1: the queue cannot tell
	server   int64     // the queue's time, unix ms, at the instant that local says
	local    time.Time
	after    string // entries behind it were read by somebody before; empty: new ones

	// Only run uses these.
	skips  []string // entries that are none of the handler's
	readAt time.Time
	fails  int // of reads, in a row
}

func newFeed(d *deliverer, h *handler, hold check.DeliveryHold) *feed {
	return &feed{
		d: d, w: d.w, h: h, hold: hold, began: time.Now(), wake: make(chan struct{}, 1), ended: make(chan struct{}), quit: make(chan struct{}),
		lines: newLines(),
	}
}

// run delivers until the right is lost or given up. Then nothing of it is on
// its way any more but what does not obey.
func (f *feed) run(p phases) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if k, ok := f.h.Handler.(check.Keeper); ok {
		wg.Go(func() { f.keepAll(p, k) })
	}
	for attempt := 1; f.going(p); attempt++ {
		began := time.Now()
		err := f.serve(p)
		f.settleDown(p)
		if err == nil {
			return
		}
		if time.Since(began) > longPause {
			attempt = 1
		}
		f.forget()
		if !f.w.away.failed(p.queue, "read changes of lane "+f.hold.Lane.String()+" for "+f.h.Name, err, attempt) {
			return
		}
	}
}

func (f *feed) going(p phases) bool {
	select {
	case <-f.quit:
		return false
	default:
		return p.queue.Err() == nil && p.work.Err() == nil
	}
}

// serve reads and delivers. It returns an error when the reader's place is lost
// and has to be made anew, nil when it is told to end.
func (f *feed) serve(p phases) error {
	if err := f.open(p.queue); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for f.going(p) {
		if err := f.read(p); err != nil {
			return err
		}
		due, wait := f.agenda()
		var slot chan<- struct{}
		if due {
			slot = f.h.slots
		}
		timer.Reset(wait)
		select {
		case slot <- struct{}{}:
			f.launch(p)
		case <-f.wake:
		case <-timer.C:
		case <-f.quit:
		case <-p.queue.Done():
		case <-p.work.Done():
		}
	}
	return nil
}

// agenda says whether something is due, and how long there is nothing to do
// otherwise.
func (f *feed) agenda() (due bool, wait time.Duration) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	ripe := f.lines.ripe(now)
	wait = f.readAt.Sub(now)
	if !ripe.IsZero() {
		wait = min(wait, ripe.Sub(now))
	}
	return len(f.lines.due) > 0, max(wait, 0)
}

// launch delivers the next change that is due, in a slot that is taken.
func (f *feed) launch(p phases) {
	f.mu.Lock()
	l := f.lines.next()
	f.mu.Unlock()
	if l == nil {
		<-f.h.slots
		return
	}
	go f.attempt(p, l)
}

// call wakes the feed.
func (f *feed) call() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// settleDown waits until nothing is on its way: calls end within their timeout.
func (f *feed) settleDown(p phases) {
	for {
		f.mu.Lock()
		flying := f.lines.flying
		f.mu.Unlock()
		if flying == 0 {
			return
		}
		select {
		case <-f.wake:
		case <-p.queue.Done():
			<-f.wake // a call that was cut off ends now, one that does not obey was given up
		}
	}
}

// forget drops all that was read: it is read again.
func (f *feed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	claimed := f.lines.claimed
	f.lines = newLines()
	f.lines.claimed = claimed
}

// open makes the reader's place, and begins with what was read and not settled.
func (f *feed) open(ctx context.Context) error {
	state, err := f.d.out.OpenReader(ctx, f.hold.Lane, f.h.Name, f.d.knows(f.hold.Lane, f.h.Name))
	if err != nil {
		return err
	}
	if state == check.ReaderLost {
		f.w.log.Warn("the consumer group was lost: all changes that are kept are delivered again", "lane", f.hold.Lane.String(), "handler", f.h.Name)
	}
	f.d.learn(f.hold.Lane, f.h.Name)
	f.skips, f.readAt, f.fails = nil, time.Time{}, 0
	f.mu.Lock()
	f.after = "0"
	f.mu.Unlock()
	return nil
}

// now is the queue's time, unix ms.
func (f *feed) now() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.server + time.Since(f.local).Milliseconds()
}

// entryTime is when an entry was written, unix ms by the queue's clock.
func entryTime(sid string) int64 {
	ms, _, _ := strings.Cut(sid, "-")
	n, _ := strconv.ParseInt(ms, 10, 64) // 0 of what no queue gives
	return n
}

var errNotEvent = errors.New("the entry is no change of an incident")
