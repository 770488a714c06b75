package tools

import "github.com/redpoll/redpoll/pkg/check"

// Secret is a reference to a secret in a check's params; Tools.Secret resolves
// it, at the time of the run.
type Secret = check.Secret
