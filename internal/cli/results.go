package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// resultsOptions are the flags of results.
type resultsOptions struct {
	follow   bool
	count    int
	ids      []string
	states   []string
	changes  bool
	selector []string
	replay   replayOptions
}

func (a *app) resultsCmd() *cobra.Command {
	var o resultsOptions
	cmd := &cobra.Command{
		Use:   "results [-f | --replay HANDLER --from TIME]",
		Short: "Show the latest results, follow them, or send changes again",
		Long: strings.TrimSpace(`
Show the latest results, or follow them.

With --replay nothing is shown: the changes of incidents between --from and --to
are sent again, to one handler of the stream alone. It gets those of the checks
that name it and that its filter lets through; each has the incident's id and
the kind of change that it had the first time. What has been resolved or changed
since follows at the end, so that no alert is left open, or as it was.`),
		Example: strings.TrimRight(`
  redpoll results -n 50 --state CRIT,WARN
  redpoll results -f --id web1 -o jsonl
  redpoll results --replay pager --from 2h --dry-run`, "\n")[1:],
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := o.filter()
			if err != nil {
				return err
			}
			if err := o.replay.check(cmd.Flags().Changed); err != nil {
				return err
			}
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			if o.replay.handler != "" {
				return a.replay(cmd.Context(), conn, o.replay, f)
			}
			return a.results(cmd.Context(), conn, o, f)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes, until Ctrl-C")
	f.IntVarP(&o.count, "number", "n", 20, "how many of the latest results to show first")
	f.StringSliceVar(&o.ids, "id", nil, "only of these checks")
	f.StringSliceVar(&o.states, "state", nil, "only of these states: OK, WARN, CRIT, UNKNOWN")
	f.BoolVar(&o.changes, "changes", false, "only those that changed an incident")
	f.StringVar(&o.replay.handler, "replay", "", "send changes of incidents to this `HANDLER` again")
	f.StringVar(&o.replay.from, "from", "", "those since this `TIME`, or since so long ago (2h)")
	f.StringVar(&o.replay.to, "to", "", "those up to this `TIME`, default now")
	f.BoolVar(&o.replay.dry, "dry-run", false, "show the changes that --replay would send, send none")
	f.StringArrayVarP(&o.selector, "selector", "l", nil, "only of checks with this `LABEL=VALUE`")
	return cmd
}

// filter makes a test for events of the flags.
func (o *resultsOptions) filter() (func(*check.Event) bool, error) {
	sel, err := parseSelector(o.selector)
	if err != nil {
		return nil, err
	}
	states, err := parseStates(o.states)
	if err != nil {
		return nil, err
	}
	return func(ev *check.Event) bool {
		c := check.Check{Labels: ev.Check.Labels}
		return (len(o.ids) == 0 || slices.Contains(o.ids, ev.Check.ID)) &&
			(len(states) == 0 || slices.Contains(states, ev.Result.State)) &&
			(!o.changes || ev.Change != check.ChangeNone) && sel.match(&c)
	}, nil
}

// parseStates reads the names of states, in any case of letters.
func parseStates(names []string) ([]check.State, error) {
	var states []check.State
	for _, name := range names {
		s, err := check.ParseState(strings.ToUpper(name))
		if err != nil {
			return nil, &codeError{ExitUsage, err}
		}
		states = append(states, s)
	}
	return states, nil
}

// latestMost bounds how many results are read to find -n that fit the filter.
const latestMost = 20_000

func (a *app) results(ctx context.Context, conn *connection, o resultsOptions, fits func(*check.Event) bool) error {
	lanes, err := a.lanes(ctx, conn)
	if err != nil {
		return err
	}
	count := max(o.count, 0)
	if len(o.ids)+len(o.states)+len(o.selector) > 0 || o.changes {
		count = min(count*1000, latestMost)
	}
	from := make(map[check.Lane]string)
	var events []check.Event
	for _, lane := range lanes {
		latest, err := conn.LatestResults(ctx, lane, max(count, 1))
		if err != nil {
			return err
		}
		from[lane] = "0-0"
		if n := len(latest); n > 0 {
			from[lane] = latest[n-1].SID
		}
		if o.count > 0 {
			events = append(events, parseEvents(latest, fits)...)
		}
	}
	slices.SortStableFunc(events, func(x, y check.Event) int { return int(min(max(x.Finished-y.Finished, -1), 1)) })
	events = events[max(len(events)-max(o.count, 0), 0):]
	out := &resultPrinter{printer: a.printer(), follow: o.follow}
	if err := out.print(events); err != nil || !o.follow {
		return err
	}
	return a.follow(ctx, conn, lanes, from, fits, out)
}

// follow prints what comes until ctx is done; Redis being away for a moment
// ends it not.
func (a *app) follow(ctx context.Context, conn *connection, lanes []check.Lane, from map[check.Lane]string, fits func(*check.Event) bool, out *resultPrinter) error {
	looked := time.Now()
	for away := false; ctx.Err() == nil; {
		if time.Since(looked) > 5*time.Second { // a new zone may have come
			looked = time.Now()
			if now, err := a.lanes(ctx, conn); err == nil {
				lanes = now
			}
		}
		entries, err := tail(ctx, conn, lanes, from)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if !away {
				fmt.Fprintf(a.Stderr, "redpoll: %v; trying again\n", err)
			}
			away = true
			_ = sleep(ctx, time.Second) // the loop sees that ctx is done
			continue
		case len(lanes) == 0:
			_ = sleep(ctx, time.Second)
		}
		away = false
		if err := out.print(parseEvents(entries, fits)); err != nil {
			return err
		}
	}
	return nil
}

