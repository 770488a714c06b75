package test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	toolCall   = regexp.MustCompile(`(?:^|[\s/])redpoll ([a-z][a-z-]*)((?: [^\n]*)?)$`)
	daemonCall = regexp.MustCompile(`(?:^|[\s/])(scheduler|worker) (-[a-z][^\n]*)$`)
	longFlag   = regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]*|-[a-z])\b`)
	oneFlag    = regexp.MustCompile(`(?:^|\s)(-[a-z][a-z-]*)\b`)
	quoted     = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	namespace  = regexp.MustCompile(`-n(?:amespace)? redpoll\b`) // of kubectl
	// elsewhere begins what the shell or another program takes.
	elsewhere = regexp.MustCompile(` (?:[|>#&;]|2>|\\$)`)
)

// TestCommandLinesInPages: a line that a page tells people to type has a verb
// and flags that there are.
func TestCommandLinesInPages(t *testing.T) {
	t.Parallel()
	help, settings, found := map[string]string{}, read(t, "docs/settings.md"), 0
	for _, page := range documents(t) {
		for _, line := range codeIn(read(t, page)) {
			line = namespace.ReplaceAllString(quoted.ReplaceAllString(line, "TEXT"), "")
			if at := elsewhere.FindStringIndex(line); at != nil {
				line = line[:at[0]]
			}
			if m := toolCall.FindStringSubmatch(line); m != nil && m[1] != "help" {
				found++
				toolLine(t, help, page, m[1], m[2])
			}
			if m := daemonCall.FindStringSubmatch(line); m != nil {
				for _, f := range oneFlag.FindAllStringSubmatch(m[2], -1) {
					found++
					if f[1] != "-h" && !strings.Contains(settings, "\n| `"+f[1]+" ") && !strings.Contains(settings, "\n| `"+f[1]+"`") {
						t.Errorf("%s: %q: %s has no %s", page, line, m[1], f[1])
					}
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("%d command lines in all pages: the test does not see them any more", found)
	}
}

// codeIn gives the lines of blocks, and what stands between backticks.
func codeIn(text string) []string {
	var out []string
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case fenced, strings.HasPrefix(line, "    "):
			out = append(out, line)
		default:
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// toolLine looks at a call of the operator's command; help has the help of
// verbs that were looked at before.
func toolLine(t *testing.T, help map[string]string, page, verb, rest string) {
	t.Helper()
	words := []string{verb}
	if sub := strings.Fields(rest); len(sub) > 0 && slices.Contains([]string{"downtime", "zones", "completion"}, verb) && !strings.HasPrefix(sub[0], "-") {
		words = append(words, sub[0])
	}
	key := strings.Join(words, " ")
	if _, ok := help[key]; !ok {
		code, stdout, stderr := redpoll(t, append(slices.Clone(words), "--help")...)
		if code != 0 {
			t.Errorf("%s: redpoll %s: %s", page, key, stderr)
		}
		if help[key] = stdout; verb == "run" { // with --local it takes a line of add as well
			_, more, _ := redpoll(t, "add", "--help")
			help[key] += more
		}
	}
	for _, f := range longFlag.FindAllStringSubmatch(rest, -1) {
		if !regexp.MustCompile(`(?m)^ +(?:-\w, )?` + f[1] + `\b|^ +` + f[1] + `, `).MatchString(help[key]) {
			t.Errorf("%s: redpoll %s%s: there is no %s", page, verb, rest, f[1])
		}
	}
}
