package cli

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// changeOptions are the flags of delete, pause, resume and run.
type changeOptions struct {
	requestOptions
	selector []string
	yes      bool
}

func (a *app) deleteCmd() *cobra.Command {
	return a.changeCmd("delete", "Delete checks", "Delete checks; an open incident is resolved with its check.")
}

func (a *app) pauseCmd() *cobra.Command {
	return a.changeCmd("pause", "Stop running checks for now", "Stop running checks until resume. A run that has begun ends; an open incident stays open.")
}

func (a *app) resumeCmd() *cobra.Command {
	return a.changeCmd("resume", "Run paused checks again", "Run paused checks again, from their next slot on.")
}

// changeCmd makes a verb that sends one request for each check.
func (a *app) changeCmd(op, short, long string) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:               op + " (ID ... | -l LABEL=VALUE)",
		Short:             short,
		Long:              long + "\nID may be ZONE/ID. -l picks checks of --zone, or of all zones, by label.",
		Example:           "  redpoll " + op + " web1 web2\n  redpoll " + op + " -l site=fra",
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			sel, err := parseSelector(o.selector)
			if err != nil {
				return err
			}
			if len(args) == 0 && len(sel) == 0 {
				return usagef("%s wants the ids of checks, or -l LABEL=VALUE", op)
			}
			found, err := a.targets(cmd.Context(), args, sel)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return &codeError{ExitWrong, fmt.Errorf("no check has these labels")}
			}
			if op == "delete" && !o.dryRun && (len(sel) > 0 || len(found) > 1) && !o.yes {
				if err := a.confirm("delete", found); err != nil {
					return err
				}
			}
			list := make([]fields, len(found))
			for i, t := range found {
				list[i] = fields{{"op", op}, {"id", t.id}}
				if t.zone != check.DefaultZone {
					list[i] = list[i].with("zone", t.zone)
				}
				if err := validate(list[i]); err != nil {
					return a.faultLines(t.String(), err)
				}
			}
			return a.request(cmd.Context(), o.requestOptions, list)
		},
	}
	o.requestOptions.flags(cmd, 5*time.Second)
	cmd.Flags().StringArrayVarP(&o.selector, "selector", "l", nil, "checks with this `LABEL=VALUE` (!= and a label alone work too); all that are given must hold")
	if op == "delete" {
		cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask before deleting several checks")
	}
	return cmd
}

// confirm asks on the terminal; without one it refuses.
func (a *app) confirm(what string, found []target) error {
	fmt.Fprintf(a.Stderr, "%s %s:", what, count(len(found), "check"))
	for _, t := range found[:min(len(found), 5)] {
		fmt.Fprintf(a.Stderr, " %s", clean(t.String()))
	}
	if len(found) > 5 {
		fmt.Fprint(a.Stderr, " ...")
	}
	fmt.Fprintln(a.Stderr)
	if !isTerminal(a.Stdin) {
		return usagef("%s: --yes is needed where nobody can be asked", count(len(found), "check"))
	}
	fmt.Fprint(a.Stderr, "Sure? [y/N] ")
	answer, _ := bufio.NewReader(a.Stdin).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return &codeError{ExitWrong, fmt.Errorf("nothing was done")}
	}
	return nil
}
