package test

import (
	"bytes"
	"go/format"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/cli"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/handlers"
)

// documents lists all pages.
func documents(t *testing.T) []string { return files(t, withSuffix(".md")) }

// TestReadmeIsShort: a page that nobody reads to the end does not help.
func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	if n := strings.Count(read(t, "README.md"), "\n"); n >= 200 {
		t.Errorf("README.md has %d lines, want fewer than 200", n)
	}
}

// TestEverythingHasItsPage: each built-in command and handler has a page, is
// in README's tables and in the change log, and no page is about nothing.
func TestEverythingHasItsPage(t *testing.T) {
	t.Parallel()
	readme, changes := read(t, "README.md"), read(t, "CHANGELOG.md")
	for folder, names := range map[string][]string{"docs/commands": commands.Builtin().Names(), "docs/handlers": handlers.Builtin().Names()} {
		for _, name := range names {
			page := folder + "/" + name + ".md"
			if _, err := os.Stat(filepath.Join(root, page)); err != nil {
				t.Errorf("%s has no page: %v", name, err)
			}
			if !strings.Contains(readme, "["+name+"]("+page+")") {
				t.Errorf("README.md has no link [%s](%s)", name, page)
			}
			if !strings.Contains(changes, "`"+name+"`") {
				t.Errorf("CHANGELOG.md does not have `%s`", name)
			}
			if index := folder + "/README.md"; folder == "docs/commands" && !strings.Contains(read(t, index), "| ["+name+"]("+name+".md) | ") {
				t.Errorf("%s has no line about %s", index, name)
			}
		}
		for _, page := range documents(t) {
			name := strings.TrimSuffix(path.Base(page), ".md")
			if path.Dir(page) == folder && name != "README" && !slices.Contains(names, name) {
				t.Errorf("%s is about something that is not built in", page)
			}
		}
	}
}

// TestVerbsAreDocumented: each verb of the operator's command is in its page
// and in the change log, and so are the flags that all verbs take.
func TestVerbsAreDocumented(t *testing.T) {
	t.Parallel()
	page, changes := read(t, "docs/cli.md"), read(t, "CHANGELOG.md")
	_, help, _ := redpoll(t, "help")
	verbs := regexp.MustCompile(`(?m)^  ([a-z]+) {2,}[A-Z]`).FindAllStringSubmatch(help, -1)
	if len(verbs) < 15 {
		t.Fatalf("redpoll help lists %d verbs:\n%s", len(verbs), help)
	}
	for _, m := range verbs {
		if m[1] == "help" || m[1] == "completion" || m[1] == "version" {
			continue
		}
		if !regexp.MustCompile("\\b" + m[1] + "\\b").MatchString(page) {
			t.Errorf("docs/cli.md does not have the verb %s", m[1])
		}
		if !strings.Contains(changes, "`"+m[1]+"`") {
			t.Errorf("CHANGELOG.md does not have the verb `%s`", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)`).FindAllStringSubmatch(help, -1) {
		if name := m[1]; name != "help" && !strings.Contains(page, "--"+name) && (name != "output" || !strings.Contains(page, "`-o ")) {
			t.Errorf("docs/cli.md does not have --%s", name)
		}
	}
}

// redpoll runs the operator's command without a Redis.
func redpoll(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(t.Context(), args, cli.Streams{
		Version: "test", Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
	})
	return code, out.String(), errs.String()
}

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks: what a page points to is there, headings included.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, page := range documents(t) {
		for _, m := range markdownLink.FindAllStringSubmatch(read(t, page), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s points to %s: %v", page, m[1], err)
				continue
			}
			if heading != "" && !slices.Contains(headings(read(t, file)), heading) {
				t.Errorf("%s points to %s: there is no such heading", page, m[1])
			}
		}
	}
}

// headings gives the anchors of a page, as the usual renderers make them.
func headings(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			title = strings.ToLower(strings.TrimSpace(title))
			title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(title, "")
			out = append(out, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return out
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestGoBlocksCompile: Go code in a page stands, as it is, in an example or a
// program of this module, which the compiler has seen.
func TestGoBlocksCompile(t *testing.T) {
	t.Parallel()
	var code []string
	for _, file := range files(t, withSuffix("example_test.go", ".go")) {
		if strings.HasSuffix(file, "example_test.go") || strings.HasPrefix(file, "examples/") {
			code = append(code, flatten(read(t, file)))
		}
	}
	found := 0
	for _, page := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/concepts.md"} {
		for _, m := range goBlock.FindAllStringSubmatch(read(t, page), -1) {
			found++
			if _, err := format.Source([]byte(m[1])); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, m[1])
			}
			if !slices.ContainsFunc(code, func(c string) bool { return strings.Contains(c, flatten(m[1])) }) {
				t.Errorf("%s: this code is in no example of the module:\n%s", page, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("there is no Go code in README.md")
	}
}

// flatten takes the indentation away.
func flatten(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// homePath finds paths that mean something on one machine only.
var homePath = regexp.MustCompile(`(?m)(?:^|[\s"'(=:\x60])(?:/(?:home|root|Users|work|farm)/|[A-Z]:\\Users\\)[A-Za-z0-9._-]`)

// toolWord finds what writing tools leave behind.
var toolWord = regexp.MustCompile(`(?i)\b(?:copilo[t]|chat-?gp[t]|cla[u]de|as an a[i] |language mode[l]|generated wit[h]|co-authore[d])`)

// TestTextIsTheProjectsOwn: no path of somebody's machine, no trace of tools.
func TestTextIsTheProjectsOwn(t *testing.T) {
	t.Parallel()
	kinds := withSuffix(".go", ".md", ".lua", ".yaml", ".yml", ".txtar", ".sh", ".mod", ".json", ".toml", ".tmpl", "Makefile", ".ci/run", "Dockerfile", "NOTICE", ".gitignore")
	for _, file := range files(t, kinds) {
		text := read(t, file)
		if m := homePath.FindString(text); m != "" {
			t.Errorf("%s has a path of one machine: %q", file, m)
		}
		if m := toolWord.FindString(text); m != "" {
			t.Errorf("%s: %q", file, m)
		}
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestChecksInPages: checks that a page shows as YAML are valid.
func TestChecksInPages(t *testing.T) {
	t.Parallel()
	found := 0
	for _, page := range documents(t) {
		for _, m := range yamlBlock.FindAllStringSubmatch(read(t, page), -1) {
			if !strings.Contains(m[1], "command:") {
				continue
			}
			found++
			file := filepath.Join(t.TempDir(), "checks.yaml")
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, _, stderr := redpoll(t, "apply", "--dry-run", "--strict", "-f", file); code != 0 {
				t.Errorf("%s: %s", page, stderr)
			}
		}
	}
	if found < 3 {
		t.Errorf("%d blocks of checks in all pages", found)
	}
}
