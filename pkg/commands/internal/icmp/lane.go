package icmp

import (
	"runtime"
	"sync"
	"time"
)

const (
	batchSize = 32 // packets per system call
	// paceRate bounds the frames that leave per millisecond, paceBurst those
	// that may leave at once: 25 KB of small packets are 0.2 ms of a gigabit.
	paceRate  = 200
	paceBurst = 256
	// slack lets packets leave early by that much, so that those which are due
	// within one tick of the timers leave in one batch.
	slack = int64(500 * time.Microsecond)
	// pause is the wait for space in the send buffer.
	pause = int64(time.Millisecond)
)

// lane serves one address family with one socket. Its goroutine lives while
// there are runs.
type lane struct {
	opts  *Options
	count *counters
	v6    bool
	base  time.Time // zero of the lane's clock

	mu        sync.Mutex // guards the following
	incoming  []*run
	cancelled []*run
	ended     chan struct{} // closed by the goroutine that ends; nil: none runs
	asleep    bool          // the goroutine waits and can be woken
	closed    bool
	sock      *socket // set once, used by the goroutine without mu

	// What follows belongs to the goroutine.
	form     form
	queue    runHeap
	slots    slots
	batch    []uint32 // slots of the packets that are staged in the socket
	answered []uint32 // slots whose round trip waits for the send time
	keys     []uint32 // slots by the kernel's numbers, as a ring
	key      uint32   // the kernel's number of the next packet
	limit    int      // packets per batch
	tokens   int64    // packets that may leave now
	refilled int64    // when tokens was brought up to date
	pollFn   func() bool
}

func (l *lane) init(o *Options, c *counters, v6 bool) {
	l.opts, l.count, l.v6 = o, c, v6
	l.base = time.Now()
	l.limit = 1
	l.pollFn = func() bool { return l.poll() > 0 }
}

func (l *lane) now() int64 { return int64(time.Since(l.base)) }

// submit hands a run to the lane and sees to it that the socket is open and
// the goroutine awake.
func (l *lane) submit(r *run) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.sock == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	l.incoming = append(l.incoming, r)
	l.rouse()
	return nil
}

// open opens the socket; mu is held.
func (l *lane) open() error {
	s, err := openSocket(l.v6, l.opts)
	if err != nil {
		return err
	}
	l.sock = s
	l.form = s.form
	l.slots.bySeq = new([1 << 16]uint32)
	l.keys = make([]uint32, 4096) // more than are on their way to the device
	return nil
}

// cancel makes the lane forget a run.
func (l *lane) cancel(r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return // all runs are ended there
	}
	l.cancelled = append(l.cancelled, r)
	l.rouse()
}

// rouse wakes the goroutine or starts it; mu is held.
func (l *lane) rouse() {
	switch {
	case l.ended == nil:
		l.ended = make(chan struct{})
		go l.loop(l.ended)
	case l.asleep:
		l.asleep = false
		l.sock.wake()
	}
}

func (l *lane) close() error {
	l.mu.Lock()
	l.closed = true
	ended := l.ended
	if ended != nil {
		l.rouse()
	}
	l.mu.Unlock()
	if ended != nil {
		<-ended
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sock == nil {
		return nil
	}
	s := l.sock
	l.sock = nil
	return s.close()
}

// loop serves until there is no run left.
func (l *lane) loop(ended chan struct{}) {
	defer close(ended)
	l.poll() // what came while nobody listened
	for l.admit() {
		l.sleep(l.turn())
	}
}

// turn reads what came and does what is due; it returns when there is more to
// do. A reply that was there when now was asked for comes before a deadline.
func (l *lane) turn() (next int64) {
	now := l.now()
	l.poll()
	return l.work(now)
}

// admit takes in and lets go runs. It returns false when the goroutine has to
// end.
func (l *lane) admit() bool {
	l.mu.Lock()
	if len(l.incoming) > 0 {
		// Those who are about to submit should be in the same batch.
		l.mu.Unlock()
		runtime.Gosched()
		l.mu.Lock()
	}
	incoming, cancelled := l.incoming, l.cancelled
	l.incoming, l.cancelled = nil, nil
	closed := l.closed
	l.mu.Unlock()
	if len(incoming) > 0 {
		now, dropped := l.now(), l.sock.drops()
		for _, r := range incoming {
			l.sock.fit(r.req.Size)
			r.at, r.dropped = now, dropped
			if l.form.verify {
				r.tail = tailSum(r.req.Size)
			}
			l.queue.push(r)
		}
	}
	for _, r := range cancelled {
		if !r.over {
			l.retire(r, nil)
		}
	}
	for closed && len(l.queue) > 0 {
		l.retire(l.queue[0].run, ErrClosed)
	}
	return len(l.queue) > 0 || !l.idle()
}

// idle ends the goroutine's life unless somebody came in meanwhile.
func (l *lane) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.incoming)+len(l.cancelled) > 0 {
		return false
	}
	l.ended = nil
	return true
}

// work does what is due and returns when there is more to do. Replies that
// came before now have been read.
func (l *lane) work(now int64) (next int64) {
	held := l.due(now)
	l.flush()
	if held || len(l.queue) == 0 {
		return now + pause
	}
	return l.queue[0].at
}

// due stages the packets that are due and ends the runs whose deadline has
// passed. It returns true when the pace holds packets back.
func (l *lane) due(now int64) (held bool) {
	for len(l.queue) > 0 {
		r := l.queue[0].run
		switch {
		case !r.sending():
			if r.at > now {
				return false
			}
			l.expire(r)
		case r.at > now+slack:
			return false
		case !l.paced(r.req.Size):
			return true
		default:
			l.stage(r, now)
			if len(l.batch) >= l.limit {
				l.flush()
				l.poll()
			}
		}
	}
	return false
}

// paced takes the tokens of a packet with size bytes of data.
func (l *lane) paced(size int) bool {
	if l.tokens <= 0 {
		now := l.now()
		more := (now - l.refilled) * paceRate / int64(time.Millisecond)
		if l.tokens += more; l.tokens <= 0 {
			if more > 0 {
				l.refilled = now
			}
			return false
		}
		l.tokens, l.refilled = min(l.tokens, paceBurst), now
	}
	l.tokens -= 1 + int64(size)/1500 // one for each frame on the wire
	return true
}

// sleep waits until next, for a packet or to be woken.
func (l *lane) sleep(next int64) {
	l.mu.Lock()
	if len(l.queue) == 0 || len(l.incoming)+len(l.cancelled) > 0 || l.closed {
		l.mu.Unlock()
		return
	}
	l.asleep = true
	l.sock.deadline(l.base.Add(time.Duration(next)))
	l.mu.Unlock()
	l.sock.wait(l.pollFn)
	l.mu.Lock()
	l.asleep = false
	l.mu.Unlock()
}
