package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// incidentOptions are the flags of incidents.
type incidentOptions struct {
	all      bool
	id       string
	selector []string
}

func (a *app) incidentsCmd() *cobra.Command {
	var o incidentOptions
	cmd := &cobra.Command{
		Use:   "incidents [--all]",
		Short: "List open incidents",
		Long: strings.TrimSpace(`
List open incidents, the oldest first. With --all also those that were resolved
within the last seven days, and checks in trouble whose incident is held: by a
downtime, a parent in trouble or suppress_incidents.`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sel, err := parseSelector(o.selector)
			if err != nil {
				return err
			}
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			now, err := conn.Now(cmd.Context())
			if err != nil {
				return err
			}
			rows, err := a.incidentRows(cmd.Context(), conn, o, sel, now)
			if err != nil {
				return err
			}
			return printList(a.printer(), rows, incidentView(now))
		},
	}
	cmd.Flags().BoolVarP(&o.all, "all", "a", false, "resolved ones and held ones too")
	cmd.Flags().StringVar(&o.id, "id", "", "only of this check")
	cmd.Flags().StringArrayVarP(&o.selector, "selector", "l", nil, "only of checks with this `LABEL=VALUE` (!= and a label alone work too)")
	return cmd
}

// incidentRows reads the incidents that the flags pick.
func (a *app) incidentRows(ctx context.Context, conn *connection, o incidentOptions, sel selector, now int64) ([]incidentRow, error) {
	seen := map[string]int{}
	var rows []incidentRow
	w := a.walk(conn)
	err := w.run(ctx, func(lane check.Lane) error {
		found, err := laneIncidents(ctx, conn, lane, now)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(r incidentRow) bool {
			return o.id != "" && r.Check != o.id
		})
		if found, err = a.labelled(ctx, w, lane, found, sel); err != nil {
			return err
		}
		rows = mergeIncidents(rows, found, seen)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r incidentRow) bool { return !o.all && r.Resolved != 0 })
	if o.all && a.opt.output != formatName { // they have no name that could be acknowledged
		held, err := a.heldRows(ctx, conn, o.id, sel)
		if err != nil {
			return nil, err
		}
		rows = append(rows, held...)
	}
	sortIncidents(rows)
	return rows, nil
}

// mergeIncidents adds rows to those of other lanes; seen is where each stands.
// While its check moves an incident is in two lanes, and goes on in the new one.
func mergeIncidents(rows, more []incidentRow, seen map[string]int) []incidentRow {
	for _, r := range more {
		at, ok := seen[r.ID]
		if !ok {
			seen[r.ID] = len(rows)
			rows = append(rows, r)
			continue
		}
		if r.newer(rows[at]) {
			rows[at] = r
		}
	}
	return rows
}

// newer tells of two rows of one incident whether this is the later one.
func (r incidentRow) newer(than incidentRow) bool {
	return cmp.Or(cmp.Compare(r.Resolved, than.Resolved), cmp.Compare(r.Updated, than.Updated), len(r.Ack)-len(than.Ack)) > 0
}

// sortIncidents puts the oldest first.
func sortIncidents(rows []incidentRow) {
	slices.SortFunc(rows, func(x, y incidentRow) int {
		return cmp.Or(cmp.Compare(x.Opened, y.Opened), strings.Compare(x.ID, y.ID), strings.Compare(x.Check, y.Check))
	})
}

// newIncidentRow reads an entry; false when there is no incident in it.
func newIncidentRow(lane check.Lane, e redisqueue.IncidentEntry) (r incidentRow, ok bool) {
	r.Zone = lane.Zone
	if json.Unmarshal([]byte(e.Incident), &r.Incident) != nil {
		return r, false
	}
	r.ID = e.ID
	if _, id, _, err := check.ParseIncidentID(e.ID); err == nil {
		r.Check = id
	}
	if json.Valid([]byte(e.Ack)) {
		r.Ack = json.RawMessage(e.Ack)
	}
	return r, true
}

