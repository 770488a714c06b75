package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// finding is one thing that doctor looked at.
type finding struct {
	What string `json:"what"`
	How  string `json:"how"` // ok, warn or bad
	Text string `json:"text"`
	// Fix is what to do about it; empty when all is well.
	Fix string `json:"fix,omitempty"`
}

// doctor gathers findings.
type doctor struct {
	app  *app
	conn *connection
	list []finding
}

func (d *doctor) ok(what, format string, args ...any) {
	d.list = append(d.list, finding{What: what, How: "ok", Text: fmt.Sprintf(format, args...)})
}

func (d *doctor) warn(what, fix, format string, args ...any) {
	d.list = append(d.list, finding{What: what, How: "warn", Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (d *doctor) bad(what, fix, format string, args ...any) {
	d.list = append(d.list, finding{What: what, How: "bad", Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (a *app) doctorCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with Redis, the fleet and this host",
		Long: strings.TrimSpace(`
Look for what is wrong with Redis, the fleet and this host, and say what to do.
Exit code 1 when something is bad, 3 when Redis does not answer.`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{app: a}
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
}

// run makes all examinations and gives the exit code.
func (d *doctor) run(ctx context.Context) int {
	d.icmp()
	conn, err := d.app.connect(ctx)
	if err != nil {
		code := d.app.code(err)
		fix := "start Redis, or name it with --redis or REDPOLL_REDIS"
		if code == ExitUsage {
			fix = "correct the address or the password"
		}
		d.bad("redis", fix, "%v", err)
		return code
	}
	d.conn = conn
	d.transport()
	d.server(ctx)
	d.clock(ctx)
	d.keys(ctx)
	d.fleet(ctx)
	for _, f := range d.list {
		if f.How == "bad" {
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
		if _, err := fmt.Fprintf(p.w, "%s%s  %-12s %s\n", p.paint(f.How), pad, f.What, clean(f.Text)); err != nil {
			return err
		}
		if f.Fix != "" {
			if _, err := fmt.Fprintf(p.w, "%20s%s\n", "fix: ", clean(f.Fix)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys looks at the types of all keys: a command on a key of another type
// fails, and with it a whole move.
func (d *doctor) keys(ctx context.Context) {
	c := d.conn
	lanes, err := c.Lanes(ctx)
	if err != nil {
		d.bad("zones", "DEL "+c.KeyZones()+": schedulers and workers write it anew", "%v", err)
		return
	}
	want := map[string]string{
		c.KeyIntake(): "stream", c.KeyIntakeLog(): "stream", c.KeyIntakeLock(): "string",
		c.KeyZones(): "hash", c.KeyWorkers(): "hash", c.KeyMeta(): "hash",
	}
	for _, l := range lanes {
		for key, kind := range map[string]string{
			c.KeySpecs(l): "hash", c.KeyDue(l): "zset", c.KeyReady(l): "stream", c.KeyRuns(l): "hash", c.KeyLast(l): "hash",
			c.KeyIncidents(l): "hash", c.KeyResults(l): "stream", c.KeyChanges(l): "stream",
		} {
			want[key] = kind
		}
	}
	wrong := 0
	for key, kind := range want {
		have, err := c.Client().Type(ctx, key).Result()
		if err != nil {
			d.warn("keys", "let this user run TYPE", "%v", err)
			return
		}
		if have != "none" && have != kind {
			wrong++
			d.bad("keys", "RENAME "+key+" "+key+":wrong", "%s is a %s, want a %s", key, have, kind)
		}
	}
	if wrong == 0 {
		d.ok("keys", "%d keys in %d lanes are of the right types", len(want), len(lanes))
	}
}

// errText gives the first line of an error.
func errText(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
