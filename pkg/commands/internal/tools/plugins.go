package tools

import "github.com/redpoll/redpoll/pkg/commands/internal/plugins"

// Plugins are the programs that the operator lets checks run.
type Plugins = plugins.Plugins

// OpenPlugins reads the worker's list of programs, plugins.yaml. All faults
// are reported at once.
func OpenPlugins(file string) (*Plugins, error) { return plugins.Open(file) }
