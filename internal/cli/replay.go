package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// replayOptions are the flags of results that send changes again.
type replayOptions struct {
	handler  string
	from, to string
	dry      bool
}

// check says whether the flags go together; changed tells those that were given.
func (o *replayOptions) check(changed func(name string) bool) error {
	if !changed("replay") {
		for _, name := range []string{"from", "to", "dry-run"} {
			if changed(name) {
				return usagef("--%s goes with --replay", name)
			}
		}
		return nil
	}
	for _, name := range []string{"follow", "number", "state", "changes"} {
		if changed(name) {
			return usagef("--%s does not go with --replay", name)
		}
	}
	if o.handler == "" || o.from == "" {
		return usagef("--replay wants a handler and --from, a time such as 2h (ago) or 2026-01-02T15:04:05Z")
	}
	return nil
}

// replay sends the changes of a span again, to one handler.
func (a *app) replay(ctx context.Context, conn *connection, o replayOptions, fits func(*check.Event) bool) error {
	now, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	from, err := parseWhen("from", o.from, now)
	if err != nil {
		return err
	}
	to := now
	if o.to != "" {
		if to, err = parseWhen("to", o.to, now); err != nil {
			return err
		}
	}
	if from > to {
		return usagef("--from %s is behind --to", o.from)
	}
	lanes, err := a.lanes(ctx, conn)
	if err != nil {
		return err
	}
	if err := a.knownHandler(ctx, conn, lanes, o.handler); err != nil {
		return err
	}
	total := &resender{handler: o.handler, dry: o.dry}
	var shown []check.Event
	for _, lane := range lanes {
		r := &resender{conn: conn, lane: lane, handler: o.handler, dry: o.dry}
		events, err := r.span(ctx, from, min(to, now), fits)
		total.add(r)
		if err != nil {
			return fmt.Errorf("%w; so far: %s", err, total.told())
		}
		if o.dry {
			shown = append(shown, events...)
		}
	}
	if o.dry {
		slices.SortStableFunc(shown, func(x, y check.Event) int { return int(min(max(x.Finished-y.Finished, -1), 1)) })
		if err := printList(a.printer(), shown, eventView()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(a.Stderr, total.told())
	return err
}

// span sends the changes between two times, unix ms, both included, and gives
// the events of a dry run. What was itself sent again is left out.
func (r *resender) span(ctx context.Context, from, to int64, fits func(*check.Event) bool) (shown []check.Event, err error) {
	last := map[string]check.Event{} // of each incident
	var order []string
	for start := strconv.FormatInt(from, 10); ; {
		page, err := r.conn.Changes(ctx, r.lane, start, strconv.FormatInt(to, 10), resendPage)
		if err != nil {
			return shown, err
		}
		var items []redisqueue.Resending
		for _, e := range page {
			ev, ok := r.wants(e, fits)
			if !ok {
				continue
			}
			items = append(items, redisqueue.Resending{Event: e.Event})
			if _, seen := last[ev.Incident.ID]; !seen {
				order = append(order, ev.Incident.ID)
			}
			last[ev.Incident.ID] = ev
			if r.dry {
				shown = append(shown, ev)
			}
		}
		if _, err := r.send(ctx, items); err != nil {
			return shown, err
		}
		if len(page) < resendPage {
			break
		}
		start = "(" + page[len(page)-1].SID
	}
	for _, id := range order {
		if err := r.finish(ctx, last[id]); err != nil {
			return shown, err
		}
	}
	return shown, nil
}

// wants says whether an entry is to be sent again.
func (r *resender) wants(e check.ChangeEntry, fits func(*check.Event) bool) (ev check.Event, ok bool) {
	if e.For != "" || json.Unmarshal([]byte(e.Event), &ev) != nil || ev.Incident == nil || ev.Incident.ID == "" {
		return ev, false
	}
	return ev, fits(&ev) && (ev.Check.Handlers == nil || slices.Contains(ev.Check.Handlers, r.handler))
}

// finish sends how an incident is now, if it has ended or changed since the last
// change that was sent.
func (r *resender) finish(ctx context.Context, last check.Event) error {
	for range resendTries {
		text, end, err := r.endOf(ctx, &last)
		if err != nil || end == "" {
			return err
		}
		done, err := r.send(ctx, []redisqueue.Resending{{IncidentID: last.Incident.ID, Incident: text, Event: end}})
		if err != nil {
			return err
		}
		if done {
			r.ends++
			r.sent-- // it was counted
			return nil
		}
	}
	return fmt.Errorf("incident %s: %w", last.Incident.ID, errBusy)
}