// at gives the row as it is at a time, unix ms: with Acked.
func (r incidentRow) at(now int64) incidentRow {
	var ack check.Ack
	r.Acked = len(r.Ack) > 0 && (json.Unmarshal(r.Ack, &ack) != nil || ack.Holds(now))
	return r
}

// laneIncidents reads the incidents of a lane.
func laneIncidents(ctx context.Context, conn *connection, lane check.Lane, now int64) ([]incidentRow, error) {
	found, err := conn.Incidents(ctx, lane)
	if err != nil {
		return nil, err
	}
	var rows []incidentRow
	for _, e := range found {
		if r, ok := newIncidentRow(lane, e); ok {
			rows = append(rows, r.at(now))
		}
	}
	return rows, nil
}

// labelled keeps the incidents of checks that the selector picks. A check that
// has left before its incident is looked for where it went.
func (a *app) labelled(ctx context.Context, w *walker, lane check.Lane, rows []incidentRow, sel selector) ([]incidentRow, error) {
	if len(sel) == 0 || len(rows) == 0 {
		return rows, nil
	}
	moving, err := w.moving(ctx, lane.Zone)
	if err != nil {
		return nil, err
	}
	var kept []incidentRow
	for page := range slices.Chunk(rows, scanPage) {
		ids := make([]string, len(page))
		for i, r := range page {
			ids[i] = r.Check
		}
		found, err := w.conn.Specs(ctx, lane, ids)
		if err != nil {
			return nil, err
		}
		for i, s := range found {
			st := parseStored(lane, s)
			if moving && s.Spec == "" {
				if st, err = a.lookup(ctx, w.conn, target{lane.Zone, s.ID}); err != nil {
					return nil, err
				}
			}
			if st.check != nil && sel.match(st.check) {
				kept = append(kept, page[i])
			}
		}
	}
	return kept, nil
}

// heldRows gives the checks in trouble whose incidents are held.
func (a *app) heldRows(ctx context.Context, conn *connection, id string, sel selector) ([]incidentRow, error) {
	var rows []incidentRow
	err := a.scan(ctx, conn, func(lane check.Lane, page []stored) error {
		page = slices.DeleteFunc(page, func(s stored) bool {
			return id != "" && s.ID != id || len(sel) > 0 && (s.check == nil || !sel.match(s.check))
		})
		if err := a.withLast(ctx, conn, lane, page); err != nil {
			return err
		}
		for _, s := range page {
			last := parseLast(s.Last)
			if last == nil || last.Held == "" || last.Open() != nil {
				continue
			}
			rows = append(rows, incidentRow{Zone: s.lane.Zone, Check: s.ID, Held: last.Held, Incident: check.Incident{
				To: last.State, Reason: last.Reason, Text: last.Text, Opened: last.Since, Updated: last.Planned,
			}})
		}
		return nil
	})
	return rows, err
}

func incidentView(now int64) view[incidentRow] {
	row := func(r incidentRow, text int) []string {
		end := now
		if r.Resolved != 0 {
			end = r.Resolved
		}
		return []string{
			clock(r.Opened), roughly(time.Duration(end-r.Opened) * time.Millisecond), r.stateText(), r.target(),
			r.reasonText(), shorten(r.ackText(), text), shorten(r.Text, text),
		}
	}
	head := []string{"SINCE", "FOR", "STATE", "CHECK", "REASON", "ACK", "TEXT"}
	return view[incidentRow]{
		head: head,
		row:  func(r incidentRow) []string { return row(r, 60) },
		wide: &wideView[incidentRow]{
			head: append([]string{"INCIDENT", "UPDATED", "RESOLVED"}, head...),
			row: func(r incidentRow) []string {
				return append([]string{cmpOr(r.ID, "-"), clock(r.Updated), clock(r.Resolved)}, row(r, 2000)...)
			},
		},
		name: func(r incidentRow) string { return r.ID },
	}
}
