package cli

import (
	"bytes"
	"regexp"
	"slices"
)

var (
	documentMark = regexp.MustCompile(`(?m)^(---|\.\.\.)([ \t\r].*)?$`)
	anchorMark   = regexp.MustCompile(`(?m)(^|[\s,\[{])[&*][^\s,\[\]{}]`)
	itemMark     = regexp.MustCompile(`(?m)^-([ \t\r]|$)`)
)

// chunk is a part of a file that is read on its own.
type chunk struct {
	text []byte
	line int // of its first line in the file, from 1
}

// splitYAML cuts a YAML file into documents, and a document that is a list
// into its items. So a mistake in one check spoils no other, and 100,000
// checks need the memory of one. A list with anchors stays whole: an alias may
// point into another item.
func splitYAML(text []byte) []chunk {
	text = slices.Clone(bytes.TrimPrefix(text, []byte("\ufeff")))
	var out []chunk
	line, from := 1, 0
	add := func(to int) {
		out = append(out, splitItems(chunk{text[from:to], line})...)
		line += bytes.Count(text[from:to], []byte("\n"))
		from = to
	}
	for _, at := range documentMark.FindAllIndex(text, -1) {
		add(at[0])
		copy(text[at[0]:], "   ") // what follows the mark keeps its place
	}
	add(len(text))
	return out
}

func splitItems(doc chunk) []chunk {
	if blankYAML(doc.text) {
		return nil
	}
	first := itemMark.FindIndex(doc.text)
	if first == nil || !blankYAML(doc.text[:first[0]]) || anchorMark.Match(doc.text) {
		return []chunk{doc}
	}
	var out []chunk
	marks := itemMark.FindAllIndex(doc.text, -1)
	line, from := doc.line, 0
	for i, at := range marks {
		line += bytes.Count(doc.text[from:at[0]], []byte("\n"))
		from = at[0]
		to := len(doc.text)
		if i+1 < len(marks) {
			to = marks[i+1][0]
		}
		out = append(out, chunk{doc.text[from:to], line})
	}
	return out
}

// blankYAML says whether text holds only comments, directives and space.
func blankYAML(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}
