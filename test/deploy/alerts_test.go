package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// alerts are those of the overlay prod, the only file of rules.
func alerts(t *testing.T) (list []monitoring.Rule) {
	t.Helper()
	f, faults := decode(prod, kustomize(t, prod))
	if len(faults) > 0 || len(f.rules) != 1 {
		t.Fatalf("%d files of rules, faults %v", len(f.rules), faults)
	}
	for _, g := range f.rules[0].Spec.Groups {
		list = append(list, g.Rules...)
	}
	return list
}

const runbooks = "https://github.com/redpoll/redpoll/blob/main/docs/runbooks/"

var usedLabel = regexp.MustCompile(`\$labels\.([a-z_]+)`)

// judgeAlert gives what is wrong with an alert, beside its expression.
func judgeAlert(r monitoring.Rule, page func(name string) (string, error)) (faults []string) {
	if !strings.HasPrefix(r.Alert, "Redpoll") {
		faults = append(faults, "its name does not begin with Redpoll")
	}
	if s := r.Labels["severity"]; s != "critical" && s != "warning" {
		faults = append(faults, "severity "+s)
	}
	if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
		faults = append(faults, "it says nothing")
	}
	for _, text := range r.Annotations {
		for _, m := range usedLabel.FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(`\b` + m[1] + `\b[^()]*\)`).MatchString(r.Expr.String()) {
				faults = append(faults, "its text has the label "+m[1]+", its result has not")
			}
		}
	}
	if r.Annotations["runbook_url"] != runbooks+r.Alert+".md" {
		return append(faults, "its runbook_url is "+r.Annotations["runbook_url"])
	}
	text, err := page(r.Alert)
	if err != nil {
		return append(faults, err.Error())
	}
	for _, want := range []string{"# " + r.Alert + "\n", "\n" + r.Labels["severity"] + ": ", "\n## What it means\n", "\n## How to look\n", "\n## What to do\n"} {
		if !strings.Contains(text, want) {
			faults = append(faults, "its page has no "+strings.TrimSpace(want))
		}
	}
	if line := bareLine.FindString(text); line != "" {
		faults = append(faults, "its page has a command outside of a block: "+line)
	}
	return faults
}

// bareLine is something to type that is not indented.
var bareLine = regexp.MustCompile(`(?m)^(?:kubectl|redpoll|redis-cli|sum|max|topk|histogram_quantile)\b.*$`)

func runbook(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "docs/runbooks", name+".md"))
	return string(text), err
}

// TestAlerts: each alert asks for metrics that there are, says something, and
// has a page; no page is about nothing.
func TestAlerts(t *testing.T) {
	t.Parallel()
	known, index := readMetrics(t), read(t, "docs/runbooks/README.md")
	named := map[string]bool{"README": true}
	for _, r := range alerts(t) {
		if named[r.Alert] {
			t.Errorf("%s is there twice", r.Alert)
		}
		named[r.Alert] = true
		for _, fault := range append(judgeAlert(r, runbook), known.judge(r.Expr.String())...) {
			t.Errorf("%s: %s", r.Alert, fault)
		}
		if !strings.Contains(index, "| ["+r.Alert+"]("+r.Alert+".md) | "+r.Labels["severity"]+" | ") {
			t.Errorf("docs/runbooks/README.md has no line about %s", r.Alert)
		}
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs/runbooks/*.md"))
	if err != nil || len(pages) != len(named) {
		t.Errorf("%d pages for %d alerts (%v)", len(pages)-1, len(named)-1, err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); !named[name] {
			t.Errorf("docs/runbooks/%s.md is about no alert", name)
		}
	}
}

// TestPlantedAlerts: what is wrong with an alert is found.
func TestPlantedAlerts(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(r *monitoring.Rule){
		"severity page":                  func(r *monitoring.Rule) { r.Labels = map[string]string{"severity": "page"} },
		"it says nothing":                func(r *monitoring.Rule) { delete(r.Annotations, "summary") },
		"its runbook_url is":             func(r *monitoring.Rule) { r.Annotations["runbook_url"] = runbooks + "Other.md" },
		"its text has the label command": func(r *monitoring.Rule) { r.Annotations["summary"] = "{{ $labels.command }}" },
		"no such file": func(r *monitoring.Rule) {
			r.Alert, r.Annotations["runbook_url"] = "RedpollNothing", runbooks+"RedpollNothing.md"
		},
		"does not begin with": func(r *monitoring.Rule) { r.Alert = "Overdue" },
	} {
		r := *alerts(t)[2].DeepCopy()
		spoil(&r)
		if got := judgeAlert(r, runbook); !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("judgeAlert() = %q, want %q", got, want)
		}
	}
	r := alerts(t)[0]
	if got := judgeAlert(r, func(string) (string, error) { return "# " + r.Alert + "\n\ncritical: x\n\nredpoll get\n", nil }); len(got) != 4 {
		t.Errorf("judgeAlert() with a bad page = %q, want three headings and a line that is no block", got)
	}
}

var queryLine = regexp.MustCompile(`(?m)^    ((?:sum|max|min|topk|histogram_quantile)\b.*)$`)

// TestQueriesInPages: a query that a runbook shows works.
func TestQueriesInPages(t *testing.T) {
	t.Parallel()
	known, found := readMetrics(t), 0
	for _, r := range alerts(t) {
		for _, m := range queryLine.FindAllStringSubmatch(read(t, "docs/runbooks/"+r.Alert+".md"), -1) {
			found++
			for _, fault := range known.judge(m[1]) {
				t.Errorf("%s.md: %s", r.Alert, fault)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d queries found: the test looks in the wrong place", found)
	}
}

var logLine = regexp.MustCompile(`kubectl [^|\n]* logs [^|\n]*\| grep '?([^'\n]+)'?`)

// TestLogLinesInPages: what a runbook looks for in a log is what some program
// says there.
func TestLogLinesInPages(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, dir := range []string{"pkg", "internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			code.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	for _, r := range alerts(t) {
		for _, m := range logLine.FindAllStringSubmatch(read(t, "docs/runbooks/"+r.Alert+".md"), -1) {
			found++
			if !strings.Contains(code.String(), `"`+m[1]) {
				t.Errorf("%s.md: nobody logs %q", r.Alert, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("%d log lines found: the test looks in the wrong place", found)
	}
}
