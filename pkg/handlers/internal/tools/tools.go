// Package tools holds what a worker lends its handlers.
package tools

import (
	"fmt"
	"log/slog"

	"github.com/redpoll/redpoll/pkg/check"
)

// Secrets gives the values of secrets.
type Secrets interface {
	// Lookup gives the value of the secret name if it may be sent to target, a
	// host name or an address. Its error never holds the value.
	Lookup(name, target string) (string, error)
}

// Tools are a worker's tools.
type Tools struct {
	// Log is where the log handler writes, and outputs tell of trouble; nil means
	// text on standard error.
	Log *slog.Logger
	// Secrets resolves references to secrets; nil means that there are none.
	Secrets Secrets
}

// Secret gives the value that s names, if it may be sent to target. Values may
// change while the worker runs: ask again for each use.
func (t Tools) Secret(s check.Secret, target string) (string, error) {
	if s.IsZero() {
		return "", fmt.Errorf("secret: no name given")
	}
	if t.Secrets == nil {
		return "", fmt.Errorf("secret %s: this worker has no directory of secrets (-secrets)", s.Name)
	}
	return t.Secrets.Lookup(s.Name, target)
}

// Named gives the log of an output: the type of the handler and where it sends.
func (t Tools) Named(kind, target string) *slog.Logger {
	if t.Log == nil {
		return nil
	}
	return t.Log.With("type", kind, "target", target)
}
