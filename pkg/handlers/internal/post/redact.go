package post

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

const maxError = 512 // bytes of an error's text

// hider puts marks for the secrets of one request. The zero value knows none.
type hider struct{ known []hidden }

// hidden is one way in which a secret may stand in a text.
type hidden struct{ form, mark string }

// add makes a secret known.
func (h *hider) add(name, value string) {
	mark := "(secret " + name + ")"
	forms := check.SecretForms(value)
	if len(forms) == 0 {
		return
	}
	quoted, _ := json.Marshal(value)
	forms = append(forms, url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`))
	for _, form := range forms {
		h.known = append(h.known, hidden{form, mark})
	}
}

func (h *hider) text(s string) string {
	for _, k := range h.known {
		s = strings.ReplaceAll(s, k.form, k.mark)
	}
	return s
}

// error gives err, or one with its text cleaned and err inside. What a server
// sent instead of HTTP is quoted by net/http in full, so that it is cut too.
func (h *hider) error(err error) error {
	clean := h.text(err.Error())
	if len(clean) > maxError {
		clean = clean[:maxError] + "..."
	}
	if clean != err.Error() {
		return &cleaned{strings.ToValidUTF8(clean, ""), err}
	}
	return err
}

// cleaned is an error whose text has no secret.
type cleaned struct {
	text string
	err  error
}

// Error gives the text.
func (e *cleaned) Error() string { return e.text }

// Unwrap gives the error that it was, for errors.Is and errors.As.
func (e *cleaned) Unwrap() error { return e.err }
