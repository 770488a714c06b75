package plugin

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/redpoll/redpoll/pkg/commands/internal/proc"
)

// split takes the output of a plugin apart:
//
//	text | performance data
//	more text, any number of lines | more performance data
//	more performance data, any number of lines
//
// The text is that of the first line. A plugin that prints nothing may have
// said on stderr why.
func split(out proc.Output) (text, perf string) {
	stdout := out.Stdout
	if out.Cut { // what was cut in two is worth nothing
		stdout = stdout[:max(bytes.LastIndexFunc(stdout, unicode.IsSpace), 0)]
	}
	first, rest, _ := strings.Cut(strings.TrimLeft(string(stdout), " \t\r\n"), "\n")
	text, perf, _ = strings.Cut(first, "|")
	text = strings.TrimSpace(text)
	if _, more, ok := strings.Cut(rest, "|"); ok {
		perf += " " + strings.ReplaceAll(more, "\n", " ")
	}
	if text == "" && perf == "" {
		first, _, _ = strings.Cut(strings.TrimLeft(string(out.Stderr), " \t\r\n"), "\n")
		text = strings.TrimSpace(first)
	}
	if text == "" {
		text = "no output"
	}
	return text, perf
}
