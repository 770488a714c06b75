package daemon

import (
	"fmt"
	"io"
	"strings"
)

// readArgs takes the arguments apart and reports whether help was asked for.
// It goes on after a fault, so that all are seen at once, which the flag
// package does not do.
func (s *Settings) readArgs() (help bool) {
	args := s.p.Args
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' {
			s.faults = append(s.faults, fmt.Sprintf("argument %q: want a setting with a dash", arg))
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if name == "h" || name == "help" {
			return true
		}
		st := s.byName[name]
		switch {
		case st == nil:
			s.faults = append(s.faults, fmt.Sprintf("-%s: there is no such setting", name))
			if !given && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:] // its value, most likely
			}
			continue
		case given:
		case st.boolean:
			value = "true"
		case len(args) == 0:
			s.faults = append(s.faults, fmt.Sprintf("-%s: its value is missing", name))
			continue
		default:
			value, args = args[0], args[1:]
		}
		st.flag = &value
	}
	return false
}

// printHelp lists every setting with its unit, default and variable.
func (s *Settings) printHelp(w io.Writer) {
	fmt.Fprintf(w, "%s %s.\n\nA flag wins over its environment variable, the variable over the default.\n\n", s.p.Name, s.about)
	for _, st := range s.list {
		head := "-" + st.name
		if st.unit != "" {
			head += " " + st.unit
		}
		env := st.env()
		if st.secret {
			env += " or " + env + "_FILE"
		}
		def := st.def
		if def == "" {
			def = "none"
		}
		fmt.Fprintf(w, "  %s\n        %s\n        (default %s, environment %s)\n", head, st.usage, def, env)
	}
}
