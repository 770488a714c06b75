// Package bintest builds the programs of this project for the tests of a
// package.
package bintest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Main is for a TestMain: it builds the programs of cmd/, puts them into PATH,
// runs the tests and gives the exit code.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "redpoll-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir, "github.com/redpoll/redpoll/cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
