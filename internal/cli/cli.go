// Package cli is what cmd/redpoll does: the operator's verbs, one file each.
// Data goes to stdout, everything else to stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// The exit codes. They are documented in docs/cli.md and do not change.
const (
	ExitOK          = 0 // done, nothing was wrong
	ExitWrong       = 1 // something was wrong, refused or different
	ExitUsage       = 2 // the command line or a setting is wrong
	ExitUnreachable = 3 // Redis does not answer
)

// Streams are what a call of redpoll has of its surroundings.
type Streams struct {
	Version string // of this build
	Getenv  func(string) string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// OS gives the streams and the environment of this process.
func OS(version string) Streams {
	return Streams{Version: version, Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
}

// codeError is an error with its own exit code. A nil err prints nothing: the
// verb has told everything already.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// usagef makes an error of the command line.
func usagef(format string, args ...any) error {
	return &codeError{ExitUsage, fmt.Errorf(format, args...)}
}

// errWrong ends a verb that has printed what is wrong.
var errWrong = &codeError{code: ExitWrong}

// Main runs redpoll with the given arguments and returns its exit code.
func Main(ctx context.Context, args []string, s Streams) int {
	a := &app{Streams: s}
	defer a.close()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.Stdin)
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	code := a.code(err)
	var ce *codeError
	if errors.As(err, &ce) && ce.err == nil {
		return code
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(s.Stderr, "redpoll: %s\n", clean(line))
	}
	if hint := redisqueue.Explain(err); hint != "" && !strings.Contains(err.Error(), hint) {
		fmt.Fprintf(s.Stderr, "redpoll: %s\n", hint)
	}
	if code == ExitUsage && !a.started {
		fmt.Fprintln(s.Stderr, "See 'redpoll help'.")
	}
	if isLocalRun(args) {
		return int(check.StateUnknown)
	}
	return code
}

// code maps an error to an exit code.
func (a *app) code(err error) int {
	var ce *codeError
	var ne net.Error
	switch {
	case errors.As(err, &ce):
		return ce.code
	case !a.started: // cobra refused the command line
		return ExitUsage
	case errors.As(err, &ne), errors.Is(err, io.EOF):
		return ExitUnreachable
	}
	return ExitWrong
}

// app is one call of redpoll.
type app struct {
	Streams
	opt     options
	conn    *connection // opened by the first verb that needs it
	started bool        // the command line was accepted, a verb runs
	// anySchema says that keys of a newer redpoll are no reason to stop.
	anySchema bool
}

// root builds the tree of verbs.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "redpoll",
		Short: "Operate a redpoll monitoring fleet",
		Long: strings.TrimSpace(`
Operate a redpoll monitoring fleet: checks stand in Redis, workers run them.

New here? 'redpoll demo' shows everything in one process, without a Redis.

Exit codes: 0 done; 1 something was wrong, refused or different;
2 wrong command line or setting; 3 Redis does not answer.`),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.settings(cmd); err != nil {
				return err
			}
			a.started = true
			return nil
		},
	}
	a.globalFlags(root)
	root.SetFlagErrorFunc(flagError)
	groups := []struct {
		id, title string
		verbs     []*cobra.Command
	}{
		{"start", "Start:", []*cobra.Command{a.demoCmd(), a.doctorCmd(), a.benchCmd()}},
		{"checks", "Checks:", []*cobra.Command{
			a.addCmd(), a.getCmd(), a.describeCmd(), a.deleteCmd(), a.pauseCmd(), a.resumeCmd(), a.runCmd(),
			a.applyCmd(), a.diffCmd(), a.exportCmd(),
		}},
		{"watch", "Watch:", []*cobra.Command{
			a.topCmd(), a.resultsCmd(), a.deadLettersCmd(), a.traceCmd(), a.incidentsCmd(), a.ackCmd(), a.downtimeCmd(), a.dueCmd(), a.workersCmd(), a.zonesCmd(), a.verifyCmd(),
		}},
	}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, verb := range g.verbs {
			verb.GroupID = g.id
			root.AddCommand(verb)
		}
	}
	root.AddCommand(a.versionCmd())
	return root
}

// flagError adds the nearest flag to the complaint about an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := check.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		return fmt.Errorf("%w, did you mean --%s?", err, near)
	}
	return err
}
