package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

func (a *app) zonesSetCmd() *cobra.Command {
	var partitions int
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "set ZONE --partitions N",
		Short: "Change the number of partitions of a zone",
		Long: "Change the number of partitions of a zone, up or down, while it works. Schedulers then move the checks that belong to another lane;\n" +
			"workers serve all lanes until that is done.",
		Args: oneZone,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("partitions") {
				return usagef("zones set wants --partitions N")
			}
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			return a.setPartitions(cmd.Context(), conn, args[0], partitions, wait)
		},
	}
	cmd.Flags().IntVar(&partitions, "partitions", 0, "how many partitions, `N`")
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait until all checks are in their lanes; 0: do not wait")
	return cmd
}

// oneZone takes the name of a zone.
func oneZone(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) != 1:
		return usagef("%s wants one zone", cmd.CommandPath())
	case !check.ValidZone(args[0]):
		return usagef("zone %q: want 1 to 32 of a-z 0-9 -", args[0])
	}
	return nil
}

func (a *app) setPartitions(ctx context.Context, conn *connection, zone string, n int, wait time.Duration) error {
	before, after, err := conn.SetPartitions(ctx, zone, n)
	if err != nil {
		return &codeError{ExitUsage, err}
	}
	switch {
	case before == after:
		fmt.Fprintf(a.Stdout, "%s: unchanged, %s\n", zone, count(n, "partition"))
	case before.Partitions == 0:
		fmt.Fprintf(a.Stdout, "%s: made, %s\n", zone, count(n, "partition"))
	default:
		fmt.Fprintf(a.Stdout, "%s: %d -> %s\n", zone, before.Partitions, count(n, "partition"))
		fmt.Fprintln(a.Stderr, "redpoll: schedulers move its checks now; 'redpoll zones' shows when all are in their lanes")
	}
	if primaries, err := conn.Primaries(ctx); err == nil && n > 4*primaries && n > 8 {
		fmt.Fprintf(a.Stderr, "redpoll: note: %d partitions on %s: each costs every worker a connection and brings nothing beyond four for each primary\n", n, count(primaries, "primary"))
	}
	if wait <= 0 {
		return nil
	}
	return a.waitSettled(ctx, conn, zone, wait)
}

// waitSettled waits until the checks of a zone are where they belong.
func (a *app) waitSettled(ctx context.Context, conn *connection, zone string, wait time.Duration) error {
	limit := time.Now().Add(wait)
	for {
		zones, err := conn.Zones(ctx)
		if err != nil {
			return err
		}
		if zones[zone].Spread == 0 {
			fmt.Fprintf(a.Stdout, "%s: all checks are in their lanes\n", zone)
			return nil
		}
		if time.Now().After(limit) {
			return &codeError{ExitWrong, fmt.Errorf("zone %s: checks still move after %s; schedulers go on", zone, wait)}
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func (a *app) zonesMoveCmd() *cobra.Command {
	var o requestOptions
	var to string
	var selectors []string
	cmd := &cobra.Command{
		Use:   "move (ID ... | -l LABEL=VALUE) --to ZONE",
		Short: "Move checks to another zone",
		Long: "Move checks to another zone, with their state, last result and open incident. One that runs moves when its run has ended.\n" +
			"ID may be ZONE/ID. -l picks checks of --zone, or of all zones, by label.",
		Example:           "  redpoll zones move web1 ber/web2 --to fra\n  redpoll zones move -l site=fra --to fra",
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			sel, err := parseSelector(selectors)
			if err != nil {
				return err
			}
			if len(args) == 0 && len(sel) == 0 || to == "" {
				return usagef("zones move wants the ids of checks, or -l LABEL=VALUE, and --to ZONE")
			}
			found, err := a.targets(cmd.Context(), args, sel)
			if err != nil {
				return err
			}
			found = slices.DeleteFunc(found, func(t target) bool { return len(sel) > 0 && t.zone == to })
			if len(found) == 0 {
				return &codeError{ExitWrong, fmt.Errorf("no check with these labels is in another zone than %s", to)}
			}
			list := make([]fields, len(found))
			for i, t := range found {
				list[i] = fields{{"op", "move"}, {"id", t.id}, {"zone", t.zone}, {"to", to}}
				if err := validate(list[i]); err != nil {
					return a.faultLines(t.String(), err)
				}
			}
			return a.request(cmd.Context(), o, list)
		},
	}
	o.flags(cmd, 5*time.Second)
	cmd.Flags().StringVar(&to, "to", "", "the `ZONE` that they move to")
	cmd.Flags().StringArrayVarP(&selectors, "selector", "l", nil, "checks with this `LABEL=VALUE` (!= and a label alone work too); all that are given must hold")
	return cmd
}

func (a *app) zonesDeleteCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ZONE",
		Short: "Delete a zone that has no checks and no workers",
		Long:  "Delete a zone that has no checks and that no worker serves, with the results and changes that are kept in it: a scheduler does that in the next minute. The next check for it makes it anew.",
		Args:  oneZone,
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			a.opt.zone = args[0]
			rows, err := a.zoneRows(cmd.Context(), conn)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return &codeError{ExitWrong, fmt.Errorf("there is no zone %s", args[0])}
			}
			return a.deleteZone(cmd.Context(), conn, rows[0])
		},
	}
}

// deleteZone takes a zone out of the list, so that nobody looks after it any
// more. A scheduler deletes its keys when all know that.
func (a *app) deleteZone(ctx context.Context, conn *connection, z zoneRow) error {
	switch {
	case z.Checks > 0:
		return &codeError{ExitWrong, fmt.Errorf("zone %s has %s: delete or move them first", z.Zone, count(z.Checks, "check"))}
	case z.Workers > 0:
		return &codeError{ExitWrong, fmt.Errorf("zone %s is served by %s: end them first", z.Zone, count(z.Workers, "worker"))}
	case z.Moving:
		return &codeError{ExitWrong, fmt.Errorf("checks of zone %s move between its lanes: wait until that is done", z.Zone)}
	}
	if err := conn.AllowMoves(ctx); err != nil { // older schedulers would bring it back
		return err
	}
	done, err := conn.ChangeZone(ctx, z.Zone, check.Zone{Version: z.Version + 1})
	if err != nil {
		return err
	}
	if !done {
		return &codeError{ExitWrong, fmt.Errorf("zone %s was changed by somebody else just now", z.Zone)}
	}
	_, err = fmt.Fprintf(a.Stdout, "%s: deleted\n", z.Zone)
	return err
}
