package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// workerRow is a heartbeat and what the server's clock says of it.
type workerRow struct {
	check.Heartbeat
	Live bool `json:"live"`
	// Age is how old the heartbeat is, ms.
	Age int64 `json:"age"`
}

func newWorkerRow(hb check.Heartbeat, now int64) workerRow {
	return workerRow{Heartbeat: hb, Live: hb.LiveAt(now), Age: now - hb.At}
}

func (a *app) workersCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "workers",
		Short: "List workers, live and dead",
		Long:  "List the workers that beat within the last hour. One whose last three beats are missing is dead. Exit code 1 when none is live.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			now, err := conn.Now(cmd.Context())
			if err != nil {
				return err
			}
			beats, err := conn.Workers(cmd.Context())
			if err != nil {
				return err
			}
			var rows []workerRow
			live := 0
			for _, hb := range beats {
				row := newWorkerRow(hb, now)
				rows = append(rows, row)
				if row.Live {
					live++
				}
			}
			if err := printList(a.printer(), rows, workerView(now)); err != nil {
				return err
			}
			if live == 0 {
				fmt.Fprintln(a.Stderr, "redpoll: no live worker; 'worker -redis URL' starts one")
				return errWrong
			}
			return nil
		},
	}
}

func workerView(now int64) view[workerRow] {
	return view[workerRow]{
		head: []string{"NAME", "STATE", "BEAT", "UP", "BUSY", "ZONES", "COMMANDS", "HANDLERS", "VERSION"},
		row: func(w workerRow) []string {
			state := "dead"
			if w.Live {
				state = "live"
			}
			if w.Live && len(w.Incidents) > 0 {
				state = "uplink lost"
			}
			return []string{
				w.Name, state, ago(time.Duration(w.Age) * time.Millisecond), roughly(time.Duration(now-w.Started) * time.Millisecond),
				fmt.Sprintf("%d/%d", w.Busy, w.Slots), strings.Join(w.Zones, ","), shorten(strings.Join(w.Commands, ","), 40),
				shorten(cmpOr(strings.Join(w.Handlers, ","), "-"), 30), w.Version,
			}
		},
		name: func(w workerRow) string { return w.Name },
	}
}
