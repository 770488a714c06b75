package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// problem is something that is not as the registry wants it.
type problem struct {
	Zone string `json:"zone"`
	Lane string `json:"lane"`
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Mended says that --repair has put it right, or ordered it.
	Mended bool `json:"mended,omitempty"`
}

// verifyReport is what was looked at and what was found.
type verifyReport struct {
	Lanes     int       `json:"lanes"`
	Checks    int       `json:"checks"`
	Records   int       `json:"records"`
	Waiting   int       `json:"waiting"`
	Ready     int       `json:"ready"`
	Moving    int       `json:"moving"`    // on their way to another lane
	Transient int       `json:"transient"` // seen once, and right at the next look
	Problems  []problem `json:"problems"`
}

// problemTexts say what the kinds mean.
var problemTexts = map[string]string{
	"bad_spec":     "the spec cannot be read",
	"wrong_id":     "the spec's id is not the name that it stands under",
	kindRefused:    "the spec was refused, so the check does not run: 'redpoll describe' says why",
	"wrong_lane":   "the spec stands in a lane that it does not belong to",
	"new":          "a spec without a record: nobody has adopted it",
	"hand":         "the spec was changed by hand and nobody has adopted it",
	"bad_record":   "the run record is junk",
	"paused_due":   "paused, yet due",
	"lost":         "neither waiting, queued nor running",
	"far":          "due too far in the future",
	"lost_entry":   "queued or running, but its stream entry is gone",
	"lost_pending": "its stream entry is delivered to nobody",
	"long_lease":   "leased for longer than any lease",
	"vanished":     "a record without a spec",
	"stray":        "left of a check that is not there",
	"wrong_type":   "the key is of another type",
	"frozen":       "on its way to another lane for more than a minute: no scheduler carries it on",
	"twin":         "it can run in two lanes",

	check.FindingIncident: "an open incident that its check knows nothing of",
}

func (a *app) verifyCmd() *cobra.Command {
	var repair bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "verify [--repair]",
		Short: "Prove that no check is lost, doubled or forgotten",
		Long: strings.TrimSpace(`
Prove on the living system that every check is in exactly one place and that
nothing is left of others. What looks wrong is looked at again before it
counts: a hand edit has ten seconds to be adopted. --repair mends what is
wrong. Exit code 1 if anything was wrong.`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			v := &verifier{app: a, conn: conn, wait: wait}
			if err := v.run(cmd.Context()); err != nil {
				return err
			}
			if repair {
				if err := v.repair(cmd.Context()); err != nil {
					return err
				}
			}
			if err := a.printVerify(v.report, repair); err != nil {
				return err
			}
			if len(v.report.Problems) > 0 {
				return errWrong
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what is wrong")
	cmd.Flags().DurationVar(&wait, "wait", 12*time.Second, "how long hand edits may wait for their adoption")
	return cmd
}

// run looks at everything, then again at what looked wrong. Most moves are
// over in milliseconds; what a person did waits for a scheduler's next pass.
func (v *verifier) run(ctx context.Context) error {
	if err := v.count(ctx); err != nil {
		return err
	}
	found, err := v.pass(ctx, nil)
	if err != nil {
		return err
	}
	v.report.Problems = []problem{}
	first := len(found)
	start := time.Now()
	for nth := 0; len(found) > 0; nth++ {
		slow := slices.ContainsFunc(found, func(p problem) bool { return awaitsScheduler(p.Kind) })
		if nth >= 2 && (!slow || time.Since(start) >= v.wait) {
			break
		}
		pause := 300 * time.Millisecond
		if nth >= 2 {
			pause = time.Second
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		moving := v.report.Moving
		again, err := v.pass(ctx, found)
		v.report.Moving = moving // as the first look saw it
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(p problem) bool { return !slices.Contains(again, p) })
	}
	v.report.Transient = first - len(found)
	v.report.Problems = append(v.report.Problems, found...)
	slices.SortFunc(v.report.Problems, func(x, y problem) int { return strings.Compare(x.Lane+" "+x.ID, y.Lane+" "+y.ID) })
	return nil
}

// awaitsScheduler tells kinds that people make and schedulers settle.
func awaitsScheduler(kind string) bool {
	return slices.Contains([]string{"new", "hand", "vanished", "wrong_lane", kindTwin}, kind)
}

// tellRepair says what can be done about problems.
func (a *app) tellRepair(problems []problem, repaired bool) {
	texts := 0
	for _, p := range problems {
		if textProblem(p.Kind) {
			texts++
		}
	}
	if texts < len(problems) && !repaired {
		fmt.Fprintln(a.Stderr, "redpoll: 'redpoll verify --repair' mends what can be mended")
	}
	if texts > 0 {
		fmt.Fprintf(a.Stderr, "redpoll: %s that only you can put right: set the check anew, or delete it\n", count(texts, "spec"))
	}
}

// textProblem tells kinds of which only a check's author knows what is right.
func textProblem(kind string) bool {
	return slices.Contains([]string{"bad_spec", "wrong_id", kindRefused}, kind)
}

func (a *app) printVerify(r verifyReport, repair bool) error {
	if a.opt.output != formatTable {
		if a.opt.output == formatName {
			return printList(a.printer(), r.Problems, view[problem]{name: func(p problem) string { return target{p.Zone, p.ID}.String() }})
		}
		return a.printer().value(r)
	}
	if len(r.Problems) > 0 {
		rows := make([][]string, len(r.Problems))
		for i, p := range r.Problems {
			mended := map[bool]string{true: "mended", false: "-"}[p.Mended]
			rows[i] = []string{p.ID, p.Lane, p.Kind, mended, problemTexts[p.Kind]}
		}
		if err := a.printer().table([]string{"CHECK", "LANE", "PROBLEM", "REPAIR", "MEANING"}, rows); err != nil {
			return err
		}
		a.tellRepair(r.Problems, repair)
	}
	moving := ""
	if r.Moving > 0 {
		moving = fmt.Sprintf(", %d moving to another lane", r.Moving)
	}
	_, err := fmt.Fprintf(a.Stdout, "%s in %s (%s, %s, %d waiting, %d queued or running%s; %d looked wrong for a moment)\n",
		count(len(r.Problems), "problem"), count(r.Checks, "check"), count(r.Lanes, "lane"), count(r.Records, "record"), r.Waiting, r.Ready, moving, r.Transient)
	return err
}
