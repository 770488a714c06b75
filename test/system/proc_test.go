package system

import (
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/proctest"
)

// proc is a daemon that runs as a process.
type proc struct{ *proctest.Proc }

// start starts a process, which ends with the test at the latest.
func start(t testing.TB, name string, args ...string) *proc {
	t.Helper()
	return &proc{proctest.Start(t, name, args...)}
}

func (p *proc) again() *proc                { return &proc{p.Again()} }
func (p *proc) kill()                       { p.Kill() }
func (p *proc) signal(s syscall.Signal)     { p.Signal(s) }
func (p *proc) stop() time.Duration         { return p.Stop() }
func (p *proc) alive() bool                 { return p.Alive() }
func (p *proc) ready() error                { return p.Ready() }
func (p *proc) metric(name string) float64  { return p.Metric(name) }
func (p *proc) repairs(into map[string]int) { p.Repairs(into) }
