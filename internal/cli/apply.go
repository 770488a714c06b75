package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// applyOptions are the flags of apply.
type applyOptions struct {
	requestOptions
	files    []string
	strict   bool
	prune    bool
	yes      bool
	selector []string
	first    string
}

// spreadFrom is from how many checks on new ones start on their grid instead
// of all at once.
const spreadFrom = 100

func (a *app) applyCmd() *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make checks be as files say",
		Long: strings.TrimSpace(`
Make checks be as files say: YAML (documents or a list), JSON or JSON lines; a
directory is read with everything below it, - is stdin. Every fault is told
with file, line and column; the other rows are applied, unless --strict.
A row that changes nothing does nothing, so apply can be repeated.`),
		Example: strings.TrimRight(`
  redpoll apply -f checks.yaml
  redpoll apply -f checks/ --prune -l owner=git
  redpoll export | ssh other redpoll apply -f -`, "\n")[1:],
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.apply(cmd.Context(), o)
		},
	}
	o.requestOptions.flags(cmd, 30*time.Second)
	f := cmd.Flags()
	filesFlag(cmd, &o.files)
	f.BoolVar(&o.strict, "strict", false, "apply nothing if any row has a fault")
	f.StringVar(&o.first, "first", "auto", "first run of new checks: now, spread (on their grid), or auto: spread from 100 checks on")
	f.BoolVar(&o.prune, "prune", false, "delete the checks that -l picks and no file has")
	f.StringArrayVarP(&o.selector, "selector", "l", nil, "for --prune: checks with this `LABEL=VALUE`")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before --prune deletes")
	return cmd
}

func filesFlag(cmd *cobra.Command, into *[]string) {
	cmd.Flags().StringArrayVarP(into, "file", "f", nil, "`FILE`, directory or - to read; may be repeated")
}

// applied counts what became of the rows.
type applied struct {
	Rows      int     `json:"rows"`
	Applied   int     `json:"applied"`
	Unchanged int     `json:"unchanged"`
	Deleted   int     `json:"deleted"`
	Faulty    int     `json:"faulty"`
	Rejected  int     `json:"rejected"`
	Seconds   float64 `json:"seconds"`
}

func (a *app) apply(ctx context.Context, o applyOptions) error {
	start := time.Now()
	sel, err := o.check()
	if err != nil {
		return err
	}
	m, err := a.manifest(o.files)
	if err != nil {
		return err
	}
	for i, f := range m.faults {
		a.tell(f, i)
	}
	checks, rows := m.good()
	sum := applied{Rows: len(m.rows), Faulty: len(m.rows) - len(checks)}
	if o.strict && sum.Faulty > 0 {
		return &codeError{ExitWrong, fmt.Errorf("%d of %d rows have faults: nothing was applied (--strict)", sum.Faulty, sum.Rows)}
	}
	if o.dryRun {
		if err := a.dryRun(requests(checks, o.first)); err != nil {
			return err
		}
	} else if err := a.submit(ctx, o, checks, rows, &sum); err != nil {
		return err
	}
	if o.prune {
		if err := a.prune(ctx, o, sel, checks, &sum); err != nil {
			return err
		}
	}
	sum.Seconds = time.Since(start).Seconds()
	if !o.dryRun {
		if err := a.printApplied(sum); err != nil {
			return err
		}
	}
	if sum.Faulty+sum.Rejected > 0 {
		return errWrong
	}
	return nil
}

// check refuses flags that do not go together.
func (o *applyOptions) check() (selector, error) {
	if o.first != "auto" && o.first != "now" && o.first != "spread" {
		return nil, usagef("first %q: want auto, now or spread", o.first)
	}
	sel, err := parseSelector(o.selector)
	switch {
	case len(o.files) == 0:
		return nil, usagef("-f is missing: want a file, a directory or -")
	case err != nil:
		return nil, err
	case o.prune && len(sel) == 0:
		return nil, usagef("prune wants -l LABEL=VALUE, the mark of the checks that these files own")
	case !o.prune && len(sel) > 0:
		return nil, usagef("-l goes with --prune")
	}
	return sel, nil
}

