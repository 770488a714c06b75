package cli

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// runRow is a run record as JSON.
type runRow struct {
	State     string `json:"state"`
	Paused    bool   `json:"paused,omitempty"`
	Again     bool   `json:"again,omitempty"`
	Void      bool   `json:"void,omitempty"`
	Planned   int64  `json:"planned,omitempty"`
	SID       string `json:"entry,omitempty"`
	Owner     string `json:"owner,omitempty"`
	Expiry    int64  `json:"expiry,omitempty"`
	Crashes   int    `json:"crashes,omitempty"`
	Committed string `json:"committed,omitempty"`
	Rev       string `json:"rev,omitempty"`
	SHA       string `json:"sha,omitempty"`
	First     int64  `json:"first,omitempty"`
	// To is the lane that a check is on its way to.
	To string `json:"to,omitempty"`
}

func newRunRow(r redisqueue.Record) *runRow {
	row := &runRow{
		State: r.State, Paused: r.Paused, Again: r.Again, Void: r.Void, Planned: r.Planned, SID: r.SID, Owner: r.Owner,
		Expiry: r.Expiry, Crashes: r.Crashes, Committed: r.Committed, Rev: r.Rev, SHA: r.SHA, First: r.First,
	}
	if r.Way.Lane != (check.Lane{}) {
		row.To = r.Way.Lane.String()
	}
	return row
}

// description is all that is known of a check.
type description struct {
	checkRow
	Lane string      `json:"lane"`
	Due  int64       `json:"due,omitempty"`
	Run  *runRow     `json:"run,omitempty"`
	Last *check.Last `json:"last,omitempty"`
	// Downtimes are those that cover the check, now or later; Parents tells how
	// the parents are.
	Downtimes []downtimeRow `json:"downtimes,omitempty"`
	Parents   []parentRow   `json:"parents,omitempty"`
}

func (a *app) describeCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "describe ID ...",
		Short: "Show all that is known of a check",
		Long:  "Show all that is known of a check: spec, last result with metrics, open incident, when it is due, run record.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("describe wants the id of a check; 'redpoll get' lists them")
			}
			return nil
		},
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			found, err := a.targets(cmd.Context(), args, nil)
			if err != nil {
				return err
			}
			missing := false
			for i, t := range found {
				d, err := a.describe(cmd.Context(), conn, t)
				if err != nil {
					return err
				}
				if d == nil {
					missing = true
					a.tellMissing(cmd.Context(), conn, t)
					continue
				}
				if i > 0 && a.opt.output == formatTable {
					fmt.Fprintln(a.Stdout)
				}
				if err := a.printDescription(cmd.Context(), conn, d); err != nil {
					return err
				}
			}
			if missing {
				return errWrong
			}
			return nil
		},
	}
}

// describe reads everything of a check, nil when there is none.
func (a *app) describe(ctx context.Context, conn *connection, t target) (*description, error) {
	lane, p, err := a.place(ctx, conn, t)
	if err != nil || p.Spec == "" {
		return nil, err
	}
	st := parseStored(lane, p.Stored)
	st.judge(conn, p.Record)
	d := &description{checkRow: newCheckRow(st), Lane: lane.String(), Due: p.Due, Last: parseLast(p.Last)}
	if p.Record.State != "" {
		d.Run = newRunRow(p.Record)
	}
	if d.check != nil {
		now, err := conn.Now(ctx)
		if err != nil {
			return nil, err
		}
		rows, err := downtimeRows(ctx, conn, now)
		if err != nil {
			return nil, err
		}
		d.Downtimes = downtimesOf(rows, d.check)
		if d.Parents, err = parentRows(ctx, conn, t.zone, d.check.Parents); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// place tells where a check stands; its spec is empty when there is none.
func (a *app) place(ctx context.Context, conn *connection, t target) (lane check.Lane, p redisqueue.Place, err error) {
	for try := 1; ; try++ {
		if lane, err = conn.LaneOf(ctx, t.zone, t.id); err != nil {
			return lane, p, err
		}
		places, err := conn.Places(ctx, lane, []string{t.id})
		if err != nil || places[0].Spec != "" {
			return lane, append(places, p)[0], err
		}
		if left, err := a.hasLeft(ctx, conn, lane, t.id); err != nil || !left || try == lookMost {
			return lane, p, err
		}
	}
}

func (a *app) printDescription(ctx context.Context, conn *connection, d *description) error {
	switch a.opt.output {
	case formatJSONL:
		return a.printer().line(d)
	case formatJSON, formatYAML:
		return a.printer().value(d)
	case formatName:
		_, err := fmt.Fprintln(a.Stdout, clean(d.target().String()))
		return err
	}
	now, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	d.write(&buf, a.printer(), now)
	_, err = a.Stdout.Write(buf.Bytes())
	return err
}
