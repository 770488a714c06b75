// Package yamldepth refuses YAML that is nested so deeply that reading it would
// take minutes and gigabytes: the time and memory of the parser grow with the
// square of the depth.
package yamldepth

import (
	"bytes"
	"fmt"
	"regexp"
)

// Most is the deepest nesting that is let through: far more than any file of
// redpoll's has.
const Most = 100

// Error is a place that is nested too deeply; both count from 1.
type Error struct{ Line, Column int }

// Error says so.
func (e *Error) Error() string { return fmt.Sprintf("nested more than %d deep", Most) }

// Check gives an *Error for a text that is nested too deeply. It looks at
// brackets, and at dashes and question marks in front of a line; it is no
// parser, and what is wrong otherwise is for one to say.
func Check(text []byte) error {
	s := scanner{}
	block := -1 // indent of the key whose text block we are in
	for n := 1; len(text) > 0; n++ {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		if block >= 0 && (indent > block || indent == len(line)) {
			continue
		}
		if block = -1; s.quote == 0 && s.depth == 0 && beginsBlock.Match(line) {
			block = indent
		}
		if col := s.line(line); col > 0 {
			return &Error{Line: n, Column: col}
		}
	}
	return nil
}

// beginsBlock is a line behind which a block of text stands: "key: |".
var beginsBlock = regexp.MustCompile(`(?:[:?-]|[&!]\S*)[ \t]+[|>][+0-9-]{0,2}[ \t\r]*$`)

// scanner counts open brackets.
type scanner struct {
	depth int
	quote byte // of a quoted text that goes on, 0 outside
}

// line takes a line in, and gives the column where it is too deep, or 0.
func (s *scanner) line(line []byte) int {
	i, marks := 0, 0
	if s.quote == 0 {
		if len(line) > 0 && line[0] != ' ' && !bytes.ContainsRune([]byte("]},#\t"), rune(line[0])) && !opens(line[0]) {
			s.depth = 0 // a new key or entry: what seemed open was none
		}
		for ; i < len(line) && (line[i] == ' ' || mark(line, i)); i++ {
			if line[i] != ' ' {
				if marks++; marks > Most {
					return i + 1
				}
			}
		}
	}
	before := byte(0) // the last that was no space
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case s.quote != 0:
			if c == '\\' && s.quote == '"' {
				i++
			} else if c == s.quote {
				s.quote, before = 0, c
			}
			continue
		case c == ' ' || c == '\t':
			continue
		case c == '#' && i > 0 && (line[i-1] == ' ' || line[i-1] == '\t'):
			return 0
		case (c == '"' || c == '\'') && begins(before):
			s.quote = c
			continue
		case opens(c) && !begins(before):
			c = 'x' // a part of plain text
		case opens(c):
			if s.depth++; s.depth > Most {
				return i + 1
			}
		case c == ']' || c == '}':
			s.depth = max(s.depth-1, 0)
		}
		before = c
	}
	return 0
}

// mark tells whether a dash or question mark begins an entry.
func mark(line []byte, i int) bool {
	return (line[i] == '-' || line[i] == '?') && (i+1 == len(line) || line[i+1] == ' ')
}

func opens(c byte) bool { return c == '[' || c == '{' }

// begins tells whether a value can begin behind a byte.
func begins(before byte) bool {
	return before == 0 || bytes.IndexByte([]byte("[{,:-?|>&*!"), before) >= 0
}