// requests makes a request of each check, whole as a spec.
func requests(checks []*check.Check, first string) []fields {
	list := make([]fields, len(checks))
	for i, c := range checks {
		list[i] = specRequest(c, first, len(checks))
	}
	return list
}

func specRequest(c *check.Check, first string, of int) fields {
	f := fields{{"spec", string(c.Text())}}
	if first == "spread" || first == "auto" && of >= spreadFrom {
		f = append(f, field{"first", "spread"})
	}
	return f
}

// submit sends the checks and counts the verdicts.
func (a *app) submit(ctx context.Context, o applyOptions, checks []*check.Check, rows []*row, sum *applied) error {
	if len(checks) == 0 {
		return nil
	}
	conn, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.progress("apply", len(checks), time.Now())
	told, next := 0, 0
	notes := make(map[string][]string) // what schedulers noted -> ids
	s := &submitter{
		conn: conn, wait: o.wait,
		next: func() fields {
			if next == len(checks) {
				return nil
			}
			next++
			return specRequest(checks[next-1], o.first, len(checks))
		},
		verdict: func(nth int, v check.Verdict) {
			switch {
			case v.Verdict == check.VerdictRejected:
				sum.Rejected++
				bar.finish()
				a.tell(rejectedFault(rows[nth], checks[nth].ID, v.Reason), told)
				told++
				return
			case v.Verdict == check.VerdictUnchanged:
				sum.Unchanged++
			default:
				sum.Applied++
			}
			if v.Reason != "" {
				notes[v.Reason] = append(notes[v.Reason], v.ID)
			}
		},
		progress: func(done int) { bar.step(done, time.Now()) },
	}
	err = s.run(ctx)
	bar.finish()
	for _, note := range slices.Sorted(maps.Keys(notes)) {
		ids := notes[note]
		fmt.Fprintf(a.Stderr, "redpoll: note on %s (%s%s): %s\n", count(len(ids), "check"), clean(ids[0]), map[bool]string{true: ", ..."}[len(ids) > 1], clean(note))
	}
	if err != nil {
		return a.unanswered(s, err)
	}
	if o.wait <= 0 {
		fmt.Fprintf(a.Stderr, "redpoll: %d sent, not waiting for the answers\n", s.sent)
	}
	return nil
}

// prune deletes the checks that the selector picks and no file has.
func (a *app) prune(ctx context.Context, o applyOptions, sel selector, checks []*check.Check, sum *applied) error {
	found, err := a.extra(ctx, sel, checks)
	if err != nil || len(found) == 0 {
		return err
	}
	if sum.Faulty > 0 {
		fmt.Fprintf(a.Stderr, "redpoll: rows with faults: %d checks that no file has are not deleted\n", len(found))
		return nil
	}
	if !o.yes && !o.dryRun {
		if err := a.confirm("delete", found); err != nil {
			return err
		}
	}
	list := make([]fields, len(found))
	for i, t := range found {
		list[i] = fields{{"op", "delete"}, {"id", t.id}, {"zone", t.zone}}
	}
	sum.Deleted = len(found)
	return a.request(ctx, o.requestOptions, list)
}

// extra lists the checks that the selector picks and that are not among checks.
func (a *app) extra(ctx context.Context, sel selector, checks []*check.Check) ([]target, error) {
	wanted := make(map[target]bool, len(checks))
	for _, c := range checks {
		wanted[target{c.ZoneName(), c.ID}] = true
	}
	found, err := a.targets(ctx, nil, sel)
	var out []target
	for _, t := range found {
		if !wanted[t] {
			out = append(out, t)
		}
	}
	return out, err
}

func (a *app) printApplied(sum applied) error {
	if a.opt.output != formatTable {
		return a.printer().value(sum)
	}
	text := fmt.Sprintf("%s in %.1fs: %d applied, %d unchanged", count(sum.Rows, "check"), sum.Seconds, sum.Applied, sum.Unchanged)
	for _, part := range []struct {
		n    int
		what string
	}{{sum.Deleted, "deleted"}, {sum.Faulty, "with faults"}, {sum.Rejected, "rejected"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	_, err := fmt.Fprintln(a.Stdout, text)
	return err
}
