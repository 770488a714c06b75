package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// difference is what apply would do to one check.
type difference struct {
	ID     string        `json:"id"`
	Zone   string        `json:"zone"`
	Change string        `json:"change"` // add, change or delete
	Fields []fieldChange `json:"fields,omitempty"`
}

// fieldChange is one field of it; an absent side is empty.
type fieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

func (a *app) diffCmd() *cobra.Command {
	var files, selectors []string
	var prune bool
	cmd := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show what apply would change",
		Long:  "Show what apply would change. Exit code 0: nothing; 1: something, or a row has a fault.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := applyOptions{files: files, prune: prune, selector: selectors, first: "auto"}
			sel, err := o.check()
			if err != nil {
				return err
			}
			m, err := a.manifest(files)
			if err != nil {
				return err
			}
			for i, f := range m.faults {
				a.tell(f, i)
			}
			found, err := a.differences(cmd.Context(), m, sel)
			if err != nil {
				return err
			}
			if err := a.printDifferences(found); err != nil {
				return err
			}
			if len(found)+len(m.faults) > 0 {
				return errWrong
			}
			return nil
		},
	}
	filesFlag(cmd, &files)
	cmd.Flags().BoolVar(&prune, "prune", false, "with what --prune would delete")
	cmd.Flags().StringArrayVarP(&selectors, "selector", "l", nil, "for --prune: checks with this `LABEL=VALUE`")
	return cmd
}

func (a *app) differences(ctx context.Context, m *manifest, sel selector) ([]difference, error) {
	conn, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	zones, err := conn.Zones(ctx)
	if err != nil {
		return nil, err
	}
	checks, _ := m.good()
	byLane := make(map[check.Lane][]*check.Check)
	for _, c := range checks {
		lane := check.Lane{Zone: c.ZoneName(), Part: check.Partition(c.ID, max(zones[c.ZoneName()].Partitions, 1))}
		byLane[lane] = append(byLane[lane], c)
	}
	var out []difference
	for lane, list := range byLane {
		for page := range slices.Chunk(list, scanPage) {
			ids := make([]string, len(page))
			for i, c := range page {
				ids[i] = c.ID
			}
			have, err := inZone(ctx, conn, lane, zones[lane.Zone], ids)
			if err != nil {
				return nil, err
			}
			for i, c := range page {
				if d, ok := compare(have[i].Spec, c); ok {
					out = append(out, d)
				}
			}
		}
	}
	if len(sel) > 0 {
		gone, err := a.extra(ctx, sel, checks)
		if err != nil {
			return nil, err
		}
		for _, t := range gone {
			out = append(out, difference{ID: t.id, Zone: t.zone, Change: "delete"})
		}
	}
	sortStored(out, func(d difference) (string, string) { return d.Zone, d.ID })
	return out, nil
}

// inZone reads checks from the lane that they belong to, and while checks of the
// zone move those that are not there from the other ones.
func inZone(ctx context.Context, conn *connection, home check.Lane, z check.Zone, ids []string) ([]check.Stored, error) {
	have, err := conn.Specs(ctx, home, ids)
	if err != nil || z.Spread == 0 {
		return have, err
	}
	lanes := redisqueue.LanesOf(map[string]check.Zone{home.Zone: z}, home.Zone)
	for _, lane := range append(lanes, home) { // a check may come behind the first look
		var left []string
		var at []int
		for i, s := range have {
			if s.Spec == "" {
				left, at = append(left, s.ID), append(at, i)
			}
		}
		found, err := conn.Specs(ctx, lane, left)
		if err != nil {
			return nil, err
		}
		for k, s := range found {
			have[at[k]] = s
		}
	}
	return have, nil
}

// compare says how a check differs from the text in the registry.
func compare(have string, want *check.Check) (difference, bool) {
	d := difference{ID: want.ID, Zone: want.ZoneName(), Change: "add"}
	if have == "" {
		return d, true
	}
	d.Change = "change"
	old, next := have, string(want.Text())
	if c, err := check.Parse([]byte(have)); err == nil {
		old = string(c.Text())
	}
	if old == next {
		return d, false
	}
	before, after := flatten([]byte(old)), flatten([]byte(next))
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] != after[name] {
			d.Fields = append(d.Fields, fieldChange{name, before[name], after[name]})
		}
	}
	return d, true
}

// flatten lists the values of a JSON object by their paths, lists whole.
func flatten(text []byte) map[string]string {
	out := make(map[string]string)
	var walk func(path string, raw json.RawMessage)
	walk = func(path string, raw json.RawMessage) {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil || len(object) == 0 {
			out[path] = string(raw)
			return
		}
		for name, value := range object {
			if path != "" {
				name = path + "." + name
			}
			walk(name, value)
		}
	}
	walk("", text)
	return out
}

func (a *app) printDifferences(list []difference) error {
	p := a.printer()
	if a.opt.output != formatTable {
		return printList(p, list, view[difference]{name: func(d difference) string { return target{d.Zone, d.ID}.String() }})
	}
	signs := map[string]string{"add": "+", "change": "~", "delete": "-"}
	count := map[string]int{}
	for _, d := range list {
		count[d.Change]++
		if _, err := fmt.Fprintf(a.Stdout, "%s %s\n", signs[d.Change], clean(target{d.Zone, d.ID}.String())); err != nil {
			return err
		}
		for _, f := range d.Fields {
			if _, err := fmt.Fprintf(a.Stdout, "    %s: %s -> %s\n", clean(f.Field), cmpOr(clean(f.Old), "(none)"), cmpOr(clean(f.New), "(none)")); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(a.Stderr, "%d to add, %d to change, %d to delete\n", count["add"], count["change"], count["delete"])
	return nil
}
