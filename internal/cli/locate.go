package cli

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// fieldPath splits the name of a field, params.oids[2].name, into its parts.
func fieldPath(field string) []string {
	if field == "" {
		return nil
	}
	field = strings.ReplaceAll(strings.ReplaceAll(field, "[", "."), "]", "")
	return strings.Split(field, ".")
}

// locate finds a field of the row in its file; where there is none, the
// deepest part of its name that is there, and else the row.
func (r *row) locate(field string) place {
	path := fieldPath(field)
	if len(path) == 0 || len(r.src.text) == 0 {
		return r.at
	}
	if r.json {
		at := jsonPlace(r.src.text, path)
		inside := (&lineIndex{text: r.src.text}).place(at)
		if inside.line == 1 {
			return place{r.at.line, r.at.col + inside.col - 1}
		}
		return place{r.at.line + inside.line - 1, inside.col}
	}
	nodes, known, err := parseYAML(r.src.text)
	if err != nil || r.nth >= len(nodes) {
		return r.at
	}
	if n := descend(nodes[r.nth], known, path); n != nil {
		return r.src.place(nodeError(n, ""))
	}
	return r.at
}

// descend follows path from n and gives the last key or element that is there.
func descend(n ast.Node, known *anchors, path []string) ast.Node {
	var found ast.Node
	for i, key := range path {
		next, at := child(n, known, key)
		if next == nil && i+1 < len(path) {
			// A key may hold dots itself.
			next, at = child(n, known, strings.Join(path[i:], "."))
		}
		if at == nil {
			return found
		}
		if found = at; next == nil {
			return found
		}
		n = next
	}
	return found
}

// child gives the value under a key, and the node whose place stands for it.
func child(n ast.Node, known *anchors, key string) (value, at ast.Node) {
	switch x := n.(type) {
	case *ast.AnchorNode:
		return child(x.Value, known, key)
	case *ast.TagNode:
		return child(x.Value, known, key)
	case *ast.SequenceNode:
		for i, v := range x.Values {
			if fmt.Sprint(i) == key {
				return v, v
			}
		}
	case ast.MapNode:
		entries, err := known.merged(x, 0)
		if err != nil {
			return nil, nil
		}
		for _, v := range entries {
			if keyText(v) == key {
				return v.Value, v.Key
			}
		}
	}
	return nil, nil
}

// excerpt gives the line of a place with a caret under the column.
func (r *row) excerpt(at place) string {
	n := at.line - r.src.line
	if n < 0 || r.json && n == 0 {
		return "" // the text of a JSON row starts in mid-line
	}
	for line := range bytes.Lines(r.src.text) {
		if n--; n >= 0 {
			continue
		}
		text := clean(strings.TrimRight(string(line), "\r\n"))
		if utf8.RuneCountInString(text) > 160 || at.col > 150 {
			return ""
		}
		return "    " + text + "\n    " + strings.Repeat(" ", at.col-1) + "^\n"
	}
	return ""
}
