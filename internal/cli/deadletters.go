package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// letterRow is a dead letter as it is shown.
type letterRow struct {
	// Letter names it: lane, slash, entry.
	Letter string `json:"letter"`
	check.DeadLetter
	Event json.RawMessage `json:"event,omitempty"`

	event *check.Event // nil of one that cannot be read
}

// letterOptions are the flags of deadletters.
type letterOptions struct {
	handler     string
	ids         []string
	retry, drop bool
	letters     []string
}

func (a *app) deadLettersCmd() *cobra.Command {
	var o letterOptions
	cmd := &cobra.Command{
		Use:   "deadletters [LETTER ...]",
		Short: "List changes that a handler did not get, send or drop them",
		Long: strings.TrimSpace(`
List the changes of incidents that were given up for a handler, oldest first.
With --retry they are sent to it again, and behind them how their incidents are
now, where that is another; with --drop they are thrown away.`),
		Example: strings.TrimRight(`
  redpoll deadletters --handler pager
  redpoll deadletters --handler pager --retry
  redpoll deadletters default:0/1767225600000-0 --drop`, "\n")[1:],
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.retry && o.drop {
				return usagef("--retry and --drop do not go together")
			}
			o.letters = args
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			return a.deadLetters(cmd.Context(), conn, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.handler, "handler", "", "only of this handler")
	f.StringSliceVar(&o.ids, "id", nil, "only of these checks")
	f.BoolVar(&o.retry, "retry", false, "send them to their handlers again")
	f.BoolVar(&o.drop, "drop", false, "throw them away")
	return cmd
}

func (a *app) deadLetters(ctx context.Context, conn *connection, o letterOptions) error {
	rows, err := a.letterRows(ctx, conn, o)
	if err != nil {
		return err
	}
	if missing := missingLetters(o.letters, rows); len(missing) > 0 {
		return fmt.Errorf("there is no dead letter %s", strings.Join(missing, ", "))
	}
	switch {
	case o.retry:
		return a.retryLetters(ctx, conn, rows)
	case o.drop:
		dropped := 0
		for lane, list := range byLaneOf(rows) {
			var ids []string
			for _, r := range list {
				ids = append(ids, r.ID)
			}
			for part := range slices.Chunk(ids, resendPage) {
				n, err := conn.DropDead(ctx, lane, part...)
				dropped += n
				if err != nil {
					return err
				}
			}
		}
		_, err := fmt.Fprintf(a.Stderr, "%s dropped\n", count(dropped, "dead letter"))
		return err
	}
	return printList(a.printer(), rows, letterView())
}

func missingLetters(names []string, rows []letterRow) (missing []string) {
	for _, name := range names {
		if !slices.ContainsFunc(rows, func(r letterRow) bool { return r.Letter == name }) {
			missing = append(missing, name)
		}
	}
	return missing
}

func byLaneOf(rows []letterRow) map[check.Lane][]letterRow {
	out := map[check.Lane][]letterRow{}
	for _, r := range rows {
		out[r.Lane] = append(out[r.Lane], r)
	}
	return out
}

// letterRows reads the letters that o picks.
func (a *app) letterRows(ctx context.Context, conn *connection, o letterOptions) ([]letterRow, error) {
	lanes, err := a.lanes(ctx, conn)
	if err != nil {
		return nil, err
	}
	var rows []letterRow
	for _, lane := range lanes {
		for after := ""; ; {
			page, err := conn.DeadLetters(ctx, lane, after, 500)
			if err != nil {
				return nil, err
			}
			for _, l := range page {
				if r := newLetterRow(l); o.fits(r) {
					rows = append(rows, r)
				}
			}
			if len(page) < 500 {
				break
			}
			after = page[len(page)-1].ID
		}
	}
	slices.SortStableFunc(rows, func(x, y letterRow) int { return int(min(max(x.At-y.At, -1), 1)) })
	return rows, nil
}

func newLetterRow(l check.DeadLetter) letterRow {
	r := letterRow{Letter: l.Lane.String() + "/" + l.ID, DeadLetter: l}
	if json.Valid([]byte(l.Event)) {
		r.Event = json.RawMessage(l.Event)
	}
	ev := &check.Event{}
	if json.Unmarshal([]byte(l.Event), ev) == nil && ev.Incident != nil && ev.Incident.ID != "" {
		r.event = ev
	}
	return r
}

func (o *letterOptions) fits(r letterRow) bool {
	id := ""
	if r.event != nil {
		id = r.event.Check.ID
	}
	return (o.handler == "" || o.handler == r.Handler) && (len(o.ids) == 0 || slices.Contains(o.ids, id)) &&
		(len(o.letters) == 0 || slices.Contains(o.letters, r.Letter))
}

func letterView() view[letterRow] {
	return view[letterRow]{
		head: []string{"LETTER", "GIVEN UP", "HANDLER", "CHECK", "CHANGE", "STATE", "ATTEMPTS", "REASON"},
		row: func(r letterRow) []string {
			target, change, state := "-", "unreadable", "-"
			if r.event != nil {
				target, change, state = eventTarget(r.event), string(r.event.Change), r.event.State.String()
			}
			return []string{r.Letter, clock(r.At), r.Handler, target, change, state, strconv.Itoa(r.Attempts), shorten(r.Reason, 80)}
		},
		name: func(r letterRow) string { return r.Letter },
	}
}

// retryLetters sends letters again, those of one incident in one step.
func (a *app) retryLetters(ctx context.Context, conn *connection, rows []letterRow) error {
	type group struct {
		lane              check.Lane
		handler, incident string
	}
	lists := map[group][]resending{}
	var order []group
	unreadable := 0
	for _, r := range rows {
		if r.event == nil {
			unreadable++
			continue
		}
		g := group{r.Lane, r.Handler, r.event.Incident.ID}
		if lists[g] == nil {
			order = append(order, g)
		}
		lists[g] = append(lists[g], resending{event: *r.event, text: r.DeadLetter.Event, letter: r.ID})
	}
	totals := map[string]*resender{}
	var handlers []string
	for _, g := range order {
		if totals[g.handler] == nil {
			totals[g.handler] = &resender{handler: g.handler}
			handlers = append(handlers, g.handler)
		}
		r := &resender{conn: conn, lane: g.lane, handler: g.handler}
		for part := range slices.Chunk(lists[g], resendPage) {
			if err := r.incident(ctx, part); err != nil {
				return err
			}
		}
		totals[g.handler].add(r)
	}
	for _, h := range handlers {
		if _, err := fmt.Fprintln(a.Stderr, totals[h].told()); err != nil {
			return err
		}
	}
	if unreadable > 0 {
		fmt.Fprintf(a.Stderr, "%s cannot be read and stay; --drop throws them away\n", count(unreadable, "dead letter"))
	}
	if len(order) == 0 && unreadable == 0 {
		fmt.Fprintln(a.Stderr, "there are no dead letters")
	}
	return nil
}
