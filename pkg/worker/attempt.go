package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// attempt delivers the first change of a line, in a slot of the handler.
func (f *feed) attempt(p phases, l *line) {
	f.mu.Lock()
	c, n := l.changes[0], l.attempt+1
	f.mu.Unlock()
	a := &attempt{feed: f, change: c, number: n}
	began := time.Now()
	end := a.make(p)
	a.free()
	f.mu.Lock()
	if began.Before(f.back) {
		a.pause = min(a.pause, f.h.RetryMin) // it began before the target was back
	}
	switch end {
	case endSettled:
		f.lines.settled(l)
	case endFailed:
		f.lines.failed(l, time.Now().Add(a.pause))
	case endLater:
		f.lines.rest(l, time.Now().Add(jitter(longPause)))
	default:
		f.lines.again(l)
	}
	f.mu.Unlock()
	f.call()
}

// ending is what became of an attempt.
type ending uint8

const (
	endCut     ending = iota // the right is lost, or the worker ends
	endSettled               // the change is out
	endFailed                // the handler failed: it is to be tried again
	endLater                 // the queue failed before the handler was called
)

// attempt is one attempt at a change.
type attempt struct {
	*feed
	change
	number int
	pause  time.Duration // before the next one
	freed  bool          // the slot is another's
}

// free gives the handler's slot back: what is still to be written needs none.
func (a *attempt) free() {
	if !a.freed {
		a.freed = true
		<-a.h.slots
	}
}

// make makes it.
func (a *attempt) make(p phases) ending {
	if !a.alive() {
		a.expire()
		return endCut
	}
	gone, err := a.load(p)
	if gone && err == nil {
		a.trimmed(1)
		return a.settle(p, check.Settlement{})
	}
	var alert check.Alert
	if err == nil {
		alert, err = a.alert(p)
	}
	if err != nil {
		a.w.away.note("read changes", err)
		return endLater
	}
	if !alert.Known && !a.h.wants(a.ev) {
		a.w.delivered(a.h, DeliverySkipped, 0)
		return a.settle(p, check.Settlement{})
	}
	if !a.alive() { // frozen since
		a.expire()
		return endCut
	}
	d := check.Delivery{Event: a.ev, Ref: alert.Ref, Ack: a.ack(alert.Ack), Attempt: a.number}
	began := time.Now()
	got, left := a.h.call(p, a.w, a.ev.Check.ID, func(ctx context.Context) (string, error) { return a.h.deliver(ctx, d) })
	took := time.Since(began)
	if left != nil { // the slot is its, until it returns
		a.freed = true
		go func() {
			<-left
			<-a.h.slots
		}()
	}
	a.free()
	if got.err != nil {
		return a.failed(p, got.err, took)
	}
	a.w.delivered(a.h, DeliveryDone, took)
	a.went()
	return a.settle(p, check.Settlement{IncidentID: a.ev.Incident.ID, Ref: got.ref})
}

// load reads the event again, if it is not in memory.
func (a *attempt) load(p phases) (gone bool, err error) {
	if a.ev != nil {
		return false, nil
	}
	e, err := a.d.out.Change(p.queue, a.hold.Lane, a.sid)
	if err != nil || e.Event == "" {
		return true, err
	}
	if a.ev, err = parseChange(e.Event); err != nil {
		return true, nil // it was one before: somebody changed it, so that it is another
	}
	return false, nil
}

// alert reads what stands of the incident.
func (a *attempt) alert(p phases) (check.Alert, error) {
	found, err := a.d.out.Alerts(p.queue, a.hold.Lane, a.h.Name, []string{a.ev.Incident.ID})
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d answers to one incident", len(found))
	}
	if err != nil {
		return check.Alert{}, err
	}
	return found[0], nil
}

