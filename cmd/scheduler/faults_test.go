package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/daemon"
)

// All faults are told at once, those of the address of Redis too.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &daemon.Process{
		Name: "scheduler", Args: []string{"-log-level", "loud", "-redis", "gopher://192.0.2.1/"},
		LookupEnv: func(string) (string, bool) { return "", false }, Stdout: &out, Stderr: &out,
	}
	code := daemon.Exec(context.Background(), p, run, nil)
	if text := out.String(); code != 2 || !strings.Contains(text, "-log-level") || !strings.Contains(text, "gopher") {
		t.Errorf("exit %d, want 2 and both faults:\n%s", code, text)
	}
}
