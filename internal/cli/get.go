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
)

// checkRow is a check and how it is, as get and describe print it.
type checkRow struct {
	ID   string `json:"id"`
	Zone string `json:"zone"`
	// State is that of the last result; empty before the first.
	State  string          `json:"state,omitempty"`
	Reason string          `json:"reason,omitempty"`
	Text   string          `json:"text,omitempty"`
	Since  int64           `json:"since,omitempty"`
	Ran    int64           `json:"ran,omitempty"`
	Worker string          `json:"worker,omitempty"`
	Open   string          `json:"incident,omitempty"`
	Held   string          `json:"held,omitempty"`
	Error  string          `json:"error,omitempty"`
	Spec   json.RawMessage `json:"spec"`

	check *check.Check
}

func newCheckRow(s stored) checkRow {
	r := checkRow{ID: s.ID, Zone: s.lane.Zone, check: s.check, Spec: json.RawMessage(s.Spec)}
	if s.err != nil {
		r.Error = s.err.Error()
		if !json.Valid(r.Spec) {
			r.Spec, _ = json.Marshal(s.Spec) // a string always encodes
		}
	}
	if s.refused != "" {
		r.Error = s.refused
	}
	if last := parseLast(s.Last); last != nil {
		r.State, r.Reason, r.Text = last.State.String(), last.Reason, last.Text
		r.Since, r.Ran, r.Worker, r.Held = last.Since, last.Started, last.Worker, last.Held
		if inc := last.Open(); inc != nil {
			r.Open = inc.ID
		}
	}
	return r
}

func (r checkRow) target() target { return target{r.Zone, r.ID} }

// reasonText is the reason, and what holds the incident.
func (r checkRow) reasonText() string {
	if r.Held == "" {
		return cmpOr(r.Reason, "-")
	}
	return strings.TrimSpace(r.Reason + " (" + heldText(r.Held) + ")")
}

// command and schedule are what a table shows of a spec that may be unreadable.
func (r checkRow) command() string {
	if r.check == nil {
		return "?"
	}
	return r.check.Command
}

func (r checkRow) schedule() string {
	switch {
	case r.check == nil:
		return "?"
	case r.check.Paused:
		return "paused"
	}
	return scheduleText(r.check)
}

func (a *app) getCmd() *cobra.Command {
	var selector, states []string
	cmd := &cobra.Command{
		Use:               "get [ID ...] [-l LABEL=VALUE] [--state STATE,...]",
		Short:             "List checks and their states",
		Long:              "List checks and their states: those that are named, or all of --zone, or all.",
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			sel, err := parseSelector(selector)
			if err != nil {
				return err
			}
			only, err := parseStates(states)
			if err != nil {
				return err
			}
			return a.get(cmd.Context(), args, sel, only)
		},
	}
	cmd.Flags().StringArrayVarP(&selector, "selector", "l", nil, "checks with this `LABEL=VALUE` (!= and a label alone work too)")
	cmd.Flags().StringSliceVar(&states, "state", nil, "checks whose last result has one of these states: OK, WARN, CRIT, UNKNOWN")
	return cmd
}

func (a *app) get(ctx context.Context, args []string, sel selector, only []check.State) error {
	conn, err := a.connect(ctx)
	if err != nil {
		return err
	}
	var rows []checkRow
	missing := 0
	if len(args) > 0 {
		rows, missing, err = a.named(ctx, conn, args)
	} else {
		rows, err = a.all(ctx, conn, sel)
	}
	if err != nil {
		return err
	}
	if len(only) > 0 {
		rows = slices.DeleteFunc(rows, func(r checkRow) bool {
			return !slices.ContainsFunc(only, func(s check.State) bool { return s.String() == r.State })
		})
	}
	now, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	if err := printList(a.printer(), rows, checkView(now)); err != nil {
		return err
	}
	if missing > 0 {
		return errWrong
	}
	return nil
}

