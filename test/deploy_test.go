package test

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/handlers"
)

// TestFilesOfDeploy: what the manifests hand to the programs is what they take.
// All else about deploy is tested in the module test/deploy.
func TestFilesOfDeploy(t *testing.T) {
	t.Parallel()
	const handlersFile = "deploy/kustomize/base/handlers.yaml"
	entries, err := daemon.ParseHandlers(handlersFile, []byte(read(t, handlersFile)), handlers.Builtin())
	if err != nil || len(entries) == 0 {
		t.Errorf("%s: %d handlers, %v", handlersFile, len(entries), err)
	}
	code, out, errs := redpoll(t, "apply", "-f", root+"/deploy/kustomize/overlays/demo/checks.yaml", "--dry-run")
	if code != 0 || strings.Count(out, "XADD") < 3 {
		t.Errorf("the checks of the demo: apply ends with %d: %s%s", code, out, errs)
	}
}
