package statsd

import (
	"fmt"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// template is a text with fields of the event's check between braces: {id},
// {zone}, {command}, {labels.x}, {meta.x} or {meta.x.y}.
type template []part

// part is a literal text, or a field when path is not empty.
type part struct {
	text string
	path []string
}

// parseTemplate reads a template; literals must be fit for a statsd name.
func parseTemplate(text string) (template, error) {
	var t template
	for rest := text; rest != ""; {
		literal, after, open := strings.Cut(rest, "{")
		if strings.ContainsAny(literal, "}:|@#, \t\r\n") {
			return nil, fmt.Errorf("%.64q: a name cannot have } : | @ # , or spaces", text)
		}
		if literal != "" {
			t = append(t, part{text: literal})
		}
		if !open {
			break
		}
		field, after, closed := strings.Cut(after, "}")
		p := part{path: strings.Split(field, ".")}
		if !closed || !p.known() {
			return nil, fmt.Errorf("%.64q: {%.32s}, want {id}, {zone}, {command}, {labels.NAME} or {meta.NAME}", text, field)
		}
		t = append(t, p)
		rest = after
	}
	return t, nil
}

func (p part) known() bool {
	switch p.path[0] {
	case "id", "zone", "command":
		return len(p.path) == 1
	case "labels":
		return len(p.path) > 1 && p.path[1] != ""
	case "meta":
		for _, name := range p.path {
			if name == "" {
				return false
			}
		}
		return len(p.path) > 1
	}
	return false
}

// appendTo appends the template with the check's values; a field that the
// check does not have is written none, and whole is then false.
func (t template) appendTo(b []byte, c *check.EventCheck) (out []byte, whole bool) {
	whole = true
	for _, p := range t {
		if p.path == nil {
			b = append(b, p.text...)
			continue
		}
		value := p.value(c)
		if value == "" {
			value, whole = "none", false
		}
		b = appendClean(b, value)
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

// appendClean appends value as one part of a name: what means something to
// statsd or to Graphite becomes an underscore, the dot too, and all that is no
// printable ASCII.
func appendClean(b []byte, value string) []byte {
	const limit = 128 // bytes of a value; ids are no longer
	for i := range min(len(value), limit) {
		switch c := value[i]; {
		case c <= ' ' || c >= 0x7f, strings.IndexByte(".:|@#,/\\{}*?\"';()[]<>", c) >= 0:
			b = append(b, '_')
		default:
			b = append(b, c)
		}
	}
	return b
}
