package test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestKeyTables: ARCHITECTURE.md and the package comment of redisqueue have
// the same keys of the same types.
func TestKeyTables(t *testing.T) {
	t.Parallel()
	find := func(pattern, text string) []string {
		var out []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1]+" "+m[2])
		}
		slices.Sort(out)
		return out
	}
	page := find("(?m)^\\| `(redpoll:[^`]+)` \\| ([A-Z]+) \\|", read(t, "ARCHITECTURE.md"))
	code := find(`(?m)^//\t(redpoll:\S+) +([A-Z]+) `, read(t, "pkg/queue/redisqueue/doc.go"))
	if len(page) < 10 || !slices.Equal(page, code) {
		t.Errorf("ARCHITECTURE.md has the keys\n%s\nwant those of redisqueue/doc.go\n%s", strings.Join(page, "\n"), strings.Join(code, "\n"))
	}
}

// TestRunRecordWords: the page has the words of a run record in their order,
// and a row for each.
func TestRunRecordWords(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`(?m)^--   (state [a-z ]+)$`).FindStringSubmatch(read(t, "pkg/queue/redisqueue/lua/prelude.lua"))
	if m == nil {
		t.Fatal("prelude.lua does not list the words of a run record")
	}
	page := read(t, "ARCHITECTURE.md")
	if !strings.Contains(page, "\n    "+m[1]+"\n") {
		t.Errorf("ARCHITECTURE.md does not have the line %q", m[1])
	}
	for _, word := range strings.Fields(m[1]) {
		if !strings.Contains(page, "\n| "+word+" | ") {
			t.Errorf("ARCHITECTURE.md has no row about the word %s", word)
		}
	}
}

// TestScriptsHaveUsers: rights.go names the users of deploy/redis/users.acl who
// run a script, and a test there asks Redis whether they may.
func TestScriptsHaveUsers(t *testing.T) {
	t.Parallel()
	table := read(t, "pkg/queue/redisqueue/rights.go")
	for _, file := range files(t, withSuffix(".lua")) {
		name := strings.TrimSuffix(path.Base(file), ".lua")
		if name != "prelude" && !regexp.MustCompile(`(?m)^\t"`+name+`": +"[a-z ]+",$`).MatchString(table) {
			t.Errorf("%s: scriptRoles in pkg/queue/redisqueue/rights.go does not say which users run it; "+
				"then go test ./pkg/queue/redisqueue -run Roles says what deploy/redis/users.acl lacks", file)
		}
	}
}

// TestScriptsAreOnThePage: every script, and no other.
func TestScriptsAreOnThePage(t *testing.T) {
	t.Parallel()
	page := read(t, "ARCHITECTURE.md")
	known := map[string]bool{}
	for _, file := range files(t, withSuffix(".lua")) {
		name := path.Base(file)
		known[name] = true
		if !strings.Contains(page, name) {
			t.Errorf("ARCHITECTURE.md does not have %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`[a-z]+\.lua`).FindAllString(page, -1) {
		if !known[name] {
			t.Errorf("ARCHITECTURE.md has %s, which is not there", name)
		}
	}
}

// TestTestsOnThePage: a test that is named as a proof is there.
func TestTestsOnThePage(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, file := range files(t, withSuffix("_test.go")) {
		code.WriteString(read(t, file))
	}
	for _, page := range []string{"ARCHITECTURE.md", "CONTRIBUTING.md"} {
		for _, m := range regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(read(t, page), -1) {
			if !strings.Contains(code.String(), "\nfunc "+m[1]+"(") {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
}

// TestNamedTestsAreThere: the tests that ARCHITECTURE.md names as proofs.
func TestNamedTestsAreThere(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, file := range files(t, withSuffix("_test.go")) {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, file), -1) {
			known[m[1]] = true
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(read(t, "ARCHITECTURE.md"), -1)
	if len(named) < 30 {
		t.Errorf("ARCHITECTURE.md names %d tests, want 30 or more", len(named))
	}
	for _, m := range named {
		if !known[m[1]] {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", m[1])
		}
	}
}
