package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
)

func (a *app) demoCmd() *cobra.Command {
	var port int
	var span time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything in one process, without a Redis",
		Long: strings.TrimSpace(`
Show everything in one process: an embedded Redis on a loopback port, one
scheduler, two workers, and checks of targets that the demo serves itself, one
of which fails and recovers. Nothing is saved. Ctrl-C ends it.`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if span > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, span)
				defer cancel()
			}
			return a.demo(ctx, port)
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port of the embedded Redis; 0: 7379, or a free one when that is taken")
	cmd.Flags().DurationVar(&span, "for", 0, "end after this time; 0: at Ctrl-C")
	return cmd
}

// demo runs until ctx is done.
func (a *app) demo(ctx context.Context, port int) error {
	server, err := embedded(port)
	if err != nil {
		return err
	}
	defer server.Close()
	targets, err := startTargets(ctx)
	if err != nil {
		return err
	}
	defer targets.stop()
	a.opt.private("redis://" + server.Addr())
	conn, err := a.connect(ctx)
	if err != nil {
		return err
	}
	if err := conn.Require(ctx, false); err != nil {
		return err
	}
	f := &fleet{
		conn: conn, commands: commands.Builtin(), zone: check.DefaultZone, workers: 2, slots: 100, lease: 10 * time.Second, version: a.Version,
		log: slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	a.demoIntro(server.Port(), targets)
	stop, err := f.start(ctx)
	if err != nil {
		return err
	}
	w := newWatcher(a, conn)
	err = a.demoChecks(ctx, conn, targets)
	if err == nil {
		err = w.run(ctx)
	}
	stopErr := stop()
	if ctx.Err() != nil {
		err = nil // the end was asked for
	}
	if err == nil {
		err = stopErr
	}
	fmt.Fprintf(a.Stdout, "\nThe demo has ended: %s. Nothing was saved.\n", w.summary())
	return err
}

// demoIntro says what there is, what it is not, and what to try.
func (a *app) demoIntro(port string, t *demoTargets) {
	self, worker := "redpoll", "worker"
	if strings.Contains(os.Args[0], "go-build") {
		self, worker = "go run ./cmd/redpoll", "go run ./cmd/worker"
	}
	intake := a.opt.prefix + ":intake"
	prefix := ""
	if a.opt.prefix != "redpoll" {
		prefix = " --prefix " + a.opt.prefix
	}
	url := "redis://127.0.0.1:" + port
	fmt.Fprintf(a.Stdout, `redpoll demo: a whole fleet in this process: an embedded Redis on 127.0.0.1:%[1]s, one scheduler, two workers.
It checks two small servers of its own%[7]s. The shop will be down for a few seconds soon.

Add a check of your own from another terminal:
  redis-cli -p %[1]s -e XADD %[2]s '*' id mine command http every 5s params.url %[3]s
  %[4]s add mine http --every 5s url=%[3]s --redis %[5]s%[6]s
and look around:
  %[4]s get --redis %[5]s%[6]s          (top, describe, results -f, trace, incidents, workers, ...)
More workers share the work:
  %[8]s -redis %[5]s

Limits: everything is in memory and gone at the end; one host, no failover, no password; good for some 10,000
checks; memory limits, persistence and Redis functions are missing. For real work take a Redis 6.2 or newer.

`, port, intake, t.shopURL, self, url, prefix, map[bool]string{true: " and pings 127.0.0.1", false: ""}[canPing()], worker)
}

// canPing says whether this process may open a socket for ping.
func canPing() bool {
	d := &doctor{}
	d.icmp()
	return d.list[0].How == howOK
}

// demoChecks adds the checks by requests, as users do.
func (a *app) demoChecks(ctx context.Context, conn *connection, t *demoTargets) error {
	host, port, err := net.SplitHostPort(t.echoAddr)
	if err != nil {
		return err
	}
	list := []fields{
		{{"id", "shop"}, {"command", "http"}, {"every", "2s"}, {"params.url", t.shopURL}, {"labels.kind", "web"}},
		{{"id", "echo"}, {"command", "tcp"}, {"every", "2s"}, {"params.host", host}, {"params.port", port}, {"params.send", "hello\n"}, {"params.expect", "hello"}},
	}
	if canPing() && commands.Builtin()["ping"] != nil {
		list = append(list, fields{{"id", "loopback"}, {"command", "ping"}, {"every", "5s"}, {"params.host", "127.0.0.1"}, {"params.count", "3"}})
	}
	next := 0
	var refused error
	s := &submitter{
		conn: conn, wait: 10 * time.Second,
		next: func() fields {
			if next == len(list) {
				return nil
			}
			next++
			return list[next-1]
		},
		verdict: func(_ int, v check.Verdict) {
			if v.Verdict == check.VerdictRejected {
				refused = fmt.Errorf("demo: %s was rejected: %s", v.ID, v.Reason)
			}
		},
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	return refused
}
