package check

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Typed makes a CommandFactory of a constructor: params are read over a copy
// of the defaults (see Decode) and given to build.
func Typed[P any](defaults P, build func(P) (Command, error)) CommandFactory {
	return func(params json.RawMessage) (Command, error) {
		p := defaults
		if err := Decode(params, &p); err != nil {
			return nil, err
		}
		return build(p)
	}
}

// TypedHandler is Typed for handlers and their settings.
func TypedHandler[P any](defaults P, build func(P) (Handler, error)) HandlerFactory {
	return func(settings json.RawMessage) (Handler, error) {
		p := defaults
		if err := Decode(settings, &p); err != nil {
			return nil, err
		}
		return build(p)
	}
}

// UnknownNameError says that there is no command or handler type of a name.
type UnknownNameError struct {
	What string // "command" or "handler type"
	Name string
	// Nearest is the known name most like Name, or empty.
	Nearest string
	Known   []string // sorted
}

// Error names the nearest and all known names.
func (e *UnknownNameError) Error() string {
	text, mark := fmt.Sprintf("%s: there is no %s", e.What, quoteShort(e.Name)), ";"
	if e.Nearest != "" {
		text, mark = text+", did you mean "+e.Nearest+"?", ""
	}
	if len(e.Known) > 0 {
		text += mark + " known: " + strings.Join(e.Known, ", ")
	}
	return text
}

// Names gives the sorted names of the commands.
func (c Commands) Names() []string { return keys(c) }

// Build makes the command of a name. The error is an *UnknownNameError, or
// what is wrong with params, fields named from the spec's top (params.host).
func (c Commands) Build(name string, params json.RawMessage) (Command, error) {
	factory, ok := c[name]
	if !ok {
		return nil, unknownName("command", name, c.Names())
	}
	cmd, err := factory(params)
	if err != nil {
		return nil, withPrefix("params", err)
	}
	return cmd, nil
}

// Names gives the sorted names of the handler types.
func (h Handlers) Names() []string { return keys(h) }

// Build makes a handler of a type.
func (h Handlers) Build(kind string, settings json.RawMessage) (Handler, error) {
	factory, ok := h[kind]
	if !ok {
		return nil, unknownName("handler type", kind, h.Names())
	}
	return factory(settings)
}

func unknownName(what, name string, known []string) error {
	return &UnknownNameError{What: what, Name: name, Nearest: Nearest(name, known), Known: known}
}
