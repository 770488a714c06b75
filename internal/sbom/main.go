// Command sbom writes what a Go program is built of, a bill of materials in
// CycloneDX 1.5, beside the program: bin/worker.cdx.json. What it tells is what
// the linker wrote into the program itself.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// bill is the part of CycloneDX that is used here.
type bill struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM...")
		os.Exit(2)
	}
	for _, program := range os.Args[1:] {
		if strings.HasSuffix(program, ".json") {
			continue // written by an earlier call
		}
		if err := write(program); err != nil {
			fmt.Fprintf(os.Stderr, "sbom: %s: %v\n", program, err)
			os.Exit(1)
		}
	}
}

func write(program string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(billOf(filepath.Base(program), info), "", "  ")
	if err != nil {
		return err
	}
	file := program + ".cdx.json"
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Println(file)
	return nil
}

// billOf lists the modules of a program, and the Go release that built it.
func billOf(name string, info *debug.BuildInfo) bill {
	b := bill{Format: "CycloneDX", Spec: "1.5", Version: 1}
	b.Metadata.Component = component{Type: "application", Name: name, Version: info.Main.Version, PURL: purl(info.Main.Path, info.Main.Version)}
	for _, s := range info.Settings {
		if slices.Contains([]string{"vcs.revision", "vcs.modified", "CGO_ENABLED", "GOOS", "GOARCH", "-tags"}, s.Key) {
			b.Metadata.Component.Properties = append(b.Metadata.Component.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	release := strings.TrimPrefix(info.GoVersion, "go")
	b.Components = []component{{Type: "library", Name: "std", Version: release, PURL: purl("std", release)}}
	for _, m := range info.Deps {
		for m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version)}
		if m.Sum != "" {
			c.Properties = []property{{"go:h1", m.Sum}}
		}
		b.Components = append(b.Components, c)
	}
	return b
}

// purl is a module's name in package URLs.
func purl(path, version string) string {
	if version == "" || version == "(devel)" {
		return "pkg:golang/" + path
	}
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}
