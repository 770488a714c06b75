package plugins

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

// MaxValue is the longest value of an argument, bytes.
const MaxValue = 1024

// arg says what may be filled in for one placeholder.
type arg struct {
	match    *regexp.Regexp // of the whole value
	fallback *string        // when the check names none; nil: it must
	target   bool           // the value is a host that the guard has to let pass
}

// element is one argument of the program: literal texts and placeholders in
// turn, beginning and ending with a text.
type element struct {
	texts []string
	names []string // one fewer
}

var (
	placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)
	negative    = regexp.MustCompile(`^-[0-9.]+$`)
)

// parseElement reads {name} as a placeholder, {{ and }} as braces.
func parseElement(text string) (element, error) {
	var e element
	literal := func(s string) error {
		s = strings.NewReplacer("{{", "\x00", "}}", "\x01").Replace(s)
		if strings.ContainsAny(s, "{}") {
			return fmt.Errorf("%q: want {name} for a placeholder, {{ and }} for braces", text)
		}
		e.texts = append(e.texts, strings.NewReplacer("\x00", "{", "\x01", "}").Replace(s))
		return nil
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return e, fmt.Errorf("%q: control characters", text)
	}
	end := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if m[0] > 0 && text[m[0]-1] == '{' && m[1] < len(text) && text[m[1]] == '}' {
			continue // {{name}}: braces
		}
		if err := literal(text[end:m[0]]); err != nil {
			return e, err
		}
		e.names = append(e.names, text[m[2]:m[3]])
		end = m[1]
	}
	return e, literal(text[end:])
}

// Argv fills the template with values. What is wrong is a *check.FieldError
// of the argument's name.
func (p *Program) Argv(values map[string]string) ([]string, error) {
	for name := range values {
		if _, ok := p.args[name]; !ok {
			return nil, &check.FieldError{Field: "args." + name, Msg: "the plugin has no such argument"}
		}
	}
	argv := make([]string, 0, len(p.argv))
	for _, e := range p.argv {
		var b strings.Builder
		b.WriteString(e.texts[0])
		for i, name := range e.names {
			value, err := p.value(name, values)
			if err == nil && b.Len() == 0 && strings.HasPrefix(value, "-") && !negative.MatchString(value) {
				err = fmt.Errorf("%.64q would be an option", value)
			}
			if err != nil {
				return nil, &check.FieldError{Field: "args." + name, Msg: err.Error()}
			}
			b.WriteString(value)
			b.WriteString(e.texts[i+1])
		}
		argv = append(argv, b.String())
	}
	return argv, nil
}

// value gives what stands for a placeholder.
func (p *Program) value(name string, values map[string]string) (string, error) {
	a := p.args[name]
	value, ok := values[name]
	if !ok {
		if a.fallback == nil {
			return "", fmt.Errorf("is needed")
		}
		return *a.fallback, nil
	}
	if err := CheckValue(value); err != nil {
		return "", err
	}
	if !a.match.MatchString(value) {
		return "", fmt.Errorf("%.64q: want a match of %s", value, a.match)
	}
	return value, nil
}

// CheckValue refuses what no argument may have, whatever its regular
// expression says: a newline, for one, has been a way around such lists.
func CheckValue(value string) error {
	if len(value) > MaxValue || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return fmt.Errorf("want at most %d bytes of UTF-8 without control characters", MaxValue)
	}
	return nil
}

// Targets gives the values that are hosts, for the guard to look at.
func (p *Program) Targets(values map[string]string) []string {
	var hosts []string
	for name, a := range p.args {
		if !a.target {
			continue
		}
		if value, ok := values[name]; ok {
			hosts = append(hosts, value)
		} else if a.fallback != nil {
			hosts = append(hosts, *a.fallback)
		}
	}
	return hosts
}
