package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and lists may nest in a spec.
const maxDepth = 32

// parseTree reads one JSON value as map[string]any, []any, string,
// json.Number, bool or nil. It refuses what encoding/json lets pass: invalid
// UTF-8, fields that stand twice, control characters, deep nesting.
func parseTree(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fieldErr("", "the text is not valid UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fieldErr("", fmt.Sprintf("not valid JSON at byte %d: %s", syntax.Offset, syntax))
		}
		return nil, fieldErr("", "not valid JSON: "+err.Error())
	}
	t := treeReader{dec: json.NewDecoder(bytes.NewReader(text))}
	t.dec.UseNumber()
	v, err := t.value("", 0)
	if err != nil {
		return nil, err
	}
	return v, t.faults.err()
}

type treeReader struct {
	dec *json.Decoder
	faults
}

func (t *treeReader) value(path string, depth int) (any, error) {
	token, err := t.dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'), json.Delim('['):
		if depth >= maxDepth {
			return nil, fieldErr(path, fmt.Sprintf("nests deeper than %d", maxDepth))
		}
		if token == json.Delim('{') {
			return t.object(path, depth+1)
		}
		return t.items(path, depth+1)
	}
	if s, ok := token.(string); ok && hasControl(s, "\t\r\n") {
		t.addf(path, "%s: control characters are not allowed", quoteShort(s))
	}
	return token, nil
}

func (t *treeReader) object(path string, depth int) (any, error) {
	m := map[string]any{}
	for t.dec.More() {
		token, err := t.dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		name := joinPath(path, key)
		if hasControl(key, "") {
			t.addf(name, "control characters are not allowed in a name")
		}
		v, err := t.value(name, depth)
		if err != nil {
			return nil, err
		}
		if _, twice := m[key]; twice {
			t.addf(name, "stands twice")
		}
		m[key] = v
	}
	_, err := t.dec.Token()
	return m, err
}

func (t *treeReader) items(path string, depth int) (any, error) {
	l := []any{}
	for t.dec.More() {
		v, err := t.value(fmt.Sprintf("%s[%d]", path, len(l)), depth)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	_, err := t.dec.Token()
	return l, err
}

// hasControl looks for control characters other than those allowed.
func hasControl(s, allowed string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(allowed, r)
	})
}

// compact writes a value as the one JSON text that we give it: no blanks, keys
// sorted, numbers as they were written.
func compact(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// keys gives the sorted keys of a map.
func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
