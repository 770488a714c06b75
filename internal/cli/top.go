package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// topOptions are the flags of top.
type topOptions struct {
	once  bool
	count int
	every time.Duration
	order string
}

func (a *app) topCmd() *cobra.Command {
	var o topOptions
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the fleet live",
		Long: strings.TrimSpace(`
Watch the fleet live: what is due, queued and running, how late runs start, the
workers, the open incidents, and the checks that are not OK, slow or late.

Keys: q quits, p pauses, s changes the order of the checks, z goes from zone to
zone. Without a terminal, or with --once, one picture is printed.

It reads little, whatever the size of the fleet: counts, heartbeats, the newest
results (2000 each time at most), a page of incidents.`),
		Example: strings.TrimRight(`
  redpoll top
  redpoll top --once -o json
  redpoll top -n 10 --every 5s -o jsonl`, "\n")[1:],
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.every < 200*time.Millisecond:
				return usagef("every %s: want 200ms or more", o.every)
			case o.count < 0:
				return usagef("number %d: want 1 or more, or 0 for no end", o.count)
			case !slices.Contains(topSorts, o.order):
				return usagef("sort %q: want one of %s", o.order, strings.Join(topSorts, ", "))
			}
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			return a.top(cmd.Context(), conn, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.once, "once", false, "print one picture and end")
	f.IntVarP(&o.count, "number", "n", 0, "how many pictures; 0: no end on a terminal, one elsewhere")
	f.DurationVar(&o.every, "every", 2*time.Second, "how often to look")
	f.StringVar(&o.order, "sort", sortNotOK, "which checks to show: 'not ok', slow or late")
	return cmd
}

// top shows the fleet: on a terminal until somebody quits, else a few times.
func (a *app) top(ctx context.Context, conn *connection, o topOptions) error {
	if o.once {
		o.count = 1
	}
	in, isFile := a.Stdin.(*os.File)
	out, _ := a.Stdout.(*os.File)
	live := a.opt.output == formatTable && isFile && isTerminal(in) && isTerminal(out) && !o.once
	st := topState{redis: a.redisName(), zone: a.opt.zone, order: o.order, live: live}
	if live {
		return a.topLive(ctx, conn, o, st, terminal{in: in, out: out})
	}
	return a.topPlain(ctx, conn, o, st)
}

// redisName is the server's address, without password.
func (a *app) redisName() string {
	u, err := url.Parse(a.opt.redis)
	if err != nil || u.Host == "" {
		return a.opt.prefix
	}
	return strings.TrimSpace(u.Host + " " + strings.TrimPrefix(a.opt.prefix, "redpoll"))
}

// Sizes of a picture that no terminal shows.
const (
	plainWidth  = 160
	plainHeight = 60
)

// topPlain prints pictures one after the other.
func (a *app) topPlain(ctx context.Context, conn *connection, o topOptions, st topState) error {
	d := newTopData()
	p := a.printer()
	s := topScreen{width: plainWidth, height: plainHeight, color: p}
	if out, ok := a.Stdout.(*os.File); ok && isTerminal(out) {
		s.width, s.height = (terminal{out: out}).size()
	}
	for n := 0; ; n++ {
		if err := d.look(ctx, conn, st.zone); err != nil {
			return err
		}
		f := d.frame(st.zone, st.order)
		if err := a.printFrame(p, s, f, st, n); err != nil || n+1 >= max(o.count, 1) {
			return err
		}
		if sleep(ctx, o.every) != nil {
			return nil
		}
	}
}

func (a *app) printFrame(p *printer, s topScreen, f topFrame, st topState, n int) error {
	switch p.format {
	case formatJSON, formatYAML:
		return p.value(f)
	case formatJSONL:
		return p.line(f)
	case formatName:
		return printList(p, f.Latest, view[topRow]{name: func(r topRow) string { return target{r.Zone, r.ID}.String() }})
	}
	lines := s.draw(f, st)
	if n > 0 {
		lines = append([]string{""}, lines...)
	}
	_, err := io.WriteString(p.w, strings.Join(lines, "\n")+"\n")
	return err
}

// terminal is that of the user.
type terminal struct{ in, out *os.File }

// size is that of the window; where nobody says it, the classic one.
func (t terminal) size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width < 1 || height < 1 {
		return 80, 24
	}
	return max(width, 20), max(height, 8)
}

// What a terminal is told: another screen without cursor and line wrap, and
// back again.
const (
	screenBegin = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	screenEnd   = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// show draws lines over what stands there.
func (t terminal) show(lines []string) error {
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + "\x1b[0m\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err := t.out.WriteString(b.String())
	return err
}

// topLive draws on a terminal until somebody quits.
func (a *app) topLive(ctx context.Context, conn *connection, o topOptions, st topState, t terminal) (err error) {
	old, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	_, _ = t.out.WriteString(screenBegin)
	defer func() {
		_, _ = t.out.WriteString(screenEnd) // who has closed the terminal does not miss it
		err = errors.Join(err, term.Restore(int(t.in.Fd()), old))
	}()
	v := &topWatch{app: a, conn: conn, o: o, st: st, t: t, data: newTopData(), looked: make(chan error, 1)}
	return v.run(ctx)
}
