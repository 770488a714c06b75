package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// UplinkTest tries out the worker's own network, so that a worker that has
// lost it does not report its targets as down. The uplink of a zone is down
// when all tests of the zone fail, twice in a row.
type UplinkTest struct {
	// Zone is the zone whose checks depend on it; empty: every zone.
	Zone string
	// Target is what is tried, for messages.
	Target string
	// Test returns nil when the target answers. It obeys its context, which ends
	// after a second.
	Test func(ctx context.Context) error
}

const (
	uplinkEvery   = time.Second
	uplinkTimeout = time.Second
	// uplinkTries is how many rounds in a row fail before the uplink is down, and
	// uplinkRises how many pass before it is up again.
	uplinkTries = 2
	uplinkRises = 2
	uplinkAgain = 200 * time.Millisecond // between two tries
	// uplinkPause is the least pause between two rounds: a thousand results in
	// doubt ask for one.
	uplinkPause = 50 * time.Millisecond
)

// uplink guards the results of one zone. A result that is not OK counts only
// after a round of tests that began when the run had ended and passed.
type uplink struct {
	zone  string
	tests []UplinkTest
	kick  chan struct{} // holds one: a round is asked for

	mu     sync.Mutex // guards the rest
	down   bool
	since  time.Time // when the round that found it down began
	why    error
	good   time.Time     // when the latest round that passed began
	healed time.Time     // when it was found up again
	rises  int           // rounds that passed in a row, while down
	ended  chan struct{} // closed when a round ends
}

// newUplinks makes the guards of the zones that have tests.
func newUplinks(zones []string, tests []UplinkTest) map[string]*uplink {
	guards := map[string]*uplink{}
	for _, zone := range zones {
		u := &uplink{zone: zone, kick: make(chan struct{}, 1), ended: make(chan struct{})}
		for _, t := range tests {
			if t.Zone == "" || t.Zone == zone {
				u.tests = append(u.tests, t)
			}
		}
		if len(u.tests) > 0 {
			guards[zone] = u
		}
	}
	return guards
}

// isDown says whether the uplink is down; one without tests never is.
func (u *uplink) isDown() bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.down
}

// believe says whether a result that is not OK tells something about the
// target: the uplink was up before the run began and after it ended. It waits
// for the round of tests that shows it.
func (u *uplink) believe(ctx context.Context, began, ended time.Time) bool {
	for u != nil {
		u.mu.Lock()
		doubt, sure, round := u.down || began.Before(u.healed), u.good.After(ended), u.ended
		u.mu.Unlock()
		if doubt || sure {
			return !doubt
		}
		select {
		case u.kick <- struct{}{}:
		default:
		}
		select {
		case <-round:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// watch tests the uplink until ctx ends; changed is called when it goes down
// or comes up.
func (u *uplink) watch(ctx context.Context, changed func()) {
	tick := time.NewTicker(uplinkEvery)
	defer tick.Stop()
	for {
		first := time.Now()
		began, err := first, u.round(ctx)
		for try := 1; err != nil && try < uplinkTries && !u.isDown() && pause(ctx, uplinkAgain); try++ {
			began, err = time.Now(), u.round(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if u.settle(first, began, err) {
			changed()
		}
		if !pause(ctx, uplinkPause) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-u.kick:
		case <-tick.C:
		}
	}
}

// round runs all tests at once: nil as soon as one passes, else what each said.
func (u *uplink) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, uplinkTimeout)
	defer cancel()
	results := make(chan error, len(u.tests))
	for _, t := range u.tests {
		go func() {
			err := t.Test(ctx)
			if err != nil {
				err = fmt.Errorf("%s: %w", t.Target, err)
			}
			results <- err
		}()
	}
	var faults []error
	for range u.tests {
		select {
		case err := <-results:
			if err == nil {
				return nil
			}
			faults = append(faults, err)
		case <-ctx.Done():
			return errors.Join(append(faults, errors.New("no answer within "+uplinkTimeout.String()))...)
		}
	}
	return errors.Join(faults...)
}

// settle takes in what a round found, the latest of the tries of which the
// first began at first. It says whether that changes anything.
func (u *uplink) settle(first, began time.Time, err error) (changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.ended)
	u.ended = make(chan struct{})
	switch {
	case err != nil:
		changed = !u.down
		if changed {
			u.down, u.since = true, first
		}
		u.why, u.rises = err, 0
	case !u.down:
		u.good = began
	default:
		if u.rises++; u.rises >= uplinkRises {
			u.down, u.good, u.healed, changed = false, began, time.Now(), true
		}
	}
	return changed
}

// state gives what is told of the uplink.
func (u *uplink) state() (down bool, since time.Time, why error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.down, u.since, u.why
}

// Uplinks says of each zone that has self-tests whether its uplink is up.
func (w *Worker) Uplinks() map[string]bool {
	up := make(map[string]bool, len(w.uplinks))
	for zone, u := range w.uplinks {
		up[zone] = !u.isDown()
	}
	return up
}

// reachable gives the lanes whose uplink is up.
func (w *Worker) reachable(lanes []check.Lane) []check.Lane {
	if len(w.uplinks) == 0 {
		return lanes
	}
	var up []check.Lane
	for _, l := range lanes {
		if !w.uplinks[l.Zone].isDown() {
			up = append(up, l)
		}
	}
	return up
}

// guardUplink watches one uplink until p.queue ends. While it is down the
// zone's runs are handed back and no new ones are taken; the incident about it
// is told to the queue.
func (w *Worker) guardUplink(p phases, u *uplink) {
	tell := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { w.tellUplink(p, u, tell) })
	u.watch(p.queue, func() {
		down, _, why := u.state()
		if down {
			w.log.ErrorContext(p.queue, "uplink is down: takes no checks of the zone and hands its runs back", "zone", u.zone, "err", why)
			w.runs.cutZone(u.zone)
			w.turnAway(w.gate.pull(u.zone))
		} else {
			w.log.InfoContext(p.queue, "uplink is up again", "zone", u.zone)
		}
		select {
		case tell <- struct{}{}:
		default:
		}
	})
}
