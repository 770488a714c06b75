package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// keepPage is how many open incidents a Keeper is shown at once.
	keepPage = 500
	// minKeep is the shortest pause between two rounds.
	minKeep = time.Second
)

// keepAll shows the open incidents of the lane to a Keeper, again and again
// until the feed ends.
func (f *feed) keepAll(p phases, k check.Keeper) {
	ctx, cancel := context.WithCancel(p.work)
	defer cancel()
	go func() {
		select {
		case <-f.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	// Not all lanes at once.
	for wait := rand.N(minKeep); pause(ctx, wait); wait = f.keepEvery(k) {
		if err := f.keepRound(ctx, p, k); err != nil && ctx.Err() == nil {
			f.w.away.note("read open incidents", err)
		}
	}
}

// keepEvery is the pause between two rounds; one that the handler cannot tell is
// a minute.
func (f *feed) keepEvery(k check.Keeper) time.Duration {
	every := time.Minute
	_ = guarded(f.w.log, func() error { every = k.KeepEvery(); return nil }, "handler", f.h.Name) // logged there
	return max(every, minKeep)
}

// keepRound shows each open incident once. Its error is the queue's.
func (f *feed) keepRound(ctx context.Context, p phases, k check.Keeper) error {
	var ids []string // of open incidents, not shown yet
	for cursor := uint64(0); ; {
		found, next, err := f.d.out.ScanIncidents(ctx, f.hold.Lane, cursor, keepPage)
		if err != nil {
			return err
		}
		for _, a := range found {
			if inc := parseIncident(a.Incident); inc != nil && inc.Resolved == 0 {
				ids = append(ids, a.ID)
			}
		}
		for len(ids) >= keepPage || next == 0 && len(ids) > 0 {
			part := ids[:min(len(ids), keepPage)]
			ids = ids[len(part):]
			if err := f.keepPage(ctx, p, k, part); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			f.w.away.passed("read open incidents")
			return nil
		}
	}
}

func parseIncident(text string) *check.Incident {
	var inc check.Incident
	if json.Unmarshal([]byte(text), &inc) != nil {
		return nil
	}
	return &inc
}

// keepPage shows some incidents. Their checks' changes rest meanwhile, so that
// none is shown as open that is resolved at the target already; what has a
// change on its way is left out.
func (f *feed) keepPage(ctx context.Context, p phases, k check.Keeper, incidents []string) error {
	byCheck := map[string][]string{}
	var checks []string
	for _, id := range incidents {
		if _, name, _, err := check.ParseIncidentID(id); err == nil {
			if byCheck[name] == nil {
				checks = append(checks, name)
			}
			byCheck[name] = append(byCheck[name], id)
		}
	}
	f.mu.Lock()
	claimed := f.lines.claim(checks)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.lines.release(claimed)
		f.mu.Unlock()
		f.call()
	}()
	open, err := f.openOf(ctx, claimed, byCheck)
	if err != nil || len(open) == 0 {
		return err
	}
	select {
	case f.h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	f.show(p, k, open)
	return nil
}

// openOf makes what a Keeper is shown, of the incidents that are open by now.
func (f *feed) openOf(ctx context.Context, checks []string, byCheck map[string][]string) ([]check.Delivery, error) {
	var ids []string
	at := map[string]int{}
	for i, name := range checks {
		ids = append(ids, byCheck[name]...)
		at[name] = i
	}
	alerts, err := f.d.out.Alerts(ctx, f.hold.Lane, f.h.Name, ids)
	if err != nil {
		return nil, err
	}
	stored, err := f.d.out.Specs(ctx, f.hold.Lane, checks)
	if err == nil && (len(alerts) != len(ids) || len(stored) != len(checks)) {
		err = fmt.Errorf("%d and %d answers to %d incidents of %d checks", len(alerts), len(stored), len(ids), len(checks))
	}
	if err != nil {
		return nil, err
	}
	left, err := f.elsewhere(ctx, checks)
	if err != nil {
		return nil, err
	}
	var open []check.Delivery
	skipped := 0
	for _, a := range alerts {
		_, name, _, _ := check.ParseIncidentID(a.ID) // it could be read above
		inc := parseIncident(a.Incident)
		if inc == nil || inc.Resolved != 0 || left[name] {
			continue
		}
		ev := openEvent(f.hold.Lane, name, stored[at[name]], inc)
		switch {
		case ev == nil:
			skipped++
		case a.Known || f.h.wants(ev):
			open = append(open, check.Delivery{Event: ev, Ref: a.Ref, Ack: f.ack(a.Ack), Attempt: 1})
		}
	}
	f.w.kept(f.h, KeptSkipped, skipped)
	return open, nil
}

// mover is an Outbox whose checks move between lanes.
type mover interface {
	// Elsewhere tells which checks have arrived in another lane, one answer for
	// each id.
	Elsewhere(ctx context.Context, lane check.Lane, ids []string) ([]bool, error)
}

// elsewhere gives those of the checks that go on in another lane by now: there
// their incidents may be resolved.
func (f *feed) elsewhere(ctx context.Context, checks []string) (map[string]bool, error) {
	q, ok := f.d.out.(mover)
	if !ok {
		return nil, nil
	}
	gone, err := q.Elsewhere(ctx, f.hold.Lane, checks)
	left := map[string]bool{}
	for i := range min(len(gone), len(checks)) {
		left[checks[i]] = gone[i]
	}
	return left, err
}

// openEvent makes the event of an open incident: the check's latest result. Nil
// when the check has another open incident by now, or none, or is not known.
func openEvent(lane check.Lane, name string, st check.Stored, inc *check.Incident) *check.Event {
	if worker, ok := check.WorkerOf(name); ok {
		ev := check.WorkerEvent(lane.Zone, worker, inc, check.ChangeNone)
		return &ev
	}
	ev := &check.Event{}
	if st.Last != "" && json.Unmarshal([]byte(st.Last), ev) == nil {
		if ev.Incident == nil || ev.Incident.ID != inc.ID || ev.Incident.Resolved != 0 {
			return nil // left behind when the last record was lost
		}
	} else {
		*ev = check.Event{
			Result:  check.Result{State: inc.To, Reason: inc.Reason, Text: inc.Text, At: time.UnixMilli(inc.Updated).UTC()},
			Planned: inc.Updated, Started: inc.Updated, Finished: inc.Updated, Since: inc.Opened,
		}
	}
	if ev.Check.ID == "" {
		c, err := check.Parse([]byte(st.Spec))
		if err != nil {
			return nil
		}
		ev.Check = check.NewEvent(c)
	}
	ev.Check.Zone = lane.Zone
	ev.Change, ev.Incident = check.ChangeNone, inc
	return ev
}

// show calls Keep in a slot that is taken.
func (f *feed) show(p phases, k check.Keeper, open []check.Delivery) {
	open = slices.Clip(open)
	if !f.alive() {
		<-f.h.slots
		return
	}
	got, left := f.h.call(p, f.w, "", func(ctx context.Context) (string, error) { return "", k.Keep(ctx, open) })
	if left == nil {
		<-f.h.slots
	} else {
		go func() {
			<-left
			<-f.h.slots
		}()
	}
	if got.err == nil {
		f.w.kept(f.h, KeptDone, len(open))
		return
	}
	if p.work.Err() != nil {
		return
	}
	f.w.kept(f.h, KeptFailed, len(open))
	f.w.cfg.Metrics.HandlerFailed(f.h.Name)
	f.w.onError("", f.h.Name, got.err)
	if f.w.warned.allow("keep " + f.h.Name) {
		f.w.log.Warn("open incidents were not repeated", "lane", f.hold.Lane.String(), "handler", f.h.Name, "count", len(open), "err", got.err)
	}
}
