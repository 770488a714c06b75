package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
)

// manifest is what files want to be there: rows that are checks, and faults.
type manifest struct {
	rows   []row
	checks []*check.Check // of rows; nil where the row has a fault
	faults []fault
}

// fault is one thing that is wrong with a row.
type fault struct {
	row  *row
	at   place
	id   string
	text string
}

// manifest reads the files and validates every row as a scheduler would.
func (a *app) manifest(paths []string) (*manifest, error) {
	rows, err := a.readRows(paths)
	if err != nil {
		return nil, err
	}
	m := &manifest{rows: rows, checks: make([]*check.Check, len(rows))}
	found := make([][]fault, len(rows))
	known := commands.Builtin()
	var wg sync.WaitGroup
	n := min(runtime.GOMAXPROCS(0), len(rows))
	for w := range n {
		wg.Go(func() {
			for i := w; i < len(rows); i += n {
				m.checks[i], found[i] = a.readCheck(&rows[i], known)
			}
		})
	}
	wg.Wait()
	first := make(map[target]*row, len(rows))
	for i := range rows {
		m.faults = append(m.faults, found[i]...)
		c := m.checks[i]
		if c == nil {
			continue
		}
		t := target{c.ZoneName(), c.ID}
		if other := first[t]; other != nil {
			m.faults = append(m.faults, fault{&rows[i], rows[i].locate("id"), c.ID,
				fmt.Sprintf("stands at %s:%d already", other.file, other.at.line)})
			m.checks[i] = nil
			continue
		}
		first[t] = &rows[i]
	}
	return m, nil
}

// readCheck makes a check of a row, or tells what is wrong with it.
func (a *app) readCheck(r *row, known check.Commands) (*check.Check, []fault) {
	if r.err != nil {
		return nil, []fault{{r, r.at, "", r.err.Error()}}
	}
	c, err := check.Parse(r.text)
	if err == nil {
		if c.Zone == "" {
			c.Zone = a.opt.zone
		}
		err = validateParams(known, c)
	} else {
		err = errors.Join(err, validateAlone(known, r.text))
	}
	if err == nil {
		return c, nil
	}
	id := r.id()
	var out []fault
	for _, e := range leaves(err) {
		var fe *check.FieldError
		at := r.at
		if errors.As(e, &fe) {
			at = r.locate(fe.Field)
		}
		out = append(out, fault{r, at, id, e.Error()})
	}
	return nil, out
}

// validateAlone validates the params of a check that has faults elsewhere, so
// that everything is told at once.
func validateAlone(known check.Commands, text []byte) error {
	alone := struct {
		ID      string          `json:"id"`
		Every   string          `json:"every"`
		Command string          `json:"command"`
		Params  json.RawMessage `json:"params,omitempty"`
	}{}
	if json.Unmarshal(text, &alone) != nil && alone.Command == "" {
		return nil
	}
	alone.ID, alone.Every = "x", "1m"
	text, err := json.Marshal(alone)
	if err != nil {
		return nil // params that are no JSON: told already
	}
	c, err := check.Parse(text)
	if err != nil {
		return nil // told already
	}
	return validateParams(known, c)
}

// leaves undoes errors.Join.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

// excerpts is how many faults show the line that they are in: enough to see
// what is wrong, few enough to see all faults.
const excerpts = 10

// tell prints a fault as file:line:column: id: what is wrong.
func (a *app) tell(f fault, nth int) {
	who := ""
	if f.id != "" {
		who = clean(f.id) + ": "
	}
	for line := range strings.Lines(f.text) {
		fmt.Fprintf(a.Stderr, "%s:%d:%d: %s%s\n", clean(f.row.file), f.at.line, f.at.col, who, clean(strings.TrimRight(line, "\n")))
	}
	if nth < excerpts {
		fmt.Fprint(a.Stderr, f.row.excerpt(f.at))
	}
}

// rejectedFault places a scheduler's rejection in the file.
func rejectedFault(r *row, id, reason string) fault {
	at := r.at
	if name, _, ok := strings.Cut(reason, ": "); ok && !strings.Contains(name, " ") {
		at = r.locate(name)
	}
	return fault{r, at, id, "rejected: " + reason}
}

// good lists the checks without a fault, with their rows.
func (m *manifest) good() (checks []*check.Check, rows []*row) {
	for i, c := range m.checks {
		if c != nil {
			checks = append(checks, c)
			rows = append(rows, &m.rows[i])
		}
	}
	return checks, rows
}