// settle ends the change: as long as the right holds, since a repetition would
// follow from giving up.
func (a *attempt) settle(p phases, done check.Settlement) ending {
	done.SIDs = []string{a.sid}
	a.free()
	for n := 1; a.alive(); n++ {
		mine, err := a.d.out.Settle(p.queue, a.hold, done)
		if err == nil {
			a.w.away.passed("settle")
			return a.settled(mine)
		}
		if !a.w.away.failed(p.queue, "settle", err, n) {
			break
		}
	}
	return endCut
}

// settled says what an answer of the queue means.
func (a *attempt) settled(mine bool) ending {
	if !mine {
		a.lose("the queue says so")
		return endCut
	}
	return endSettled
}

// failed decides what follows a failure: another attempt, or none.
func (a *attempt) failed(p phases, err error, took time.Duration) ending {
	if p.work.Err() != nil {
		return endCut // it was cut off
	}
	a.w.cfg.Metrics.HandlerFailed(a.h.Name)
	a.w.onError(a.ev.Check.ID, a.h.Name, err)
	a.stayed()
	var permanent *check.PermanentError
	age := time.Duration(a.now()-entryTime(a.sid)) * time.Millisecond
	if errors.As(err, &permanent) || a.h.GiveUp > 0 && age >= a.h.GiveUp {
		return a.bury(p, err, took)
	}
	a.w.delivered(a.h, DeliveryFailed, took)
	a.pause = a.h.retryPause(err, a.number)
	if a.w.warned.allow("delivery to " + a.h.Name) {
		a.w.log.Warn("delivery failed", "check", a.ev.Check.ID, "handler", a.h.Name, "incident", a.ev.Incident.ID,
			"change", string(a.ev.Change), "attempt", a.number, "again", a.pause.Round(time.Millisecond), "err", err)
	}
	return endFailed
}

// bury makes the change a dead letter. Where the queue fails it is delivered
// once more before the next try.
func (a *attempt) bury(p phases, why error, took time.Duration) ending {
	letter := check.DeadLetter{Reason: check.CleanText(why.Error(), check.MaxText), Attempts: a.number, Entry: a.sid}
	mine := false
	e, err := a.d.out.Change(p.queue, a.hold.Lane, a.sid)
	if err == nil {
		if letter.Event = e.Event; e.Event == "" { // trimmed since
			text, _ := json.Marshal(a.ev) // it came from JSON
			letter.Event = string(text)
		}
		mine, err = a.d.out.Bury(p.queue, a.hold, letter)
	}
	if err != nil {
		a.w.away.note("bury", err)
		return endLater
	}
	a.w.away.passed("bury")
	end := a.settled(mine)
	if end == endSettled {
		a.w.delivered(a.h, DeliveryDead, took)
		if a.w.warned.allow("dead letter of " + a.h.Name) {
			a.w.log.Error("change given up: it is with the dead letters", "check", a.ev.Check.ID, "handler", a.h.Name,
				"incident", a.ev.Incident.ID, "change", string(a.ev.Change), "attempts", a.number, "err", why)
		}
	}
	return end
}

// retryPause is how long a change rests after its nth failure.
func (h *handler) retryPause(err error, n int) time.Duration {
	var asked *check.RetryAfterError
	if errors.As(err, &asked) { // no sooner than that
		d := min(max(asked.After, h.RetryMin), h.RetryMax)
		return d + (d - jitter(d))
	}
	return jitter(min(h.RetryMin<<min(n-1, 16), h.RetryMax))
}

// went notes that the target is there. If it was not, all that waits is tried
// at once.
func (f *feed) went() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.streak >= outage {
		f.lines.hurry()
		f.back = time.Now()
	}
	f.streak = 0
}

func (f *feed) stayed() {
	f.mu.Lock()
	f.streak++
	f.mu.Unlock()
}

// ack reads an acknowledgement; nil when none holds.
func (f *feed) ack(text string) *check.Ack {
	if text == "" {
		return nil
	}
	ack := &check.Ack{}
	if json.Unmarshal([]byte(text), ack) != nil {
		return &check.Ack{} // somebody wrote something: he takes care
	}
	if !ack.Holds(f.now()) {
		return nil
	}
	return ack
}
