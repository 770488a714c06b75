package test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/handlers"
)

// shownLine is a command line that a page tells people to type.
type shownLine struct {
	page  string
	words []string
}

// shownLines finds the lines in code blocks of all pages whose first words are
// those of start.
func shownLines(t *testing.T, start ...string) []shownLine {
	t.Helper()
	var out []shownLine
	for _, page := range documents(t) {
		text := strings.ReplaceAll(read(t, page), "\\\n", " ")
		fenced := false
		open := "" // a line whose quotes go on in the next one
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) != "" {
				line = open + line
			}
			open = ""
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
				continue
			}
			if !fenced && !strings.HasPrefix(line, "    ") {
				continue
			}
			words, ok := shellWords(line)
			if !ok && strings.HasPrefix(strings.TrimSpace(line), start[0]+" ") {
				open = line
			}
			if ok && len(words) > len(start) && slices.Equal(words[:len(start)], start) {
				out = append(out, shownLine{page, words[len(start):]})
			}
		}
	}
	return out
}

// shellWords splits a line as a shell does, as far as pages go: quotes, a
// comment, & at the end. False: it is nothing that can be typed as it is.
func shellWords(line string) ([]string, bool) {
	var words []string
	var word strings.Builder
	var quote rune
	in := false
	for _, r := range strings.TrimSpace(line) {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == '#' && !in:
			return words, true
		case r == ' ' || r == '\t':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if in && word.String() != "&" {
		words = append(words, word.String())
	}
	return words, quote == 0
}

// TestRequestsInPages: a request that a page shows is one that schedulers
// accept.
func TestRequestsInPages(t *testing.T) {
	t.Parallel()
	known := commands.Builtin()
	lines := shownLines(t, "redis-cli", "-e", "XADD", "redpoll:intake", "*")
	lines = append(lines, shownLines(t, "redis-cli", "-p", "7379", "-e", "XADD", "redpoll:intake", "*")...)
	if len(lines) < len(known) {
		t.Fatalf("%d lines found: the test looks in the wrong place", len(lines))
	}
	for _, l := range lines {
		fields := map[string]string{}
		for pair := range slices.Chunk(l.words, 2) {
			if len(pair) != 2 {
				t.Errorf("%s: %q: a field without a value", l.page, l.words)
				continue
			}
			fields[pair[0]] = pair[1]
		}
		req, err := check.ParseRequest(fields)
		if err != nil {
			t.Errorf("%s: %q: %v", l.page, l.words, err)
			continue
		}
		if req.Check == nil || strings.HasPrefix(l.page, "examples/") && known[req.Check.Command] == nil {
			continue
		}
		if _, err := known.Build(req.Check.Command, req.Check.Params); err != nil {
			t.Errorf("%s: %q: %v", l.page, l.words, err)
		}
	}
}

// TestVerbsInPages: a call of redpoll that a page shows has a verb and flags
// that there are; what adds a check passes its own validation.
func TestVerbsInPages(t *testing.T) {
	t.Parallel()
	lines := append(shownLines(t, "redpoll"), shownLines(t, "go", "run", "./cmd/redpoll")...)
	if len(lines) < 10 {
		t.Fatalf("%d lines found: the test looks in the wrong place", len(lines))
	}
	for _, l := range lines {
		if strings.HasSuffix(l.words[0], ":") || strings.ContainsAny(strings.Join(l.words, ""), "|[…") && l.words[0] != "add" {
			continue // output, or a form
		}
		args := append(slices.Clone(l.words), "--help")
		if l.words[0] == "add" {
			args = append(slices.Clone(l.words), "--dry-run")
		}
		if code, _, stderr := redpoll(t, args...); code != 0 {
			t.Errorf("%s: redpoll %q ends with %d: %s", l.page, l.words, code, stderr)
		}
	}
}

// TestDaemonsInPages: a call of a daemon that a page shows has flags that
// docs/settings.md has, which the daemons' own tests compare with the programs.
func TestDaemonsInPages(t *testing.T) {
	t.Parallel()
	found := 0
	for _, name := range []string{"scheduler", "worker"} {
		_, section, ok := strings.Cut(read(t, "docs/settings.md"), "\n## "+name+"\n")
		if !ok {
			t.Fatalf("docs/settings.md has no section %s", name)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, l := range append(shownLines(t, name), shownLines(t, "go", "run", "./cmd/"+name)...) {
			found++
			for _, w := range l.words {
				flag, _, _ := strings.Cut(w, "=")
				if strings.HasPrefix(flag, "-") && flag != "-h" && !regexp.MustCompile("`"+regexp.QuoteMeta(flag)+"[ `]").MatchString(section) {
					t.Errorf("%s: %s has no flag %s", l.page, name, flag)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no page shows how to start a daemon")
	}
}

var (
	handlerLine  = regexp.MustCompile(`(?m)^ +(- \{name: .*\})$`)
	handlerBlock = regexp.MustCompile("(?s)```yaml\n(- name: .*?)```")
)

// TestHandlersInPages: an entry of handlers.yaml that a page shows is one that
// workers take.
func TestHandlersInPages(t *testing.T) {
	t.Parallel()
	found := 0
	for _, page := range documents(t) {
		text := read(t, page)
		for _, m := range append(handlerLine.FindAllStringSubmatch(text, -1), handlerBlock.FindAllStringSubmatch(text, -1)...) {
			found++
			if _, err := daemon.ParseHandlers(page, []byte(m[1]), handlers.Builtin()); err != nil {
				t.Errorf("%s\n%v", m[1], err)
			}
		}
	}
	if found == 0 {
		t.Error("no page shows a handler")
	}
}
