package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// dueStats are the counts of a zone.
type dueStats struct {
	Zone string `json:"zone"`
	// Due60, Due180 and Later are waiting checks by when they are due: within
	// 60 s, within 180 s, later.
	Due60  int64 `json:"due_60s"`
	Due180 int64 `json:"due_180s"`
	Later  int64 `json:"later"`
	// Overdue is for how long the first waiting check has been due, ms.
	Overdue int64 `json:"overdue_ms"`
	Queued  int64 `json:"queued"`
	Running int64 `json:"running"`
}

// dueItem is a waiting check.
type dueItem struct {
	ID   string `json:"id"`
	Zone string `json:"zone"`
	Due  int64  `json:"due"`
}

type dueReport struct {
	Zones []dueStats `json:"zones"`
	Next  []dueItem  `json:"next"`
}

func (a *app) dueCmd() *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:   "due",
		Short: "Show what waits, is queued and runs, and what comes next",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			r, err := a.dueReport(cmd.Context(), conn, count)
			if err != nil {
				return err
			}
			now, err := conn.Now(cmd.Context())
			if err != nil {
				return err
			}
			return a.printDue(r, now)
		},
	}
	cmd.Flags().IntVarP(&count, "number", "n", 10, "how many of the next checks to show")
	return cmd
}

func (a *app) dueReport(ctx context.Context, conn *connection, count int) (dueReport, error) {
	r := dueReport{Zones: []dueStats{}, Next: []dueItem{}}
	lanes, err := a.lanes(ctx, conn)
	if err != nil {
		return r, err
	}
	for _, lane := range lanes {
		s, err := conn.Stats(ctx, lane)
		if err != nil {
			return r, err
		}
		if n := len(r.Zones); n == 0 || r.Zones[n-1].Zone != lane.Zone {
			r.Zones = append(r.Zones, dueStats{Zone: lane.Zone})
		}
		z := &r.Zones[len(r.Zones)-1]
		z.Due60, z.Due180, z.Later = z.Due60+s.Due60, z.Due180+s.Due180, z.Later+s.Later
		z.Overdue = max(z.Overdue, s.Overdue)
		z.Queued, z.Running = z.Queued+s.Ready-s.Pending, z.Running+s.Pending
		if count <= 0 {
			continue
		}
		items, err := conn.NextDue(ctx, lane, count)
		if err != nil {
			return r, err
		}
		for _, it := range items {
			r.Next = append(r.Next, dueItem{it.ID, lane.Zone, it.At})
		}
	}
	slices.SortStableFunc(r.Next, func(x, y dueItem) int { return int(min(max(x.Due-y.Due, -1), 1)) })
	r.Next = r.Next[:min(len(r.Next), max(count, 0))]
	return r, nil
}

func (a *app) printDue(r dueReport, now int64) error {
	p := a.printer()
	switch a.opt.output {
	case formatJSON, formatYAML:
		return p.value(r)
	case formatJSONL:
		return p.line(r)
	case formatName:
		return printList(p, r.Next, view[dueItem]{name: func(d dueItem) string { return target{d.Zone, d.ID}.String() }})
	}
	rows := make([][]string, len(r.Zones))
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	for i, z := range r.Zones {
		late := "-"
		if z.Overdue > 0 {
			late = roughly(time.Duration(z.Overdue) * time.Millisecond)
		}
		rows[i] = []string{z.Zone, n(z.Due60), n(z.Due180), n(z.Later), late, n(z.Queued), n(z.Running)}
	}
	if err := p.table([]string{"ZONE", "DUE<=60S", "<=180S", "LATER", "OVERDUE", "QUEUED", "RUNNING"}, rows); err != nil {
		return err
	}
	if len(r.Next) == 0 {
		return nil
	}
	next := make([][]string, len(r.Next))
	for i, d := range r.Next {
		next[i] = []string{d.ID, d.Zone, clock(d.Due), ago(time.Duration(now-d.Due) * time.Millisecond)}
	}
	fmt.Fprintln(a.Stdout)
	return p.table([]string{"NEXT", "ZONE", "DUE", "WHEN"}, next)
}
