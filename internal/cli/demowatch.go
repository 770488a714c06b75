package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// watcher tells what happens in a fleet: a line for each event of interest and
// a summary now and then.
type watcher struct {
	app  *app
	conn *connection
	p    *printer

	log    string                 // the last verdict that was told
	from   map[check.Lane]string  // the last result that was read
	states map[string]check.State // by check
	opened map[string]int64       // open incident -> when
	late   []int64                // of the runs since the last summary, ms
	runs   int
	total  int // incidents that were opened
}

const watchSummary = 5 * time.Second

func newWatcher(a *app, conn *connection) *watcher {
	return &watcher{
		app: a, conn: conn, p: a.printer(), log: "0-0", from: make(map[check.Lane]string),
		states: make(map[string]check.State), opened: make(map[string]int64),
	}
}

// run watches until ctx is done.
func (w *watcher) run(ctx context.Context) error {
	next := time.Now().Add(watchSummary)
	for ctx.Err() == nil {
		lanes, err := w.conn.Lanes(ctx)
		if err != nil {
			return err
		}
		entries, err := tail(ctx, w.conn, lanes, w.from)
		if err != nil {
			return err
		}
		if err := w.verdicts(ctx); err != nil {
			return err
		}
		for _, ev := range parseEvents(entries, func(*check.Event) bool { return true }) {
			w.event(&ev)
		}
		if len(lanes) == 0 {
			_ = sleep(ctx, 100*time.Millisecond) // the loop sees that ctx is done
		}
		if now := time.Now(); !now.Before(next) {
			next = now.Add(watchSummary)
			w.say(now.UnixMilli(), "-- %s", w.summary())
			w.late = w.late[:0]
		}
	}
	return nil
}

func (w *watcher) say(ms int64, format string, args ...any) {
	fmt.Fprintf(w.app.Stdout, "%s  %s\n", time.UnixMilli(ms).Local().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// verdicts tells of requests.
func (w *watcher) verdicts(ctx context.Context) error {
	found, err := w.conn.Client().XRangeN(ctx, w.conn.KeyIntakeLog(), "("+w.log, "+", 100).Result()
	if err != nil {
		return fmt.Errorf("read %s: %w", w.conn.KeyIntakeLog(), err)
	}
	for _, m := range found {
		w.log = m.ID
		text := func(name string) string { v, _ := m.Values[name].(string); return clean(v) }
		line := fmt.Sprintf("request %s %s: %s", text("op"), text("id"), text("verdict"))
		if reason := text("reason"); reason != "" {
			line += ", " + reason
		}
		w.say(time.Now().UnixMilli(), "%s", line)
		if text("op") == string(check.OpDelete) && text("verdict") == check.VerdictAccepted {
			delete(w.states, text("id"))
		}
	}
	return nil
}

// event tells of a result when something is new in it.
func (w *watcher) event(ev *check.Event) {
	id := eventTarget(ev)
	before, known := w.states[id]
	w.states[id] = ev.Result.State
	w.runs++
	w.late = append(w.late, ev.Started-ev.Planned)
	note := ""
	switch ev.Change {
	case check.ChangeOpen:
		w.total++
		w.opened[ev.Incident.ID] = ev.Incident.Opened
		note = "  INCIDENT OPENED"
	case check.ChangeResolve:
		delete(w.opened, ev.Incident.ID)
		note = fmt.Sprintf("  incident resolved after %s", roughly(time.Duration(ev.Incident.Resolved-ev.Incident.Opened)*time.Millisecond))
	case check.ChangeUpdate:
		note = "  incident changed"
	case check.ChangeNone, check.ChangeAck:
		if known && before == ev.Result.State {
			return
		}
	}
	if !known {
		note += "  (first result)"
	}
	state := ev.Result.State.String()
	text := strings.TrimSpace(ev.Result.Reason + " " + shorten(clean(ev.Result.Text), 70))
	w.say(ev.Finished, "%s%s %-10s %s by %s%s", w.p.paint(state), strings.Repeat(" ", 7-len(state)), clean(id),
		cmpOr(text, fmt.Sprintf("in %d ms", ev.Finished-ev.Started)), clean(ev.Worker), note)
}

// summary counts.
func (w *watcher) summary() string {
	states := make(map[check.State]int)
	for _, s := range w.states {
		states[s]++
	}
	var parts []string
	for _, s := range []check.State{check.StateOK, check.StateWarn, check.StateCrit, check.StateUnknown} {
		if states[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", states[s], s))
		}
	}
	line := fmt.Sprintf("%s (%s), %s, %s, %d open", count(len(w.states), "check"), cmpOr(strings.Join(parts, ", "), "no result yet"),
		count(w.runs, "run"), count(w.total, "incident"), len(w.opened))
	if len(w.late) > 0 {
		slices.Sort(w.late)
		line += fmt.Sprintf(", started at most %d ms late", max(w.late[len(w.late)-1], 0))
	}
	return line
}
