package worker

import "time"

// extend notes that the right holds for a lease from the instant it was asked
// for. When that is over everything is cut off: somebody else may have it.
func (f *feed) extend(asked time.Time) {
	lease := f.w.cfg.Lease
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = asked.Add(lease)
	left := time.Until(f.until)
	if f.timer == nil {
		f.timer = time.AfterFunc(left, f.expire)
		return
	}
	f.timer.Reset(left)
}

func (f *feed) expire() { f.lose("it ran out") }

// lose ends the feed: the right is another's, or may be.
func (f *feed) lose(why string) {
	f.mu.Lock()
	first := !f.lost
	f.lost = true
	f.mu.Unlock()
	if first {
		f.w.log.Warn("delivery is another's", "lane", f.hold.Lane.String(), "handler", f.h.Name, "reason", why)
		f.cut()
	}
}

// alive says whether the right surely holds: a process that was frozen sees
// here that it does not.
func (f *feed) alive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.lost && time.Now().Before(f.until)
}

// renew makes the right last.
func (f *feed) renew(p phases) {
	if !f.alive() {
		f.expire()
		return
	}
	asked := time.Now()
	ok, err := f.d.out.KeepDelivery(p.queue, f.hold, f.w.cfg.Lease)
	switch {
	case err != nil:
		f.w.away.note("keep deliveries", err)
	case ok:
		f.w.away.passed("keep deliveries")
		f.extend(asked)
	default:
		f.lose("the queue says so")
	}
}

// stop makes the feed end when what is on its way has ended, and pass the right
// on; false when it was told before.
func (f *feed) stop(next string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quitting {
		return false
	}
	f.quitting, f.next = true, next
	close(f.quit)
	return true
}

// giveAway gives the right back.
func (f *feed) giveAway(p phases) {
	f.mu.Lock()
	f.timer.Stop()
	lost, next := f.lost, f.next
	f.lost = true
	f.mu.Unlock()
	f.cut()
	if lost {
		return
	}
	if err := f.d.out.GiveDelivery(p.queue, f.hold, next, 2*f.d.lookEvery()+time.Second); err != nil {
		f.w.away.note("give deliveries away", err)
	}
}
