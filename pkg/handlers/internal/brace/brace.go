// Package brace is texts with fields of a check between braces: {id}, {zone},
// {command}, {labels.x}, {meta.x} or {meta.x.y}, and those that a handler adds.
package brace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// None is written for a field that the check does not have.
const None = "none"

// Rules are what a kind of text may have.
type Rules struct {
	// Literal says whether a byte may stand outside of braces. Those of braces
	// never may.
	Literal func(c byte) bool
	// Want says so in errors: "a name cannot have spaces".
	Want string
	// Clean says that literals are written as values are, by clean; see Append.
	Clean bool
	// Fields are more fields than those of a check.
	Fields []string
}

// Template is a text that was read. The zero Template is the empty text.
type Template struct {
	parts []part
	rules Rules
}

// part is a literal text, or a field when path is not empty.
type part struct {
	text string
	path []string
}

// Parse reads a text.
func Parse(text string, rules Rules) (Template, error) {
	t := Template{rules: rules}
	for rest := text; rest != ""; {
		literal, after, open := strings.Cut(rest, "{")
		for i := range len(literal) {
			if literal[i] == '}' || !rules.Literal(literal[i]) {
				return Template{}, fmt.Errorf("%.64q: %s", text, rules.Want)
			}
		}
		if literal != "" {
			t.parts = append(t.parts, part{text: literal})
		}
		if !open {
			break
		}
		field, after, closed := strings.Cut(after, "}")
		p := part{path: strings.Split(field, ".")}
		if !closed || !p.known() && !slices.Contains(rules.Fields, field) {
			return Template{}, fmt.Errorf("%.64q: {%.32s}, want %s", text, field, rules.known())
		}
		t.parts = append(t.parts, p)
		rest = after
	}
	return t, nil
}

// known lists the fields that a text may have.
func (r Rules) known() string {
	text := "{id}, {zone}, {command}, "
	for _, name := range r.Fields {
		text += "{" + name + "}, "
	}
	return text + "{labels.NAME} or {meta.NAME}"
}

func (p part) known() bool {
	switch p.path[0] {
	case "id", "zone", "command":
		return len(p.path) == 1
	case "labels":
		return len(p.path) > 1 && p.path[1] != ""
	case "meta":
		return len(p.path) > 1 && !slices.Contains(p.path, "")
	}
	return false
}

// Has says whether a field is in the text.
func (t Template) Has(field string) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.path != nil && strings.Join(p.path, ".") == field })
}

// Append appends the text with a check's values, each as clean writes it; more
// are the values of the Rules' Fields, in their order. A field without a value
// is written None, and whole is then false.
func (t Template) Append(b []byte, c *check.EventCheck, clean func(b []byte, value string) []byte, more ...string) (out []byte, whole bool) {
	whole = true
	for _, p := range t.parts {
		switch {
		case p.path == nil && t.rules.Clean:
			b = clean(b, p.text)
			continue
		case p.path == nil:
			b = append(b, p.text...)
			continue
		}
		value := ""
		if i := slices.Index(t.rules.Fields, p.path[0]); i >= 0 && i < len(more) {
			value = more[i]
		} else {
			value = p.value(c)
		}
		if value == "" {
			value, whole = None, false
		}
		b = clean(b, value)
	}
	return b, whole
}

func (p part) value(c *check.EventCheck) string {
	switch p.path[0] {
	case "id":
		return c.ID
	case "zone":
		return c.Zone
	case "command":
		return c.Command
	case "labels":
		if len(p.path) == 2 {
			return c.Labels[p.path[1]]
		}
		return c.Labels[strings.Join(p.path[1:], ".")]
	}
	var v any = c.Meta
	for _, name := range p.path[1:] {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[name]
	}
	switch v := v.(type) {
	case nil, map[string]any, []any:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
