package cli

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

func (a *app) downtimeCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "downtime (add | list | delete)",
		Short: "Times in which checks open no incidents",
		Long: strings.TrimSpace(`
Times, once or recurring, in which the checks that they cover open no
incidents. Checks go on being measured, and open incidents resolve. A check
that is still in trouble when the downtime ends opens one then.`),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("downtime has no verb %q: want add, list or delete", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.downtimeAddCmd(), a.downtimeListCmd(), a.downtimeDeleteCmd())
	return cmd
}

// downtimeOptions are the flags of downtime add.
type downtimeOptions struct {
	requestOptions
	id, from, until, span, cron, timezone, by, comment string
	labels                                             []string
	allZones                                           bool
}

func (a *app) downtimeAddCmd() *cobra.Command {
	var o downtimeOptions
	cmd := &cobra.Command{
		Use:   "add [CHECK ...] [-l LABEL=VALUE] (--for D | --until TIME | --cron SPEC --for D)",
		Short: "Make a downtime, or replace the one of that id",
		Long: strings.TrimSpace(`
Make a downtime, or replace the one with that --id. CHECK is an id, ZONE/ID, or
a pattern in which * stands for any text and ? for one character. With -l it
covers the checks with these labels; with both, checks for which both hold.
It is of --zone, default "default"; with -l alone it is of all zones.

--for counts from now on, or from --from. With --cron it begins at each slot
of the expression, by the wall clock of --timezone.`),
		Example: strings.TrimRight(`
  redpoll downtime add web1 'db*' --for 2h --comment 'new disks'
  redpoll downtime add -l site=fra --from 2030-01-31T22:00:00Z --until 2030-02-01T04:00:00Z
  redpoll downtime add '*' --id backup --cron '0 2 * * SUN' --timezone Europe/Berlin --for 90m`, "\n")[1:],
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := a.downtimeFields(o, args)
			if err != nil {
				return err
			}
			if err := validate(f); err != nil {
				return a.faultLines(cmpOr(o.id, "downtime"), err)
			}
			return a.request(cmd.Context(), o.requestOptions, []fields{f})
		},
	}
	o.requestOptions.flags(cmd, 5*time.Second)
	f := cmd.Flags()
	f.StringVar(&o.id, "id", "", "name of the downtime, default: that of the request")
	f.StringVar(&o.from, "from", "", "it begins at this time, RFC 3339; default: now")
	f.StringVar(&o.until, "until", "", "it ends at this time, RFC 3339")
	f.StringVar(&o.span, "for", "", "how long it lasts (90m, 8h)")
	f.StringVar(&o.cron, "cron", "", "it recurs: a cron expression of five fields, when it begins")
	f.StringVar(&o.timezone, "timezone", "", "IANA zone of --cron, default UTC")
	f.StringArrayVarP(&o.labels, "selector", "l", nil, "checks with this `LABEL=VALUE`; all that are given must hold")
	f.BoolVar(&o.allZones, "all-zones", false, "checks of every zone")
	f.StringVar(&o.by, "by", "", "who makes it, default the variable USER")
	f.StringVarP(&o.comment, "comment", "c", "", "what to say")
	return cmd
}

// downtimeFields makes the request, flat as a person would type it.
func (a *app) downtimeFields(o downtimeOptions, args []string) (fields, error) {
	zone, checks, err := a.downtimeTargets(o, args)
	if err != nil {
		return nil, err
	}
	var pairsOf []string
	for _, text := range o.labels {
		for part := range strings.SplitSeq(text, ",") {
			if label, _, eq := strings.Cut(part, "="); !eq || strings.HasSuffix(label, "!") {
				return nil, usagef("selector %q: a downtime wants LABEL=VALUE", part)
			}
			pairsOf = append(pairsOf, part)
		}
	}
	labels, err := pairs("selector", "labels", pairsOf)
	if err != nil {
		return nil, &codeError{ExitUsage, err}
	}
	f := fields{{"op", "downtime"}}.with("id", o.id).with("zone", zone).with("checks", strings.Join(checks, ","))
	f = append(f, labels...)
	return f.with("from", o.from).with("until", o.until).with("cron", o.cron).with("timezone", o.timezone).
		with("for", o.span).with("by", a.by(o.by)).with("comment", o.comment), nil
}

// downtimeTargets reads the zone and the patterns that arguments name.
func (a *app) downtimeTargets(o downtimeOptions, args []string) (zone string, checks []string, err error) {
	zones := map[string]bool{}
	for _, arg := range args {
		z, id, ok := strings.Cut(arg, "/")
		if !ok {
			z, id = a.opt.zone, arg
		}
		zones[cmpOr(z, check.DefaultZone)] = true
		checks = append(checks, id)
	}
	switch {
	case len(args) == 0 && len(o.labels) == 0:
		return "", nil, usagef("downtime add wants checks ('*' stands for all of them) or -l LABEL=VALUE")
	case o.allZones && a.opt.zone != "":
		return "", nil, usagef("--all-zones goes without --zone")
	case o.allZones, len(args) == 0 && a.opt.zone == "":
		return check.AllZones, checks, nil
	case len(args) == 0:
		return a.opt.zone, nil, nil
	case len(zones) > 1:
		return "", nil, usagef("these checks are of several zones: %s; a downtime is of one, or of all (--all-zones)",
			strings.Join(slices.Sorted(maps.Keys(zones)), ", "))
	}
	for zone = range zones {
		if zone == check.DefaultZone {
			return "", checks, nil
		}
	}
	return zone, checks, nil
}

func (a *app) downtimeDeleteCmd() *cobra.Command {
	var o requestOptions
	var by, comment string
	cmd := &cobra.Command{
		Use:   "delete ID ...",
		Short: "End downtimes, or take them out of the list",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("downtime delete wants the id of one; 'redpoll downtime list' lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []fields
			for _, id := range args {
				f := fields{{"op", "downtime-delete"}, {"id", id}}.with("by", a.by(by)).with("comment", comment)
				if err := validate(f); err != nil {
					return a.faultLines(id, err)
				}
				list = append(list, f)
			}
			return a.request(cmd.Context(), o, list)
		},
	}
	o.flags(cmd, 5*time.Second)
	cmd.Flags().StringVar(&by, "by", "", "who deletes it, default the variable USER")
	cmd.Flags().StringVarP(&comment, "comment", "c", "", "what to say")
	return cmd
}
