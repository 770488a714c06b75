// Package tmpl renders texts about events by templates of an operator's: Go's
// text/template over Data, with a few functions, bounded output, and values
// that cannot leave the JSON string they stand in. A template that is wrong is
// found when it is parsed: it is tried over samples of every kind of event.
package tmpl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/redpoll/redpoll/pkg/check"
)

// MaxSource bounds the text of a template, bytes.
const MaxSource = 64 << 10

// Kind says what a template makes.
type Kind int

// The kinds of templates.
const (
	// Text is any text.
	Text Kind = iota
	// JSON is one JSON value. What is not written by json or quote is escaped to
	// stand between quotes of the template.
	JSON
)

// Template is a template that was tried. It is safe for concurrent use.
type Template struct {
	t     *template.Template
	kind  Kind
	limit int
}

// Parse reads the template of a setting. limit bounds what it makes, bytes.
// The error is a *check.FieldError.
func Parse(setting, source string, kind Kind, limit int) (*Template, error) {
	t, err := compile(source, kind, limit)
	if err == nil {
		err = t.try()
	}
	if err != nil {
		return nil, &check.FieldError{Field: setting, Msg: err.Error()}
	}
	return t, nil
}

func compile(source string, kind Kind, limit int) (*Template, error) {
	if len(source) > MaxSource {
		return nil, fmt.Errorf("a template of %d bytes, want at most %d", len(source), MaxSource)
	}
	t, err := template.New("template").Option("missingkey=zero").Funcs(functions).Parse(source)
	if err != nil {
		return nil, shorten(err)
	}
	if kind == JSON {
		for _, part := range t.Templates() {
			if part.Tree != nil {
				escapeList(part.Tree.Root)
			}
		}
	}
	return &Template{t: t, kind: kind, limit: limit}, nil
}

// try renders each sample.
func (t *Template) try() error {
	for _, d := range Samples() {
		if _, err := t.Render(d); err != nil {
			return fmt.Errorf("with a sample (%s %s): %w", d.Change, d.State, err)
		}
	}
	return nil
}

// Render gives the text for d. With a template that was tried there is an error
// when the text is over the limit or no JSON, or when a value was not what the
// template took it for: no repetition mends that.
func (t *Template) Render(d *Data) (string, error) {
	w := writer{left: t.limit}
	if err := t.t.Execute(&w, d); err != nil {
		return "", shorten(err)
	}
	text := w.b.String()
	if t.kind == JSON && !json.Valid([]byte(text)) {
		return "", fmt.Errorf("makes no valid JSON: %s", jsonFault(text))
	}
	return text, nil
}

// jsonFault says where a text stops being JSON.
func jsonFault(text string) string {
	err := json.Unmarshal([]byte(text), new(any))
	var syntax *json.SyntaxError
	at := 0
	if errors.As(err, &syntax) {
		at = min(int(syntax.Offset), len(text))
	}
	return fmt.Sprintf("%v after %.80q", err, strings.ToValidUTF8(text[max(at-60, 0):at], ""))
}

// shorten takes the package's own words from its errors, and bounds what is
// left: it may quote a value.
func shorten(err error) error {
	var exec template.ExecError
	if errors.As(err, &exec) && errors.Is(exec.Err, errTooLong) {
		return errTooLong
	}
	text := strings.TrimPrefix(err.Error(), "template: ")
	if len(text) > 400 {
		text = text[:400] + "..."
	}
	return errors.New(strings.ToValidUTF8(text, ""))
}

var errTooLong = errors.New("makes a text that is too long")

// writer takes what has room.
type writer struct {
	b    strings.Builder
	left int
}

func (w *writer) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, errTooLong
	}
	w.left -= len(p)
	return w.b.Write(p)
}
