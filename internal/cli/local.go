package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/worker"
)

// localOptions are the flags of run --local. Those of add are taken as well,
// so that a line that adds a check needs no change but its verb.
type localOptions struct {
	local            bool
	files            []string
	secrets, plugins string
	deny             []string
	last, twice      string
	add              addOptions
}

// maxTwice bounds the pause between two runs.
const maxTwice = time.Hour

func (a *app) runCmd() *cobra.Command {
	cmd := a.changeCmd("run", "Run checks now, or try one out here", strings.TrimSpace(`
Run checks now, besides their schedule. A paused check is refused.

With --local nothing is asked of Redis: one check runs once in this process, as
on a worker with these settings, and its result is printed. The check is
COMMAND with its params, as for add; or one of a file (-f) or of stdin, which
may leave out id and schedule. The exit code is that of a plugin: 0 OK, 1 WARN,
2 CRIT, 3 UNKNOWN, which is also that of every mistake.`))
	cmd.Use = "run (ID ... | -l LABEL=VALUE | --local COMMAND [PARAM=VALUE ...] | --local -f FILE [ID])"
	cmd.Example += strings.TrimRight(`
  redpoll run --local http url=http://192.0.2.10/ expect_status=2xx
  redpoll run --local -f checks.yaml web1 --secrets /run/secrets/redpoll
  redpoll run --local snmp host=192.0.2.1 interfaces=1 --twice 10s
  redpoll get web1 -o json | jq '.[0].spec' | redpoll run --local`, "\n")
	remote, ids := cmd.RunE, cmd.ValidArgsFunction
	o := &localOptions{}
	o.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.local {
			return a.runLocal(cmd, o, args)
		}
		if name := o.stray(cmd.Flags()); name != "" {
			return usagef("--%s goes with --local", name)
		}
		return remote(cmd, args)
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		switch {
		case !o.local:
			return ids(cmd, args, word)
		case len(args) == 0 && len(o.files) == 0:
			return commands.Builtin().Names(), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// ownFlags are those that only run --local has, shownFlags of add those that
// change what it does.
var (
	ownFlags   = []string{"file", "secrets", "plugins", "deny-targets", "last", "twice"}
	shownFlags = []string{"timeout"}
)

func (o *localOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.local, "local", false, "run one check in this process, without Redis")
	filesFlag(cmd, &o.files)
	f.StringVar(&o.secrets, "secrets", "", "`DIR` of secrets, as the worker has it (REDPOLL_SECRETS)")
	f.StringVar(&o.plugins, "plugins", "", "`FILE` of the programs that may run, as the worker has it (REDPOLL_PLUGINS)")
	f.StringSliceVar(&o.deny, "deny-targets", nil, "`CIDRs` that are not reached, as the worker has it (REDPOLL_DENY_TARGETS)")
	f.StringVar(&o.last, "last", "", "`FILE` that keeps the result for the next call, so that counters have rates")
	f.StringVar(&o.twice, "twice", "", "run again after this `TIME` (10s) and print the second result: counters have rates")
	add := &cobra.Command{}
	o.add.flags(add)
	add.Flags().VisitAll(func(x *pflag.Flag) {
		if x.Name == "label" {
			x.Shorthand = ""
		}
		x.Hidden = !slices.Contains(shownFlags, x.Name)
		f.AddFlag(x)
	})
}

// stray gives a flag that was given and means nothing without --local.
func (o *localOptions) stray(f *pflag.FlagSet) (name string) {
	add := &cobra.Command{}
	new(addOptions).flags(add)
	f.Visit(func(x *pflag.Flag) {
		if slices.Contains(ownFlags, x.Name) || add.Flags().Lookup(x.Name) != nil {
			name = x.Name
		}
	})
	return name
}

// isLocalRun says whether the arguments are a call of run --local, whatever
// else is wrong with them: its exit codes are those of a plugin.
func isLocalRun(args []string) bool {
	return slices.Contains(args, "run") && (slices.Contains(args, "--local") || slices.Contains(args, "--local=true"))
}

// runLocal runs one check and prints its result.
func (a *app) runLocal(cmd *cobra.Command, o *localOptions, args []string) error {
	for _, name := range []string{"dry-run", "wait"} {
		if cmd.Flags().Changed(name) {
			return usagef("--%s does not go with --local", name)
		}
	}
	if l, err := cmd.Flags().GetStringArray("selector"); err == nil {
		o.add.labels = append(o.add.labels, l...)
	}
	tools, err := a.localTools(o)
	pause, pauseErr := o.pause()
	last, lastErr := readLast(o.last)
	c, checkErr := a.localCheck(o, args)
	if err := errors.Join(err, pauseErr, lastErr, checkErr); err != nil {
		return err
	}
	known := commands.BuiltinWith(tools)
	log := slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx := cmd.Context()
	began := time.Now()
	if pause > 0 {
		first := worker.Once(ctx, known, log, c, last)
		last = &first
		if ctx.Err() == nil && sleep(ctx, pause) == nil {
			began = time.Now()
		}
	}
	got := worker.Once(ctx, known, log, c, last)
	took := time.Since(began)
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	if err := errors.Join(writeLast(o.last, got), a.printLocal(c, got, took)); err != nil {
		return err
	}
	return &codeError{code: int(got.State)}
}

// localTools opens what a worker with these settings lends its commands.
func (a *app) localTools(o *localOptions) (t commands.Tools, err error) {
	deny := o.deny
	if len(deny) == 0 {
		deny = strings.Split(a.Getenv("REDPOLL_DENY_TARGETS"), ",")
	}
	var errs [3]error
	t.Guard, errs[0] = commands.NewGuard(deny)
	if dir := cmpOr(o.secrets, a.Getenv("REDPOLL_SECRETS")); dir != "" {
		t.Secrets, errs[1] = commands.OpenSecrets(dir)
	}
	if file := cmpOr(o.plugins, a.Getenv("REDPOLL_PLUGINS")); file != "" {
		t.Plugins, errs[2] = commands.OpenPlugins(file)
	}
	return t, errors.Join(errs[:]...)
}

// pause reads --twice; a bare number means seconds.
func (o *localOptions) pause() (time.Duration, error) {
	if o.twice == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(o.twice)
	if err != nil {
		d, err = time.ParseDuration(o.twice + "s")
	}
	if err != nil || d <= 0 || d > maxTwice {
		return 0, fmt.Errorf("twice %q: want the time between two runs, such as 10s, at most %s", o.twice, shortDuration(maxTwice))
	}
	return d, nil
}

// printLocal prints the result of a run for people, or as it would stand in Redis.
func (a *app) printLocal(c *check.Check, l check.Last, took time.Duration) error {
	p := a.printer()
	switch a.opt.output {
	case formatJSON, formatYAML:
		return p.value(l.Result)
	case formatJSONL:
		return p.line(l.Result)
	case formatName:
		_, err := fmt.Fprintln(a.Stdout, l.State)
		return err
	}
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s%s\n", name+":", clean(fmt.Sprintf(format, args...)))
	}
	line("Check", "%s, %s", c.ID, c.Command)
	fmt.Fprintf(&b, "%-12s%s\n", "State:", p.paint(l.State.String()))
	if l.Reason != "" {
		line("Reason", "%s", l.Reason)
	}
	if l.Text != "" {
		line("Text", "%s", l.Text)
	}
	line("Took", "%s", took.Round(10*time.Microsecond))
	writeMetrics(&b, l.Metrics)
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}
