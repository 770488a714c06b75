package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// zoneRow is a zone and what is in it.
type zoneRow struct {
	Zone       string `json:"zone"`
	Partitions int    `json:"partitions"`
	Version    int    `json:"version"`
	// Moving says that checks move between lanes; Lanes is in how many they may
	// be meanwhile.
	Moving bool `json:"moving,omitempty"`
	Lanes  int  `json:"lanes"`
	Checks int  `json:"checks"`
	// Due are waiting checks that are due within 60 s, Overdue is for how long
	// the first of them has been due, ms.
	Due     int64 `json:"due_60s"`
	Overdue int64 `json:"overdue_ms"`
	Queued  int64 `json:"queued"`
	Running int64 `json:"running"`
	// Workers are live ones that serve the zone.
	Workers int `json:"workers"`
	// Servers counts the lanes on each primary of a cluster.
	Servers map[string]int `json:"servers,omitempty"`
}

func (a *app) zonesCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "zones",
		Short: "List zones; set partitions, move checks between zones",
		Long: strings.TrimSpace(`
List the zones that there are: their partitions, what is in them, and on
Redis Cluster how many of their lanes each primary has. The verbs below
change them; docs/zones.md says when to.`),
		Example: "  redpoll zones\n  redpoll zones set fra --partitions 6\n  redpoll zones move web1 web2 --to fra\n  redpoll zones delete ber",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			rows, err := a.zoneRows(cmd.Context(), conn)
			if err != nil {
				return err
			}
			return printList(a.printer(), rows, zoneView())
		},
	}
	cmd.AddCommand(a.zonesSetCmd(), a.zonesMoveCmd(), a.zonesDeleteCmd())
	return cmd
}

func zoneView() view[zoneRow] {
	return view[zoneRow]{
		head: []string{"ZONE", "PARTITIONS", "VERSION", "STATE", "CHECKS", "DUE<=60S", "OVERDUE", "QUEUED", "RUNNING", "WORKERS", "LANES ON PRIMARIES"},
		row: func(z zoneRow) []string {
			state, late := "settled", "-"
			if z.Moving {
				state = fmt.Sprintf("moving, %d lanes", z.Lanes)
			}
			if z.Overdue > 0 {
				late = roughly(time.Duration(z.Overdue) * time.Millisecond)
			}
			return []string{
				z.Zone, strconv.Itoa(z.Partitions), strconv.Itoa(z.Version), state, strconv.Itoa(z.Checks), strconv.FormatInt(z.Due, 10), late,
				strconv.FormatInt(z.Queued, 10), strconv.FormatInt(z.Running, 10), strconv.Itoa(z.Workers), spreadText(z.Servers),
			}
		},
		name: func(z zoneRow) string { return z.Zone },
	}
}

// spreadText says how evenly lanes stand on servers, 6/6/4.
func spreadText(servers map[string]int) string {
	counts := slices.Sorted(maps.Values(servers))
	slices.Reverse(counts)
	words := make([]string, len(counts))
	for i, n := range counts {
		words[i] = strconv.Itoa(n)
	}
	return cmp.Or(strings.Join(words, "/"), "-")
}

// zoneRows looks at the zones, or at --zone.
func (a *app) zoneRows(ctx context.Context, conn *connection) ([]zoneRow, error) {
	zones, err := conn.Zones(ctx)
	if err != nil {
		return nil, err
	}
	beats, err := conn.Workers(ctx)
	if err != nil {
		return nil, err
	}
	now, err := conn.Now(ctx)
	if err != nil {
		return nil, err
	}
	var rows []zoneRow
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		z := zones[name]
		if z.Partitions == 0 || a.opt.zone != "" && a.opt.zone != name {
			continue
		}
		row := zoneRow{Zone: name, Partitions: z.Partitions, Version: z.Version, Moving: z.Spread > 0, Lanes: z.Lanes()}
		for _, hb := range beats {
			if newWorkerRow(hb, now).Live && slices.Contains(hb.Zones, name) {
				row.Workers++
			}
		}
		for part := range row.Lanes {
			if err := row.add(ctx, conn, check.Lane{Zone: name, Part: part}); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// add counts a lane in.
func (z *zoneRow) add(ctx context.Context, conn *connection, lane check.Lane) error {
	st, err := conn.Stats(ctx, lane)
	if err != nil {
		return err
	}
	n, err := conn.Client().HLen(ctx, conn.KeySpecs(lane)).Result()
	if err != nil {
		return fmt.Errorf("count %s: %w", conn.KeySpecs(lane), err)
	}
	server, err := conn.Server(ctx, lane)
	if err != nil {
		return err
	}
	if server != "" {
		if z.Servers == nil {
			z.Servers = map[string]int{}
		}
		z.Servers[server]++
	}
	z.Checks += int(n)
	z.Due, z.Overdue = z.Due+st.Due60, max(z.Overdue, st.Overdue)
	z.Queued, z.Running = z.Queued+st.Ready-st.Pending, z.Running+st.Pending
	return nil
}