func checkView(now int64) view[checkRow] {
	return view[checkRow]{
		head: []string{"ID", "ZONE", "COMMAND", "SCHEDULE", "STATE", "FOR", "RAN", "REASON", "TEXT"},
		row: func(r checkRow) []string {
			state, since, ran := "-", "-", "-"
			if r.State != "" {
				state = r.State
				since = roughly(time.Duration(now-r.Since) * time.Millisecond)
				ran = ago(time.Duration(now-r.Ran) * time.Millisecond)
			}
			return []string{r.ID, r.Zone, r.command(), r.schedule(), state, since, ran, r.reasonText(), shorten(cmpOr(r.Error, r.Text), 60)}
		},
		name: func(r checkRow) string { return r.target().String() },
	}
}

// shorten cuts a text for a table.
func shorten(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit-1]) + "…"
}

// all reads every check that the selector picks, with its last record.
func (a *app) all(ctx context.Context, conn *connection, sel selector) ([]checkRow, error) {
	var rows []checkRow
	err := a.scan(ctx, conn, func(lane check.Lane, page []stored) error {
		picked := page[:0]
		for _, s := range page {
			if len(sel) == 0 || s.check != nil && sel.match(s.check) {
				picked = append(picked, s)
			}
		}
		if err := a.withLast(ctx, conn, lane, picked); err != nil {
			return err
		}
		if err := refusals(ctx, conn, lane, picked); err != nil {
			return err
		}
		for _, s := range picked {
			rows = append(rows, newCheckRow(s))
		}
		return nil
	})
	sortStored(rows, func(r checkRow) (string, string) { return r.Zone, r.ID })
	return rows, err
}

// named reads the checks that were asked for, and tells of those that are not
// there.
func (a *app) named(ctx context.Context, conn *connection, args []string) (rows []checkRow, missing int, err error) {
	found, err := a.targets(ctx, args, nil)
	if err != nil {
		return nil, 0, err
	}
	for _, t := range found {
		s, err := a.lookup(ctx, conn, t)
		if err != nil {
			return nil, 0, err
		}
		if s.Spec == "" {
			missing++
			a.tellMissing(ctx, conn, t)
			continue
		}
		page := []stored{s}
		if err := refusals(ctx, conn, s.lane, page); err != nil {
			return nil, 0, err
		}
		rows = append(rows, newCheckRow(page[0]))
	}
	return rows, missing, nil
}

// lookup reads a check; its spec is empty when there is none.
func (a *app) lookup(ctx context.Context, conn *connection, t target) (stored, error) {
	for try := 1; ; try++ {
		lane, err := conn.LaneOf(ctx, t.zone, t.id)
		if err != nil {
			return stored{}, err
		}
		found, err := conn.Specs(ctx, lane, []string{t.id})
		if err != nil {
			return stored{}, err
		}
		if found[0].Spec != "" {
			st := parseStored(lane, found[0])
			if st.bare {
				st.check.Zone = t.zone
			}
			return st, nil
		}
		if left, err := a.hasLeft(ctx, conn, lane, t.id); err != nil || !left || try == lookMost {
			return stored{lane: lane, Stored: found[0]}, err
		}
	}
}

// hasLeft tells of a check that was not found in a lane whether it went on to
// another one of the zone.
func (a *app) hasLeft(ctx context.Context, conn *connection, lane check.Lane, id string) (bool, error) {
	st, err := conn.Standings(ctx, lane, []string{id})
	return err == nil && st[0].Kind == check.StandsMoved, err
}

// tellMissing says that a check is not there, and where one of that name is.
func (a *app) tellMissing(ctx context.Context, conn *connection, t target) {
	fmt.Fprintf(a.Stderr, "%s: there is no such check in zone %s", clean(t.id), clean(t.zone))
	zones, err := conn.Zones(ctx)
	for zone, z := range zones {
		lane := check.Lane{Zone: zone, Part: check.Partition(t.id, max(z.Partitions, 1))}
		if err != nil || zone == t.zone {
			continue
		}
		if found, err := conn.Specs(ctx, lane, []string{t.id}); err == nil && found[0].Spec != "" {
			fmt.Fprintf(a.Stderr, ", but in zone %s: --zone %s", zone, zone)
		}
	}
	fmt.Fprintln(a.Stderr)
}
