package tools

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// Redacting gives a factory whose commands never say a secret that their params
// name: targets say back what they were told, in error messages, in pages, as
// the name of an interface. It is found in texts and errors as it is, in hex
// and in base64; a target that wants to hide it from this can.
func (t Tools) Redacting(factory check.CommandFactory) check.CommandFactory {
	if t.Secrets == nil {
		return factory
	}
	return func(params json.RawMessage) (check.Command, error) {
		cmd, err := factory(params)
		names := references(params)
		if err != nil || cmd == nil || len(names) == 0 {
			return cmd, err
		}
		redacting := check.CommandFunc(func(ctx context.Context, run check.Run) (check.Result, error) {
			res, err := cmd.Run(ctx, run)
			for _, name := range names {
				res, err = t.Secrets.redact(name, res, err)
			}
			return res, err
		})
		if t, ok := cmd.(check.Targeted); ok {
			return targeted{redacting, t.Target}, nil
		}
		return redacting, nil
	}
}

// targeted is a command that still knows its target.
type targeted struct {
	check.CommandFunc
	target func() string
}

// Target is that of the command within.
func (t targeted) Target() string { return t.target() }

// references lists the secrets that params name.
func references(params json.RawMessage) []string {
	var tree any
	if !strings.Contains(string(params), `"secret"`) || json.Unmarshal(params, &tree) != nil {
		return nil
	}
	seen := map[string]bool{}
	var names []string
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				look(e)
			}
		case map[string]any:
			if name, ok := v["secret"].(string); ok && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
			for _, e := range v {
				look(e)
			}
		}
	}
	look(tree)
	return names
}

// redact takes the value of a secret that was handed out from a result and an
// error.
func (s *Secrets) redact(name string, res check.Result, err error) (check.Result, error) {
	s.mu.Lock()
	l := s.read[name] // kept for as long as the value was in use
	s.mu.Unlock()
	if len(l.forms) == 0 {
		return res, err
	}
	mark := "(secret " + name + ")"
	res.Text = l.hide(res.Text, mark)
	for i := range res.Metrics {
		m := &res.Metrics[i]
		m.Name, m.Str = l.hide(m.Name, mark), l.hide(m.Str, mark)
	}
	if err != nil {
		if text := err.Error(); l.hide(text, mark) != text {
			err = &redactedError{l.hide(text, mark), err}
		}
	}
	return res, err
}

// hide puts mark for the forms of the secret in text.
func (l *loaded) hide(text, mark string) string {
	for _, form := range l.forms {
		if strings.Contains(text, form) {
			text = strings.ReplaceAll(text, form, mark)
		}
	}
	return text
}

// redactedError is an error whose text has no secret.
type redactedError struct {
	text string
	err  error
}

// Error gives the text.
func (e *redactedError) Error() string { return e.text }

// Unwrap gives the error that it was, for errors.Is and errors.As.
func (e *redactedError) Unwrap() error { return e.err }
