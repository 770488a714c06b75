package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// How long things may be before they are refused. People aim at less:
// CONTRIBUTING.md.
const (
	maxFile     = 500
	maxFunction = 80
	maxMain     = 60 // main.go of a command
)

// TestShape: files and functions stay short enough to be read, and nothing
// works by side effect of an import.
func TestShape(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, withSuffix(".go")) {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		limit := maxFile
		if strings.HasPrefix(file, "cmd/") && strings.HasSuffix(file, "/main.go") {
			limit = maxMain
		}
		if lines := set.File(f.Pos()).LineCount(); lines > limit {
			t.Errorf("%s has %d lines, want at most %d", file, lines, limit)
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; lines > maxFunction {
				t.Errorf("%s: %s has %d lines, want at most %d", set.Position(fn.Pos()), fn.Name.Name, lines, maxFunction)
			}
			if fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: init(): say it in a constructor", set.Position(fn.Pos()))
			}
		}
	}
}

// TestEveryPackageSaysWhatItIs demands a package comment.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, file := range files(t, withSuffix(".go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(file)
		said[folder] = said[folder] || f.Doc != nil
	}
	for folder, ok := range said {
		if !ok {
			t.Errorf("%s has no package comment", folder)
		}
	}
}

// TestNoSleepInTests: a test waits for the thing itself, with a limit.
func TestNoSleepInTests(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, withSuffix("_test.go")) {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		synthetic := strings.Contains(strings.Join(imports(t, file), " "), "testing/synctest")
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Sleep" || synthetic { // time in a bubble costs nothing
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				t.Errorf("%s: time.Sleep in a test: wait for the thing itself", set.Position(sel.Pos()))
			}
			return true
		})
	}
}
