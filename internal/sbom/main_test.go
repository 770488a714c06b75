package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The test's own binary is a Go program like any other.
func TestWrite(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "program")
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := write(copied); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(copied + ".cdx.json"); err != nil {
		t.Fatal(err)
	}
	var b bill
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Metadata.Component.Name != "program" || len(b.Components) == 0 || b.Components[0].Name != "std" ||
		!strings.HasPrefix(b.Components[0].PURL, "pkg:golang/std@1.") {
		t.Errorf("%s", text)
	}
	if err := write(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("write() of no program = nil")
	}
	if got := purl("a/b", "v1.0.0+incompatible"); got != "pkg:golang/a/b@v1.0.0%2Bincompatible" {
		t.Errorf("purl() = %s", got)
	}
}
