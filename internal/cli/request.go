package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// requestOptions are the flags of all verbs that change something.
type requestOptions struct {
	dryRun bool
	wait   time.Duration
}

// flags defines them. A scheduler answers within a second; when one has died
// the next takes over after two.
func (o *requestOptions) flags(cmd *cobra.Command, wait time.Duration) {
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "send nothing, print the redis-cli lines that would do the same")
	cmd.Flags().DurationVar(&o.wait, "wait", wait, "how long to wait for a scheduler's answer; 0: do not wait")
}

// request sends requests and prints the verdict on each: accepted ones as
// data, the others on stderr.
func (a *app) request(ctx context.Context, o requestOptions, list []fields) error {
	if o.dryRun {
		return a.dryRun(list)
	}
	conn, err := a.connect(ctx)
	if err != nil {
		return err
	}
	rejected := 0
	next := 0
	s := &submitter{
		conn: conn, wait: o.wait,
		next: func() fields {
			if next == len(list) {
				return nil
			}
			next++
			return list[next-1]
		},
		verdict: func(_ int, v check.Verdict) {
			if v.Verdict == check.VerdictRejected {
				rejected++
			}
			a.printVerdict(v)
		},
	}
	if err := s.run(ctx); err != nil {
		return a.unanswered(s, err)
	}
	if o.wait <= 0 {
		fmt.Fprintf(a.Stderr, "redpoll: %d sent, not waiting for the answer; it will stand in %s\n", s.sent, conn.KeyIntakeLog())
	}
	if rejected > 0 {
		return errWrong
	}
	return nil
}

// pastOps says of each operation that it was done.
var pastOps = map[string]string{
	"set": "set", "delete": "deleted", "pause": "paused", "resume": "resumed", "run": "ordered to run", "ack": "acknowledged",
	"move":  "moved",
	"unack": "no longer acknowledged", "downtime": "downtime made", "downtime-delete": "downtime deleted",
}

func (a *app) printVerdict(v check.Verdict) {
	id := clean(v.ID)
	ofDowntime := v.Op == string(check.OpDowntime) || v.Op == string(check.OpDowntimeDelete) // which has no zone in its name
	if v.Zone != check.DefaultZone && v.Zone != "" && !ofDowntime {
		id = clean(v.Zone) + "/" + id
	}
	switch {
	case v.Verdict == check.VerdictRejected:
		for line := range strings.Lines(v.Reason) {
			fmt.Fprintf(a.Stderr, "%s: rejected: %s\n", id, clean(strings.TrimRight(line, "\n")))
		}
		return
	case a.opt.output == formatName:
		fmt.Fprintln(a.Stdout, id)
	case a.opt.output == formatJSON || a.opt.output == formatJSONL || a.opt.output == formatYAML:
		_ = (&printer{w: a.Stdout, format: formatJSONL}).line(verdictJSON(v))
		return
	case v.Verdict == check.VerdictUnchanged:
		fmt.Fprintf(a.Stdout, "%s: unchanged\n", id)
	default:
		fmt.Fprintf(a.Stdout, "%s: %s\n", id, cmpOr(pastOps[v.Op], clean(v.Op)))
	}
	if v.Reason != "" {
		fmt.Fprintf(a.Stderr, "%s: note: %s\n", id, clean(v.Reason))
	}
}

// verdictJSON names the fields as they stand in the log.
func verdictJSON(v check.Verdict) any {
	return struct {
		Entry   string `json:"entry"`
		Zone    string `json:"zone"`
		ID      string `json:"id"`
		Op      string `json:"op"`
		Verdict string `json:"verdict"`
		Reason  string `json:"reason,omitempty"`
	}(v)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// unanswered explains what became of requests without a verdict.
func (a *app) unanswered(s *submitter, err error) error {
	left := len(s.open)
	switch {
	case errors.Is(err, errNoVerdict):
		return &codeError{ExitWrong, fmt.Errorf("%w within %s: %s in %s and will be applied once one runs; 'scheduler -redis URL' starts one",
			err, s.wait, stand(left), s.conn.KeyIntake())}
	case errors.Is(err, context.Canceled):
		return &codeError{ExitWrong, fmt.Errorf("stopped: %s in %s without an answer yet", stand(left), s.conn.KeyIntake())}
	}
	return err
}

func stand(n int) string {
	if n == 1 {
		return "the request stands"
	}
	return fmt.Sprintf("%d requests stand", n)
}

// dryRun prints a line of shell for each request.
func (a *app) dryRun(list []fields) error {
	told := false
	for _, f := range list {
		line, note := a.opt.redisCLI(append([]string{"XADD", a.opt.prefix + ":intake", "*"}, f.flat()...))
		if note != "" && !told {
			told = true
			fmt.Fprintf(a.Stderr, "redpoll: note: %s\n", note)
		}
		if _, err := fmt.Fprintln(a.Stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// faultLines prints an error of several lines, one fault each, and gives what
// ends the verb.
func (a *app) faultLines(what string, err error) error {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(a.Stderr, "%s: %s\n", clean(what), clean(strings.TrimRight(line, "\n")))
	}
	return errWrong
}
