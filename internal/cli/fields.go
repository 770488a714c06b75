package cli

import (
	"fmt"
	"strings"
)

// field is one field of an intake request.
type field struct{ name, value string }

// fields are an intake request in the order in which they are sent.
type fields []field

// with appends a field unless its value is empty.
func (f fields) with(name, value string) fields {
	if value == "" {
		return f
	}
	return append(f, field{name, value})
}

// flat gives the fields as arguments of XADD.
func (f fields) flat() []string {
	out := make([]string, 0, 2*len(f))
	for _, x := range f {
		out = append(out, x.name, x.value)
	}
	return out
}

// lookup gives the fields as the scheduler sees them.
func (f fields) lookup() map[string]string {
	m := make(map[string]string, len(f))
	for _, x := range f {
		m[x.name] = x.value
	}
	return m
}

// pairs reads arguments of the form key=value into fields named prefix.key.
// The first = parts them, so that values may hold more.
func pairs(what, prefix string, args []string) (fields, error) {
	var out fields
	seen := make(map[string]bool, len(args))
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		switch {
		case !ok:
			return nil, fmt.Errorf("%s %q: want key=value", what, arg)
		case key == "":
			return nil, fmt.Errorf("%s %q: the key is missing", what, arg)
		case strings.HasPrefix(key, ".") || strings.HasSuffix(key, ".") || strings.Contains(key, ".."):
			return nil, fmt.Errorf("%s %q: a part of the key between two dots is missing", what, arg)
		case seen[key]:
			return nil, fmt.Errorf("%s %q: given twice", what, key)
		}
		seen[key] = true
		out = append(out, field{prefix + "." + key, value})
	}
	return out, nil
}
