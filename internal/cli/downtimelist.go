package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// downtimeRow is a downtime and when it is.
type downtimeRow struct {
	*check.Downtime
	// Active says that it is on now. Begin and End bound the present window, or
	// the next one, unix ms; 0: there is none any more.
	Active bool  `json:"active"`
	Begin  int64 `json:"begin,omitempty"`
	End    int64 `json:"end,omitempty"`
	// Error says why it cannot be read, and covers nothing.
	Error string `json:"error,omitempty"`
}

func (a *app) downtimeListCmd() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List downtimes",
		Long: strings.TrimSpace(`
List downtimes, the next one first. One that happened once leaves the list an
hour after its end. With --all also those that are over or were deleted.`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			now, err := conn.Now(cmd.Context())
			if err != nil {
				return err
			}
			rows, err := downtimeRows(cmd.Context(), conn, now)
			if err != nil {
				return err
			}
			rows = slices.DeleteFunc(rows, func(r downtimeRow) bool {
				over := r.Error == "" && r.Begin == 0
				return !all && over || a.opt.zone != "" && r.ZoneName() != a.opt.zone && r.ZoneName() != check.AllZones
			})
			return printList(a.printer(), rows, downtimeView(now))
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "those that are over or deleted too")
	return cmd
}

// downtimeRows reads all downtimes.
func downtimeRows(ctx context.Context, conn *connection, now int64) ([]downtimeRow, error) {
	texts, err := conn.Downtimes(ctx)
	if err != nil {
		return nil, err
	}
	var rows []downtimeRow
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		d, err := check.ParseDowntime(texts[id])
		if err != nil {
			rows = append(rows, downtimeRow{Downtime: &check.Downtime{ID: id}, Error: err.Error()})
			continue
		}
		d.ID = id
		r := downtimeRow{Downtime: d}
		if begin, end := d.Window(now); !begin.IsZero() {
			r.Begin, r.End = begin.UnixMilli(), end.UnixMilli()
			r.Active = r.Begin <= now
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(x, y downtimeRow) int { return cmp.Compare(x.Begin, y.Begin) })
	return rows, nil
}

// covers says in a few words which checks a downtime is of.
func (r downtimeRow) covers() string {
	parts := slices.Clone(r.Checks)
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		parts = append(parts, k+"="+r.Labels[k])
	}
	text := cmpOr(strings.Join(parts, " "), "-")
	switch zone := r.ZoneName(); zone {
	case check.DefaultZone:
	case check.AllZones:
		text += " in all zones"
	default:
		text += " in zone " + zone
	}
	return text
}

// when says when a downtime is, or was.
func (r downtimeRow) when(now int64) string {
	switch {
	case r.Error != "":
		return "unreadable"
	case r.Deleted != 0:
		return "deleted"
	case r.Begin == 0:
		return "over"
	case r.Active:
		return "now, for " + roughly(time.Duration(r.End-now)*time.Millisecond)
	}
	return ago(time.Duration(now-r.Begin) * time.Millisecond)
}

// recurs says how a downtime comes again.
func (r downtimeRow) recurs() string {
	if r.Cron == "" {
		return "once"
	}
	return fmt.Sprintf("%s %s for %s", r.Cron, cmpOr(r.Timezone, "UTC"), shortDuration(r.For.D()))
}

func downtimeView(now int64) view[downtimeRow] {
	return view[downtimeRow]{
		head: []string{"ID", "WHEN", "FROM", "UNTIL", "RECURS", "COVERS", "BY", "COMMENT"},
		row: func(r downtimeRow) []string {
			begin, end := clock(r.Begin), clock(r.End)
			if r.Begin == 0 && !r.From.IsZero() {
				begin, end = clock(r.From.UnixMilli()), clock(r.Until.UnixMilli())
			}
			return []string{r.ID, r.when(now), begin, end, r.recurs(), shorten(r.covers(), 60), cmpOr(r.By, "-"), shorten(cmpOr(r.Error, r.Comment), 60)}
		},
		name: func(r downtimeRow) string { return r.ID },
	}
}

// downtimesOf gives the downtimes that cover a check.
func downtimesOf(rows []downtimeRow, c *check.Check) []downtimeRow {
	var out []downtimeRow
	for _, r := range rows {
		if r.Error == "" && r.Begin != 0 && r.Covers(c) {
			out = append(out, r)
		}
	}
	return out
}
