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
	f.mu.Lock()
	if began.Before(f.back) {
		a.pause = min(a.pause, f.h.RetryMin) // it began before the target was back
	}
	switch end {
	case endSettled:
		f.lines.settled(l)
	case endFailed:
		f.lines.failed(l, time.Now().Add(a.pause))
	default:
		f.lines.again(l)
	}
	f.mu.Unlock()
	if a.left == nil {
		<-f.h.slots
	} else { // the slot is its, until it returns
		go func() {
			<-a.left
			<-f.h.slots
		}()
	}
	f.call()
}

// ending is what became of an attempt.
type ending uint8

const (
	endCut     ending = iota // the right is lost, or the worker ends
	endSettled               // the change is out
	endFailed                // it is to be tried again
)

// attempt is one attempt at a change.
type attempt struct {
	*feed
	change
	number int
	pause  time.Duration  // before the next one
	left   <-chan outcome // of a call that did not end, nil mostly
}

// make makes it.
func (a *attempt) make(p phases) ending {
	if !a.alive() {
		a.expire()
		return endCut
	}
	gone, ok := a.load(p)
	if !ok {
		return endCut
	}
	if gone {
		a.trimmed(1)
		return a.settle(p, check.Settlement{})
	}
	alert, ok := a.alert(p)
	if !ok {
		return endCut
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
	var got outcome
	got, a.left = a.h.call(p, a.w, a.ev.Check.ID, func(ctx context.Context) (string, error) { return a.h.deliver(ctx, d) })
	took := time.Since(began)
	if got.err != nil {
		return a.failed(p, got.err, took)
	}
	a.w.delivered(a.h, DeliveryDone, took)
	a.went()
	return a.settle(p, check.Settlement{IncidentID: a.ev.Incident.ID, Ref: got.ref})
}

// load reads the event again, if it is not in memory; not ok: the feed ends.
func (a *attempt) load(p phases) (gone, ok bool) {
	if a.ev != nil {
		return false, true
	}
	var e check.ChangeEntry
	ok = a.insist(p, "read a change", func(ctx context.Context) (err error) {
		e, err = a.d.out.Change(ctx, a.hold.Lane, a.sid)
		return err
	})
	if !ok || e.Event == "" {
		return true, ok
	}
	var err error
	if a.ev, err = parseChange(e.Event); err != nil {
		return true, true // it was one before: somebody changed it, so that it is another
	}
	return false, true
}

// alert reads what stands of the incident; not ok: the feed ends.
func (a *attempt) alert(p phases) (alert check.Alert, ok bool) {
	ok = a.insist(p, "read an incident", func(ctx context.Context) error {
		found, err := a.d.out.Alerts(ctx, a.hold.Lane, a.h.Name, []string{a.ev.Incident.ID})
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("%d answers to one incident", len(found))
		}
		if err == nil {
			alert = found[0]
		}
		return err
	})
	return alert, ok
}

// insist makes a call to the queue until it has an answer; false: the feed ends.
func (a *attempt) insist(p phases, what string, f func(ctx context.Context) error) bool {
	for n := 1; a.alive(); n++ {
		err := f(p.queue)
		if err == nil {
			a.w.away.passed(what)
			return true
		}
		if !a.w.away.failed(p.queue, what, err, n) {
			return false
		}
	}
	return false
}

// settle ends the change.
func (a *attempt) settle(p phases, done check.Settlement) ending {
	done.SIDs = []string{a.sid}
	mine := false
	ok := a.insist(p, "settle", func(ctx context.Context) (err error) {
		mine, err = a.d.out.Settle(ctx, a.hold, done)
		return err
	})
	return a.settled(ok, mine)
}

// settled says what an answer of the queue means.
func (a *attempt) settled(ok, mine bool) ending {
	switch {
	case !ok:
		return endCut
	case !mine:
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

// bury makes the change a dead letter.
func (a *attempt) bury(p phases, why error, took time.Duration) ending {
	letter := check.DeadLetter{Reason: why.Error(), Attempts: a.number, Entry: a.sid}
	mine := false
	ok := a.insist(p, "bury", func(ctx context.Context) error {
		e, err := a.d.out.Change(ctx, a.hold.Lane, a.sid)
		if err != nil {
			return err
		}
		if letter.Event = e.Event; e.Event == "" { // trimmed since
			text, _ := json.Marshal(a.ev) // it came from JSON
			letter.Event = string(text)
		}
		mine, err = a.d.out.Bury(ctx, a.hold, letter)
		return err
	})
	end := a.settled(ok, mine)
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
