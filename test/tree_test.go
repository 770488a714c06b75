package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the project's folder as the tests see it.
const root = ".."

// read gives the text of a file of the project.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files lists the project's files that want takes, slashes in their names,
// without those of version control, test data and other modules.
func files(t *testing.T, want func(path string) bool) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if name == ".git" || name == ".cache" || name == "bin" || name == "dist" || d.Name() == "testdata" || ownModule(name, path) {
				return filepath.SkipDir
			}
			return nil
		}
		if want(name) {
			out = append(out, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("no file found: the test looks in the wrong place")
	}
	return out
}

// ownModule says whether a folder below the project's is another Go module.
func ownModule(name, path string) bool {
	if name == "." {
		return false
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil
}

// withSuffix takes files by the end of their name.
func withSuffix(ends ...string) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(path, end) })
	}
}