// tail waits a moment for new results. One call reads one lane, since lanes
// may live on different nodes of a cluster; many lanes share the wait.
func tail(ctx context.Context, conn *connection, lanes []check.Lane, from map[check.Lane]string) ([]redisqueue.ResultEntry, error) {
	var all []redisqueue.ResultEntry
	for _, lane := range lanes {
		if from[lane] == "" {
			from[lane] = "0-0" // a zone that came while we looked: all of it is new
		}
		wait := max(500*time.Millisecond/time.Duration(len(lanes)), 10*time.Millisecond)
		found, err := conn.Tail(ctx, from, []check.Lane{lane}, 1000, wait)
		if err != nil {
			return all, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func parseEvents(entries []redisqueue.ResultEntry, fits func(*check.Event) bool) []check.Event {
	var out []check.Event
	for _, e := range entries {
		var ev check.Event
		if json.Unmarshal([]byte(e.Event), &ev) == nil && fits(&ev) {
			out = append(out, ev)
		}
	}
	return out
}

// resultPrinter prints pages of events: with follow the table has fixed
// columns and its head is printed once.
type resultPrinter struct {
	*printer
	follow bool
}

func (p *resultPrinter) print(events []check.Event) error {
	if p.follow && p.format == formatJSON {
		p.format = formatJSONL // an array that never ends helps nobody
	}
	if p.format != formatTable || !p.follow {
		if p.follow && len(events) == 0 {
			return nil
		}
		return printList(p.printer, events, eventView())
	}
	for _, ev := range events {
		if _, err := fmt.Fprintln(p.w, p.eventLine(&ev)); err != nil {
			return err
		}
	}
	return nil
}

func eventView() view[check.Event] {
	return view[check.Event]{
		head: []string{"TIME", "CHECK", "STATE", "REASON", "TOOK", "LATE", "WORKER", "INCIDENT", "TEXT"},
		row: func(ev check.Event) []string {
			at, took, late := ev.Finished, fmt.Sprintf("%dms", ev.Finished-ev.Started), fmt.Sprintf("%dms", ev.Started-ev.Planned)
			if ev.Planned > ev.Finished { // a change that no run made, such as an acknowledgement
				at, took, late = ev.Planned, "-", "-"
			}
			return []string{
				clock(at), eventTarget(&ev), ev.Result.State.String(), cmpOr(ev.Result.Reason, "-"), took, late, ev.Worker,
				cmpOr(string(ev.Change), "-"), shorten(ev.Result.Text, 80),
			}
		},
		name: func(ev check.Event) string { return eventTarget(&ev) },
	}
}

func eventTarget(ev *check.Event) string {
	return target{cmpOr(ev.Check.Zone, check.DefaultZone), ev.Check.ID}.String()
}

// eventLine is one line of a stream that has no end and so no widths.
func (p *printer) eventLine(ev *check.Event) string {
	state := ev.Result.State.String()
	line := fmt.Sprintf("%s  %s%s  %-20s", time.UnixMilli(ev.Finished).Local().Format("15:04:05.000"),
		p.paint(state), strings.Repeat(" ", 7-len(state)), clean(eventTarget(ev)))
	for _, part := range []string{ev.Result.Reason, ev.Result.Text} {
		if part != "" {
			line += " " + clean(part)
		}
	}
	if ev.Change != check.ChangeNone {
		line += "  [incident " + p.paint(string(ev.Change)) + "]"
	}
	return strings.TrimRight(line, " ")
}
