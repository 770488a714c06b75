package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
)

// What a check to be tried out may leave out.
const (
	localID    = "local"
	localEvery = "1m"
)

// localCheck reads the check that run --local is about: its arguments, or a row
// of a file or of stdin.
func (a *app) localCheck(o *localOptions, args []string) (*check.Check, error) {
	if len(o.files) == 0 && len(args) > 0 {
		return o.typedCheck(a.opt.zone, args)
	}
	files := o.files
	if len(files) == 0 {
		if isTerminal(a.Stdin) {
			return nil, usagef("run --local wants a command, a file or a check on stdin: redpoll run --local http url=http://192.0.2.10/")
		}
		files = []string{"-"}
	}
	if len(args) > 1 {
		return nil, usagef("%s: with -f want at most the id of one check", strings.Join(args, " "))
	}
	rows, err := a.readRows(files)
	if err != nil {
		return nil, err
	}
	r, err := pickRow(rows, args)
	if err != nil {
		return nil, err
	}
	c, err := r.complete()
	if err != nil {
		for i, e := range leaves(err) {
			at := r.at
			var fe *check.FieldError
			if errors.As(e, &fe) {
				at = r.locate(fe.Field)
			}
			a.tell(fault{r, at, r.id(), e.Error()}, i)
		}
		return nil, &codeError{code: int(check.StateUnknown)}
	}
	if o.add.timeout != "" {
		err = c.Timeout.UnmarshalText([]byte(o.add.timeout))
		if err == nil {
			err = c.Validate()
		}
	}
	return c, err
}

// typedCheck makes a check of [ID] COMMAND [PARAM=VALUE ...] and the flags of add.
func (o *localOptions) typedCheck(zone string, args []string) (*check.Check, error) {
	known := commands.Builtin()
	named := len(args) > 1 && !strings.Contains(args[1], "=") && (known[args[1]] != nil || known[args[0]] == nil)
	if !named {
		args = slices.Insert(slices.Clone(args), 0, localID)
	}
	if o.add.every == "" && o.add.cron == "" && o.add.at == "" {
		o.add.every = localEvery
	}
	f, err := o.add.fields(zone, args)
	if err != nil {
		return nil, err
	}
	r, err := check.ParseRequest(f.lookup())
	if err != nil {
		return nil, err
	}
	return r.Check, nil
}

// pickRow gives the row with the id of the arguments, or the only one.
func pickRow(rows []row, args []string) (*row, error) {
	var ids []string
	for i := range rows {
		ids = append(ids, cmpOr(rows[i].id(), "(no id)"))
		if len(args) == 1 && rows[i].id() == args[0] || len(args) == 0 && len(rows) == 1 {
			return &rows[i], nil
		}
	}
	switch {
	case len(rows) == 0:
		return nil, usagef("there is no check to read")
	case len(args) == 1:
		text := fmt.Sprintf("no check has the id %s", args[0])
		if near := check.Nearest(args[0], ids); near != "" {
			text += ", did you mean " + near + "?"
		}
		return nil, usagef("%s", text)
	}
	more := ""
	if len(ids) > 10 {
		ids, more = ids[:10], ", ..."
	}
	return nil, usagef("%d checks: name one of them: %s%s", len(rows), strings.Join(ids, ", "), more)
}

// complete reads the check of a row, which may lack its id and schedule.
func (r *row) complete() (*check.Check, error) {
	if r.err != nil {
		return nil, r.err
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(r.text, &fields) != nil {
		return check.Parse(r.text) // says what is wrong
	}
	have := func(name string) bool { return len(fields[name]) > 0 }
	text := r.text
	if !have("id") || !have("every") && !have("cron") && !have("at") {
		if !have("id") {
			fields["id"] = json.RawMessage(`"` + localID + `"`)
		}
		if !have("every") && !have("cron") && !have("at") {
			fields["every"] = json.RawMessage(`"` + localEvery + `"`)
		}
		var err error
		if text, err = json.Marshal(fields); err != nil {
			return nil, err
		}
	}
	return check.Parse(text)
}

// readLast reads the record of the latest run: what writeLast wrote, a Result,
// or what redpoll describe -o json prints. No file: there was no run yet.
func readLast(file string) (*check.Last, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("last: %w", err)
	}
	var description struct {
		Last json.RawMessage `json:"last"`
	}
	if json.Unmarshal(text, &description) == nil && len(description.Last) > 0 {
		text = description.Last
	}
	var last check.Last
	if err := json.Unmarshal(text, &last); err != nil {
		return nil, fmt.Errorf("last: %s holds no result: %w", file, err)
	}
	return &last, nil
}

// writeLast keeps the record of a run for the next one.
func writeLast(file string, l check.Last) error {
	if file == "" {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".redpoll-*")
	if err != nil {
		return fmt.Errorf("last: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it is ours alone
		return fmt.Errorf("last: %w", err)
	}
	return nil
}
