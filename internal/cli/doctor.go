package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// How a finding is.
const (
	howOK   = "ok"
	howWarn = "warn"
	howBad  = "bad"
	howSkip = "skip" // not looked at
)

// finding is one thing that doctor looked at.
type finding struct {
	What string `json:"what"`
	How  string `json:"how"`
	Text string `json:"text"`
	// Why is what comes of it, Fix what to do about it; empty when all is well.
	Why string `json:"why,omitempty"`
	Fix string `json:"fix,omitempty"`
}

// advice goes with what is not well.
type advice struct{ why, fix string }

// doctor gathers findings.
type doctor struct {
	app  *app
	conn *connection
	// all: what a user of the ACL may lack the right for is tried as well.
	all  bool
	host hostFiles
	list []finding
}

func (d *doctor) note(what, how string, a advice, format string, args []any) {
	d.list = append(d.list, finding{What: what, How: how, Text: fmt.Sprintf(format, args...), Why: a.why, Fix: a.fix})
}

func (d *doctor) ok(what, format string, args ...any) { d.note(what, howOK, advice{}, format, args) }

func (d *doctor) warn(what string, a advice, format string, args ...any) {
	d.note(what, howWarn, a, format, args)
}

func (d *doctor) bad(what string, a advice, format string, args ...any) {
	d.note(what, howBad, a, format, args)
}

func (d *doctor) skip(what, fix, format string, args ...any) {
	d.note(what, howSkip, advice{fix: fix}, format, args)
}

var refusedCommand = regexp.MustCompile(`NOPERM.* the '([^']+)' command`)

// unlooked tells that something could not be looked at.
func (d *doctor) unlooked(what string, err error) {
	text := errText(err)
	if m := refusedCommand.FindStringSubmatch(text); m != nil {
		who := "viewer"
		if strings.HasPrefix(m[1], "acl|") || strings.HasPrefix(m[1], "config|") {
			who = "admin"
		}
		d.skip(what, "let this user run it: +"+m[1]+"; the user "+who+" of deploy/redis/users.acl may", "not looked at: needs +%s", m[1])
		return
	}
	d.skip(what, redisqueue.Explain(err), "not looked at: %s", text)
}

func (a *app) doctorCmd() *cobra.Command {
	d := &doctor{app: a}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with Redis, the fleet and this host",
		Long: strings.TrimSpace(`
Look for what is wrong with Redis, the fleet and this host, and say what to do.
It changes nothing, and the rights of a viewer will do; what those do not reach
is listed as skip, and looked at with --all.
Exit code 1 when something is bad, 3 when Redis does not answer.`),
		Example: strings.TrimRight(`
  redpoll doctor
  redpoll doctor --handlers handlers.yaml --secrets /run/secrets/redpoll
  redpoll doctor -o json | jq '.[] | select(.how == "bad")'`, "\n")[1:],
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			code := d.run(cmd.Context())
			if err := d.print(); err != nil {
				return err
			}
			if code != ExitOK {
				return &codeError{code: code}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&d.all, "all", false, "also what only an administrator of Redis may look at: users, settings")
	d.host.flags(cmd)
	return cmd
}

// run makes all examinations and gives the exit code.
func (d *doctor) run(ctx context.Context) int {
	d.icmp()
	d.limits()
	d.host.look(d)
	d.app.anySchema = true // which is one of the findings
	conn, err := d.app.connect(ctx)
	if err != nil {
		code := d.app.code(err)
		fix := redisqueue.Explain(err)
		switch {
		case fix != "":
		case code == ExitUsage:
			fix = "correct the address or the password"
		default:
			fix = "start Redis, or name it with --redis or REDPOLL_REDIS"
		}
		d.bad("redis", advice{fix: fix}, "%v", err)
		return code
	}
	d.conn = conn
	d.transport()
	d.certificates(ctx)
	d.rights(ctx)
	for _, n := range d.nodes(ctx) {
		n.look(ctx, d)
	}
	d.sentinels(ctx)
	d.scripts(ctx)
	d.clock(ctx)
	d.latency(ctx)
	d.keys(ctx)
	d.fleet(ctx)
	for _, f := range d.list {
		if f.How == howBad {
			return ExitWrong
		}
	}
	return ExitOK
}

func (d *doctor) print() error {
	p := d.app.printer()
	if d.app.opt.output != formatTable {
		return printList(p, d.list, view[finding]{name: func(f finding) string { return f.What + ":" + f.How }})
	}
	for _, f := range d.list {
		pad := strings.Repeat(" ", max(4-len(f.How), 0))
		if _, err := fmt.Fprintf(p.w, "%s%s  %-12s %s\n", p.paint(f.How), pad, clean(f.What), clean(f.Text)); err != nil {
			return err
		}
		for _, line := range []struct{ head, text string }{{"why: ", f.Why}, {"fix: ", f.Fix}} {
			if line.text == "" {
				continue
			}
			if _, err := fmt.Fprintf(p.w, "%20s%s\n", line.head, clean(line.text)); err != nil {
				return err
			}
		}
	}
	return nil
}

// errText gives the first line of an error.
func errText(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
