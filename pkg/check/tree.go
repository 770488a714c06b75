package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	if !json.Valid(text) {
		return nil, notValid(text)
	}
	t := treeReader{text: text}
	v, err := t.value("", 0)
	if err != nil {
		return nil, err
	}
	return v, t.faults.err()
}

// notValid says where a text stops being JSON.
func notValid(text []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fieldErr("", fmt.Sprintf("not valid JSON at byte %d: %s", syntax.Offset, syntax))
	}
	return fieldErr("", fmt.Sprintf("not valid JSON: %v", err))
}

// treeReader reads a text that encoding/json has found valid. Its own Decoder
// would do, at five times the cost: workers and schedulers read all specs.
type treeReader struct {
	text []byte
	pos  int
	faults
}

// peek gives the next byte that is no blank, 0 at the end.
func (t *treeReader) peek() byte {
	for ; t.pos < len(t.text); t.pos++ {
		switch c := t.text[t.pos]; c {
		case ' ', '\t', '\r', '\n', ',', ':': // where commas and colons stand has been seen to
		default:
			return c
		}
	}
	return 0
}

func (t *treeReader) value(path string, depth int) (any, error) {
	switch c := t.peek(); c {
	case '{', '[':
		if depth >= maxDepth {
			return nil, fieldErr(path, fmt.Sprintf("nests deeper than %d", maxDepth))
		}
		t.pos++
		if c == '{' {
			return t.object(path, depth+1)
		}
		return t.items(path, depth+1)
	case '"':
		s, err := t.str(path)
		if err == nil && hasControl(s, "\t\r\n") {
			t.addf(path, "%s: control characters are not allowed", quoteShort(s))
		}
		return s, err
	}
	switch word := t.word(); word {
	case "true", "false":
		return word == "true", nil
	case "null":
		return nil, nil
	default:
		return json.Number(word), nil
	}
}

// word reads a number, true, false or null.
func (t *treeReader) word() string {
	start := t.pos
	for t.pos < len(t.text) && !strings.ContainsRune(" \t\r\n,:]}", rune(t.text[t.pos])) {
		t.pos++
	}
	return string(t.text[start:t.pos])
}

// str reads a text with its quotes.
func (t *treeReader) str(path string) (string, error) {
	start, escaped := t.pos, false
	for t.pos++; t.pos < len(t.text) && t.text[t.pos] != '"'; t.pos++ {
		if t.text[t.pos] == '\\' {
			escaped = true
			t.pos++
		}
	}
	t.pos = min(t.pos+1, len(t.text))
	raw := t.text[start:t.pos]
	if !escaped && len(raw) > 1 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fieldErr(path, "not a valid JSON string: "+err.Error())
	}
	return s, nil
}

func (t *treeReader) object(path string, depth int) (any, error) {
	m := map[string]any{}
	for t.peek() == '"' {
		key, err := t.str(path)
		if err != nil {
			return nil, err
		}
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
	t.pos++ // the brace
	return m, nil
}

func (t *treeReader) items(path string, depth int) (any, error) {
	l := []any{}
	for c := t.peek(); c != ']' && c != 0; c = t.peek() {
		v, err := t.value(path+"["+strconv.Itoa(len(l))+"]", depth)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	t.pos++ // the bracket
	return l, nil
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
