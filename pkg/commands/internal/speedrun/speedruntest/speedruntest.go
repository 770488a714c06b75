// Package speedruntest puts a script in the place of a speed test's program.
package speedruntest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// List makes a worker's list of programs, in which name is a shell script. The
// script may read the files of testdata in $DATA.
func List(t *testing.T, name, script string) *tools.Plugins {
	t.Helper()
	dir := peertest.Dir(t)
	samples, err := filepath.Glob("testdata/*.json")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, sample := range samples {
		text, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		peertest.Write(t, dir, filepath.Base(sample), string(text))
	}
	path := peertest.Write(t, dir, "program", fmt.Sprintf("#!/bin/sh\nDATA=%s\n%s\n", dir, script))
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "plugins.yaml")
	if err := os.WriteFile(list, []byte(fmt.Sprintf("%s: {path: %s, limits: {processes: 4000}}\n", name, path)), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := tools.OpenPlugins(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Run makes one run.
func Run(t *testing.T, factory check.CommandFactory, params string) (check.Result, error) {
	t.Helper()
	cmd, err := factory([]byte(params))
	if err != nil {
		t.Fatalf("params %s: %v", params, err)
	}
	return cmd.Run(t.Context(), check.Run{})
}

// Show writes metrics as name=value, in their order.
func Show(ms []check.Metric) string {
	var parts []string
	for _, m := range ms {
		parts = append(parts, fmt.Sprintf("%s=%.10g", m.Name, m.Value))
	}
	return strings.Join(parts, " ")
}
