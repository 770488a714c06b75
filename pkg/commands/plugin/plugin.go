// Package plugin is the command that runs a Nagios or Monitoring plugin which
// the operator of the worker has allowed.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/plugins"
	"github.com/redpoll/redpoll/pkg/commands/internal/proc"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// The reasons of this command, beside check.ReasonCmdTimeout.
const (
	reasonWarn    = "PLUGIN_WARN"
	reasonCrit    = "PLUGIN_CRIT"
	reasonUnknown = "PLUGIN_UNKNOWN"
)

const maxArgs = 64

// Params are the settings of a check with this command. They name a plugin of
// the worker's list and the values of its arguments, never a program.
type Params struct {
	Plugin string            `json:"plugin"`
	Args   map[string]string `json:"args"`
}

// Defaults are the params of a check that says nothing.
func Defaults() Params { return Params{} }

type command struct {
	Params
	tools   tools.Tools
	program *plugins.Program // nil where there is no list
	argv    []string
}

// New makes the command with a worker's tools. A scheduler, which has no list,
// looks at the shape of the params only.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		if err := p.validate(); err != nil {
			return nil, err
		}
		c := &command{Params: p, tools: t}
		if t.Plugins == nil {
			return c, nil
		}
		var err error
		if c.program, err = t.Plugins.Plugin(p.Plugin); err != nil {
			return nil, conn.Fault("plugin", "%v", err)
		}
		c.argv, err = c.program.Argv(p.Args)
		return c, err
	}
}

func (p Params) validate() error {
	var faults []error
	if p.Plugin == "" {
		faults = append(faults, conn.Fault("plugin", "is needed"))
	} else if err := plugins.CheckName(p.Plugin); err != nil {
		faults = append(faults, conn.Fault("plugin", "%v", err))
	}
	if len(p.Args) > maxArgs {
		faults = append(faults, conn.Fault("args", "want at most %d", maxArgs))
	}
	for name, value := range p.Args {
		if err := plugins.CheckName(name); err != nil {
			faults = append(faults, conn.Fault("args", "%v", err))
		}
		if err := plugins.CheckValue(value); err != nil {
			faults = append(faults, conn.Fault("args."+name, "%v", err))
		}
	}
	return errors.Join(faults...)
}

// Target is the first argument that the list marks as a target, else the one
// with the name host.
func (c *command) Target() string {
	if c.program != nil {
		if hosts := c.program.Targets(c.Args); len(hosts) > 0 {
			return slices.Min(hosts)
		}
	}
	return c.Args["host"]
}

// Run runs the plugin and reads what it says.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	if c.program == nil {
		return check.Result{}, errors.New("this worker runs no plugins (-plugins)")
	}
	begin := time.Now()
	for _, host := range c.program.Targets(c.Args) {
		// A name that does not resolve is for the plugin to report.
		var denied *tools.DeniedError
		if _, err := c.tools.Resolve(ctx, "ip", host); errors.As(err, &denied) {
			return check.Result{}, err
		}
	}
	out, err := c.tools.Plugins.Run(ctx, c.program, c.argv)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text := fmt.Sprintf("%s was killed after %v", c.Plugin, time.Since(begin).Round(time.Millisecond))
		return check.Result{At: begin, State: check.StateUnknown, Reason: check.ReasonCmdTimeout, Text: text}, nil
	case err != nil:
		return check.Result{}, err
	}
	return result(begin, out), nil
}

// result reads the output of a plugin that ended.
func result(begin time.Time, out proc.Output) check.Result {
	text, perf := split(out)
	var g check.Grade
	switch {
	case out.Signal != 0:
		g.Add(check.StateUnknown, reasonUnknown, fmt.Sprintf("ended by a signal: %v; %s", out.Signal, text))
	case out.Code == 0:
		g.Add(check.StateOK, "", text)
	case out.Code == 1:
		g.Add(check.StateWarn, reasonWarn, text)
	case out.Code == 2:
		g.Add(check.StateCrit, reasonCrit, text)
	case out.Code == 3:
		g.Add(check.StateUnknown, reasonUnknown, text)
	default:
		g.Add(check.StateUnknown, reasonUnknown, fmt.Sprintf("exit code %d: %s", out.Code, text))
	}
	res := g.Result(begin, slices.Clip(metrics(perf)))
	res.Clean()
	return res
}
