package tools

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// minRedact is the length from which on a secret is looked for: a shorter one
// stands in every other word, and marking it there would give it away.
const minRedact = 6

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
		return check.CommandFunc(func(ctx context.Context, run check.Run) (check.Result, error) {
			res, err := cmd.Run(ctx, run)
			for _, name := range names {
				res, err = t.Secrets.redact(name, res, err)
			}
			return res, err
		}), nil
	}
}

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

// formsOf lists how a value may stand in a text: as it is, in hex, and the part
// of its base64 that does not depend on what stands beside it.
func formsOf(value string) []string {
	if len(value) < minRedact {
		return nil
	}
	lower := hex.EncodeToString([]byte(value))
	forms := []string{value, lower, strings.ToUpper(lower)}
	for skip := range 3 {
		part := value[skip:]
		part = part[:len(part)/3*3]
		if len(part) < minRedact {
			continue
		}
		std := base64.StdEncoding.EncodeToString([]byte(part))
		forms = append(forms, std)
		if url := base64.URLEncoding.EncodeToString([]byte(part)); url != std {
			forms = append(forms, url)
		}
	}
	return forms
}
