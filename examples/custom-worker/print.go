package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/redpoll/redpoll/pkg/check"
)

// printer is a handler that writes a line for each change of an incident.
type printer struct {
	mu  sync.Mutex // guards out: handlers serve many checks at once
	out io.Writer
}

func newPrinter(out io.Writer) *printer { return &printer{out: out} }

// Process is called with every result of the checks that name this handler, or
// that name none: it is a default one.
func (p *printer) Process(_ context.Context, ev *check.Event) error {
	if ev.Change == check.ChangeNone {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := fmt.Fprintf(p.out, "%s %s: %s %s %s\n", ev.Change, ev.Incident.ID, ev.Result.State, ev.Result.Reason, ev.Result.Text)
	return err
}
