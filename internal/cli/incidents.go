package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// incidentRow is an incident and its acknowledgement.
type incidentRow struct {
	check.Incident
	Zone  string          `json:"zone"`
	Check string          `json:"check"`
	Ack   json.RawMessage `json:"ack,omitempty"`
}

// ackText says who acknowledged an incident, and what he said.
func (r incidentRow) ackText() string {
	if len(r.Ack) == 0 {
		return "-"
	}
	var ack struct{ By, Comment string }
	_ = json.Unmarshal(r.Ack, &ack) // what cannot be read is shown as acknowledged
	return strings.TrimSpace(cmpOr(ack.By, "yes") + " " + ack.Comment)
}

func (a *app) incidentsCmd() *cobra.Command {
	var all bool
	var id string
	cmd := &cobra.Command{
		Use:   "incidents [--all]",
		Short: "List open incidents",
		Long:  "List open incidents; with --all also those that were resolved within the last seven days.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			rows, err := a.incidentRows(cmd.Context(), conn)
			if err != nil {
				return err
			}
			rows = slices.DeleteFunc(rows, func(r incidentRow) bool {
				return !all && r.Resolved != 0 || id != "" && r.Check != id
			})
			now, err := conn.Now(cmd.Context())
			if err != nil {
				return err
			}
			return printList(a.printer(), rows, incidentView(now))
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "resolved ones too")
	cmd.Flags().StringVar(&id, "id", "", "only of this check")
	return cmd
}

func (a *app) incidentRows(ctx context.Context, conn *connection) ([]incidentRow, error) {
	lanes, err := a.lanes(ctx, conn)
	if err != nil {
		return nil, err
	}
	var rows []incidentRow
	for _, lane := range lanes {
		found, err := conn.Incidents(ctx, lane)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if r, ok := newIncidentRow(lane, e); ok {
				rows = append(rows, r)
			}
		}
	}
	sortIncidents(rows)
	return rows, nil
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

// sortIncidents puts the oldest first.
func sortIncidents(rows []incidentRow) {
	slices.SortFunc(rows, func(x, y incidentRow) int {
		if x.Opened != y.Opened {
			return int(min(max(x.Opened-y.Opened, -1), 1))
		}
		return strings.Compare(x.ID, y.ID)
	})
}

func incidentView(now int64) view[incidentRow] {
	return view[incidentRow]{
		head: []string{"INCIDENT", "STATE", "OPENED", "FOR", "REASON", "ACK", "TEXT"},
		row: func(r incidentRow) []string {
			state, end := r.To.String(), now
			if r.Resolved != 0 {
				state, end = "resolved", r.Resolved
			}
			return []string{
				r.ID, state, clock(r.Opened), roughly(time.Duration(end-r.Opened) * time.Millisecond),
				cmpOr(r.Reason, "-"), shorten(r.ackText(), 40), shorten(r.Text, 60),
			}
		},
		name: func(r incidentRow) string { return r.ID },
	}
}
