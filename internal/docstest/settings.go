// Package docstest compares what documents say with what programs say of
// themselves. Only tests import it.
package docstest

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/daemon"
)

// helpEntry is a setting as a daemon prints it for -h.
var helpEntry = regexp.MustCompile(`(?m)^  -(\S+)(?: (\S+))?\n        (.+)\n        \(default (.*), environment (.*)\)$`)

// Settings demands that the section "## name" of page has a table row for
// every setting of the daemon name, with its unit, its variables and its
// default, and none for settings that it does not have:
//
//	| `-slots checks` | `REDPOLL_SLOTS` | `1000` | how many checks run at once |
//
// A default that is not between backticks is text for people and not compared.
func Settings(t *testing.T, page, name string, run daemon.Func) {
	t.Helper()
	var help, errs bytes.Buffer
	p := &daemon.Process{
		Name: name, Args: []string{"-h"}, LookupEnv: func(string) (string, bool) { return "", false }, Stdout: &help, Stderr: &errs,
	}
	_ = run(t.Context(), p) // daemon.ErrHelp
	entries := helpEntry.FindAllStringSubmatch(help.String(), -1)
	if len(entries) == 0 {
		t.Fatalf("%s -h lists no settings: %s%s", name, help.String(), errs.String())
	}
	rows := rowsOf(t, page, name)
	for _, e := range entries {
		flag, unit, def, env := e[1], e[2], e[4], strings.Split(e[5], " or ")
		row, ok := rows[flag]
		if !ok {
			t.Errorf("%s, section %s: no row for -%s", page, name, flag)
			continue
		}
		delete(rows, flag)
		if row.unit != unit {
			t.Errorf("%s, section %s: -%s has the unit %q, want %q", page, name, flag, row.unit, unit)
		}
		if !slices.Equal(row.env, env) {
			t.Errorf("%s, section %s: -%s has the variables %q, want %q", page, name, flag, row.env, env)
		}
		if plain, quoted := strings.CutPrefix(row.def, "`"); quoted && strings.TrimSuffix(plain, "`") != def {
			t.Errorf("%s, section %s: -%s has the default %s, want %s", page, name, flag, row.def, def)
		} else if !quoted && row.def == "" {
			t.Errorf("%s, section %s: -%s has no default", page, name, flag)
		}
	}
	for flag := range rows {
		t.Errorf("%s, section %s: there is no setting -%s", page, name, flag)
	}
}

// settingsRow is a row of the page.
type settingsRow struct {
	unit, def string
	env       []string
}

var tableRow = regexp.MustCompile("(?m)^\\| `-(\\S+?)(?: (\\S+))?` \\| (.*?) \\| (.*?) \\| .+ \\|$")

// rowsOf reads the table of a section, by flag.
func rowsOf(t *testing.T, page, section string) map[string]settingsRow {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("%s has no section %s", page, section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	rows := map[string]settingsRow{}
	for _, m := range tableRow.FindAllStringSubmatch(rest, -1) {
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s, section %s: -%s is there twice", page, section, m[1])
		}
		rows[m[1]] = settingsRow{unit: m[2], env: strings.Split(strings.ReplaceAll(m[3], "`", ""), ", "), def: m[4]}
	}
	return rows
}
