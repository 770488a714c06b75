package system

import (
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/proctest"
)

// target is what the checks connect to.
type target struct {
	*proctest.Target
	port int
}

func serveTarget(t testing.TB) *target {
	t.Helper()
	g := proctest.ServeTarget(t)
	return &target{g, g.Port}
}

func (g *target) holdAll(d time.Duration)                   { g.HoldAll(d) }
func (g *target) holdOne(id string, d time.Duration)        { g.HoldOne(id, d) }
func (g *target) of(id string) []proctest.Arrival           { return g.Of(id) }
func (g *target) since(id string, from time.Time) int       { return g.Since(id, from) }
func (g *target) first(id string, from time.Time) time.Time { return g.First(id, from) }
func (g *target) waiting() int                              { return g.Waiting("") }
func (g *target) visitors(prefix string) int                { return g.Waiting(prefix) }
func (g *target) cuts() int                                 { return g.Cuts() }
