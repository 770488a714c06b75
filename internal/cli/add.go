package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
)

// addOptions are the flags of add. Values go to the scheduler as they were
// typed: one place only says what is right.
type addOptions struct {
	requestOptions
	every, phase, cron, timezone, at string
	timeout, retryEvery              string
	handlers, first, parents, flap   string
	labels, meta                     []string
	attempts                         int
	noHandlers, suppress, paused     bool
}

func (a *app) addCmd() *cobra.Command {
	var o addOptions
	cmd := &cobra.Command{
		Use:   "add ID COMMAND (--every D | --cron SPEC | --at TIME) [PARAM=VALUE ...]",
		Short: "Add a check, or change it",
		Long: strings.TrimSpace(`
Add a check, or change the one with that id. A new one runs at once.

Params are those of the command: a.b=v nests, a value that begins with { or [
is JSON. A scheduler validates the request and answers within a second.`),
		Example: strings.TrimRight(`
  redpoll add web1 http --every 30s url=http://192.0.2.10/
  redpoll add gw ping --every 10s host=192.0.2.1 --attempts 3 --label site=fra
  redpoll add web1 http --every 30s url=http://192.0.2.10/ --dry-run`, "\n")[1:],
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("add wants an id and a command: redpoll add web1 http --every 30s url=http://192.0.2.10/")
			}
			return nil
		},
		ValidArgsFunction: completeCommands,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.fields(a.opt.zone, args)
			if err != nil {
				return &codeError{ExitUsage, err}
			}
			if err := validate(f); err != nil {
				return a.faultLines(args[0], err)
			}
			return a.request(cmd.Context(), o.requestOptions, []fields{f})
		},
	}
	o.requestOptions.flags(cmd, 5*time.Second)
	o.flags(cmd)
	return cmd
}

func (o *addOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.every, "every", "", "run at this pace (30s, 5m, 1h30m)")
	f.StringVar(&o.phase, "phase", "", "place of the grid of --every; default: spread by the id")
	f.StringVar(&o.cron, "cron", "", "run by a cron expression of five fields")
	f.StringVar(&o.timezone, "timezone", "", "IANA zone of --cron, default UTC")
	f.StringVar(&o.at, "at", "", "run once at this time, RFC 3339")
	f.StringVar(&o.timeout, "timeout", "", "bound of one run, default 10s")
	f.IntVar(&o.attempts, "attempts", 0, "results in a row that are not OK before an incident opens, default 1")
	f.StringVar(&o.retryEvery, "retry-every", "", "pace of those attempts")
	f.StringVar(&o.handlers, "handlers", "", "comma list of handlers; default: the workers' defaults")
	f.BoolVar(&o.noHandlers, "no-handlers", false, "no handler at all")
	f.StringArrayVarP(&o.labels, "label", "l", nil, "`KEY=VALUE`, may be repeated")
	f.StringArrayVar(&o.meta, "meta", nil, "`KEY=VALUE`, may be repeated")
	f.StringVar(&o.parents, "parents", "", "comma list of checks of the same zone: while one is in trouble this one opens no incident")
	f.StringVar(&o.flap, "flap", "", "one incident of many when the state goes to and fro: on, or `HIGH,LOW,WINDOW` (percent, percent, results)")
	f.BoolVar(&o.suppress, "suppress-incidents", false, "never open an incident")
	f.BoolVar(&o.paused, "paused", false, "do not run it for now")
	f.StringVar(&o.first, "first", "", "first run of a new check: now (default) or spread, on its grid")
}

// fields makes the request, flat as a person would type it for redis-cli.
func (o *addOptions) fields(zone string, args []string) (fields, error) {
	f := fields{{"id", args[0]}, {"command", args[1]}}.
		with("every", o.every).with("phase", o.phase).with("cron", o.cron).with("timezone", o.timezone).with("at", o.at).
		with("timeout", o.timeout).with("zone", zone)
	params, err := pairs("param", "params", args[2:])
	if err != nil {
		return nil, err
	}
	labels, err := pairs("label", "labels", o.labels)
	if err != nil {
		return nil, err
	}
	meta, err := pairs("meta", "meta", o.meta)
	if err != nil {
		return nil, err
	}
	if o.noHandlers && o.handlers != "" {
		return nil, errors.New("--handlers and --no-handlers: want one of them")
	}
	f = append(f, params...)
	f = append(f, labels...)
	f = append(f, meta...)
	if o.attempts != 0 {
		f = f.with("attempts", strconv.Itoa(o.attempts))
	}
	f = f.with("retry_every", o.retryEvery).with("handlers", o.handlers)
	if o.noHandlers {
		f = append(f, field{"handlers", "[]"})
	}
	f = f.with("parents", o.parents)
	flap, err := flapFields(o.flap)
	if err != nil {
		return nil, err
	}
	f = append(f, flap...)
	if o.suppress {
		f = append(f, field{"suppress_incidents", "true"})
	}
	if o.paused {
		f = append(f, field{"paused", "true"})
	}
	return f.with("first", o.first), nil
}

// flapFields reads --flap.
func flapFields(text string) (fields, error) {
	if text == "" {
		return nil, nil
	}
	if text == "on" {
		return fields{{"flap", "{}"}}, nil
	}
	var f fields
	for i, value := range strings.Split(text, ",") {
		if i > 2 || value == "" {
			return nil, fmt.Errorf("--flap %q: want on, or HIGH,LOW,WINDOW such as 50,25,20", text)
		}
		f = append(f, field{[]string{"flap.high", "flap.low", "flap.window"}[i], value})
	}
	return f, nil
}

// validate refuses what a scheduler would refuse, so that a mistake is told
// without one. Commands that are not built in are the scheduler's to know.
func validate(f fields) error {
	known := commands.Builtin()
	r, err := check.ParseRequest(f.lookup())
	if err == nil {
		if r.Check == nil {
			return nil
		}
		return validateParams(known, r.Check)
	}
	// With faults elsewhere the params are looked at on their own, so that
	// everything is told at once.
	alone := fields{{"id", "x"}, {"every", "1m"}}
	for _, x := range f {
		if x.name == "command" || x.name == "params" || strings.HasPrefix(x.name, "params.") {
			alone = append(alone, x)
		}
	}
	r, bad := check.ParseRequest(alone.lookup())
	if bad != nil || r.Check == nil {
		return err
	}
	return errors.Join(err, validateParams(known, r.Check))
}

func validateParams(known check.Commands, c *check.Check) error {
	if known[c.Command] == nil {
		return nil
	}
	_, err := known.Build(c.Command, c.Params)
	return err
}
