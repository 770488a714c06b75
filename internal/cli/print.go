package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printer writes the data of a verb in the format that was asked for.
type printer struct {
	w      io.Writer
	format string
	color  bool
	wide   bool
}

func (a *app) printer() *printer {
	return &printer{w: a.Stdout, format: a.opt.output, wide: a.opt.wide, color: !a.opt.noColor && isTerminal(a.Stdout)}
}

// view says how items of one kind are shown.
type view[T any] struct {
	head []string
	row  func(T) []string
	name func(T) string
	// wide is the table of -o wide; nil: the usual one.
	wide *wideView[T]
}

// wideView is a table with more columns.
type wideView[T any] struct {
	head []string
	row  func(T) []string
}

// printList writes items: a table with one row each, a JSON array, a JSON line
// each, a YAML list, or their names.
func printList[T any](p *printer, items []T, v view[T]) error {
	switch p.format {
	case formatJSON, formatYAML:
		if items == nil {
			items = []T{}
		}
		return p.value(items)
	case formatJSONL:
		for _, item := range items {
			if err := p.line(item); err != nil {
				return err
			}
		}
		return nil
	case formatName:
		for _, item := range items {
			if _, err := fmt.Fprintln(p.w, clean(v.name(item))); err != nil {
				return err
			}
		}
		return nil
	}
	if p.wide && v.wide != nil {
		v.head, v.row = v.wide.head, v.wide.row
	}
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = v.row(item)
	}
	return p.table(v.head, rows)
}

// value writes one value as JSON or, when that was asked for, as YAML.
func (p *printer) value(v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if p.format != formatYAML {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return err
	}
	text := inert(buf.Bytes())
	if p.format == formatYAML {
		var err error
		if text, err = jsonToYAML(text); err != nil {
			return err
		}
	}
	_, err := p.w.Write(text)
	return err
}

// line writes one value as one line of JSON.
func (p *printer) line(v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := p.w.Write(inert(buf.Bytes()))
	return err
}

// table writes rows in aligned columns, two spaces apart.
func (p *printer) table(head []string, rows [][]string) error {
	width := make([]int, len(head))
	for i, h := range head {
		width[i] = utf8.RuneCountInString(h)
	}
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
	}
	var buf bytes.Buffer
	for r := -1; r < len(rows); r++ {
		row := head
		if r >= 0 {
			row = rows[r]
		}
		for i, cell := range row {
			buf.WriteString(p.paint(cell))
			if i < len(row)-1 {
				pad := width[i] - utf8.RuneCountInString(cell) + 2
				buf.WriteString(strings.Repeat(" ", pad))
			}
		}
		trimSpaces(&buf)
		buf.WriteByte('\n')
		if buf.Len() > 1<<16 || r == len(rows)-1 {
			if _, err := p.w.Write(buf.Bytes()); err != nil {
				return err
			}
			buf.Reset()
		}
	}
	return nil
}

// trimSpaces takes the spaces off the end, which an empty last cell leaves.
func trimSpaces(buf *bytes.Buffer) {
	for b := buf.Bytes(); len(b) > 0 && b[len(b)-1] == ' '; b = buf.Bytes() {
		buf.Truncate(len(b) - 1)
	}
}

// colors are the ANSI colours of words that tell how something is.
var colors = map[string]string{
	"OK": "32", "WARN": "33", "CRIT": "31", "UNKNOWN": "35",
	"live": "32", "dead": "31",
	"ok": "32", "warn": "33", "bad": "31",
	"open": "31", "resolve": "32", "update": "33", "ack": "36",
}

// paint colours a cell on a terminal.
func (p *printer) paint(cell string) string {
	if code := colors[cell]; p.color && code != "" {
		return "\x1b[" + code + "m" + cell + "\x1b[0m"
	}
	return cell
}

// draws tells whether a terminal would obey a character, or turn text around by
// it.
func draws(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// inert writes those characters of a JSON text that its encoder leaves as they
// are as escapes: it means the same, and does nothing to a terminal.
func inert(text []byte) []byte {
	if !bytes.ContainsFunc(text, func(r rune) bool { return r != '\n' && draws(r) }) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		if r != '\n' && draws(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// clean makes text from elsewhere safe to print in one line: control and
// direction characters, with which a target could draw on the operator's
// terminal, are replaced.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case draws(r):
			return utf8.RuneError
		}
		return r
	}, s)
}
