package commands

import "github.com/redpoll/redpoll/pkg/commands/internal/tools"

// Tools are what a worker lends its commands: a Guard that denies targets,
// Secrets, and Plugins that may run. Commands of your own may use them too: Dialer, Resolve, Secret.
type Tools = tools.Tools

// Guard decides which addresses checks may reach.
type Guard = tools.Guard

// DeniedError says that a target is on the worker's deny list.
type DeniedError = tools.DeniedError

// Secrets is a directory of secrets with a list of targets for each.
type Secrets = tools.Secrets

// Secret is a reference to a secret in a command's params.
type Secret = tools.Secret

// NewGuard denies the default targets and the CIDRs that are given; one with a
// leading ! is let through.
func NewGuard(cidrs []string) (*Guard, error) { return tools.NewGuard(cidrs) }

// OpenSecrets uses the directory dir: file name = name of the secret,
// name.targets beside it = the hosts that it may be sent to.
func OpenSecrets(dir string) (*Secrets, error) { return tools.OpenSecrets(dir) }

// Plugins are the programs that the operator lets checks run.
type Plugins = tools.Plugins

// OpenPlugins reads the worker's list of programs, plugins.yaml; see
// docs/commands/plugin.md. All faults are reported at once.
func OpenPlugins(file string) (*Plugins, error) { return tools.OpenPlugins(file) }
