package plugins

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// open writes text as a list and reads it.
func open(t *testing.T, text string) (*Plugins, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugins.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(path)
}

func mustOpen(t *testing.T, text string) *Plugins {
	t.Helper()
	p, err := open(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const sample = `
plugins:
  echo:
    path: /bin/echo
    argv: [-H, "{host}", "--warn={warn},{crit}", "{{literal}}", "{note}"]
    args:
      host: {match: '[a-z0-9.-]+', target: true}
      warn: '[0-9]{1,3}'
      crit: {match: '[0-9]{1,3}', default: "90"}
      note: {match: '.*', default: ""}
    timeout: 20s
    limits: {cpu: 5s, memory: 256MiB, files: 32, processes: 20}
  true: {path: /bin/true}
speedtest: {path: /bin/true, timeout: 50s}
`

func TestArgv(t *testing.T) {
	t.Parallel()
	p, err := mustOpen(t, sample).Plugin("echo")
	if err != nil {
		t.Fatal(err)
	}
	type values = map[string]string
	for _, tt := range []struct {
		name   string
		values values
		want   []string
		fault  string // the field; empty: none
	}{
		{"all", values{"host": "h", "warn": "1", "crit": "2", "note": "a b; $(c)"}, []string{"-H", "h", "--warn=1,2", "{literal}", "a b; $(c)"}, ""},
		{"defaults", values{"host": "h", "warn": "1"}, []string{"-H", "h", "--warn=1,90", "{literal}", ""}, ""},
		{"missing", values{"host": "h"}, nil, "args.warn"},
		{"unknown", values{"host": "h", "warn": "1", "command": "x"}, nil, "args.command"},
		{"no match", values{"host": "h", "warn": "1000"}, nil, "args.warn"},
		{"a match within", values{"host": "h;id", "warn": "1"}, nil, "args.host"},
		{"a newline at the end", values{"host": "h\n", "warn": "1"}, nil, "args.host"},
		{"a newline that the rule allows", values{"host": "h", "warn": "1", "note": "a\nb"}, nil, "args.note"},
		{"NUL", values{"host": "h", "warn": "1", "note": "a\x00b"}, nil, "args.note"},
		{"no UTF-8", values{"host": "h", "warn": "1", "note": "a\xffb"}, nil, "args.note"},
		{"too long", values{"host": "h", "warn": "1", "note": strings.Repeat("x", MaxValue+1)}, nil, "args.note"},
		{"an option", values{"host": "--extra-opts", "warn": "1"}, nil, "args.host"},
		{"an option that the rule allows", values{"host": "h", "warn": "1", "note": "-c"}, nil, "args.note"},
		{"a negative number", values{"host": "h", "warn": "1", "note": "-1.5"}, []string{"-H", "h", "--warn=1,90", "{literal}", "-1.5"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := p.Argv(tt.values)
			var fault *check.FieldError
			if !slices.Equal(got, tt.want) || errors.As(err, &fault) != (tt.fault != "") || fault != nil && fault.Field != tt.fault {
				t.Errorf("Argv(%q) = %q, %v, want %q and a fault in %q", tt.values, got, err, tt.want, tt.fault)
			}
		})
	}
	if got := p.Targets(values{"host": "h"}); !slices.Equal(got, []string{"h"}) {
		t.Errorf("Targets = %q, want h", got)
	}
}

func TestOpenSettings(t *testing.T) {
	t.Parallel()
	p := mustOpen(t, sample)
	echo, err := p.Plugin("echo")
	if err != nil {
		t.Fatal(err)
	}
	l := echo.limits
	if echo.Timeout != 20*time.Second || l.CPU != 5*time.Second || l.Memory != 256<<20 || l.Files != 32 || l.Processes != 20 {
		t.Errorf("echo = %+v, want what the list says", echo)
	}
	if tool := p.Tool(Speedtest); tool == nil || tool.Timeout != 50*time.Second || p.Tool(Speedtestpp) != nil {
		t.Errorf("Tool = %+v, %+v, want the first alone", tool, p.Tool(Speedtestpp))
	}
	var unknown *check.UnknownNameError
	if _, err := p.Plugin("ecko"); !errors.As(err, &unknown) || unknown.Nearest != "echo" {
		t.Errorf("Plugin(ecko) = %v, want the nearest name", err)
	}
	if _, err := mustOpen(t, "").Plugin("speedtest"); err == nil {
		t.Error("an empty list has a plugin")
	}
}

func TestOpenFaults(t *testing.T) {
	t.Parallel()
	loose := filepath.Join(t.TempDir(), "loose")
	if err := os.WriteFile(loose, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(loose, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ text, want string }{
		{"plugins: {x: {path: bin/true}}", "absolute"},
		{"plugins: {x: {path: /nonexistent/x}}", "does not exist"},
		{"plugins: {x: {path: /bin}}", "is no program"},
		{"plugins: {x: {path: /etc/passwd}}", "is no program"},
		{"plugins: {x: {path: " + loose + "}}", "changed by everybody"},
		{"plugins: {'a b': {path: /bin/true}}", "a b"},
		{"plugins: {x: {path: /bin/true, argv: ['{a}']}}", "no regular expression"},
		{"plugins: {x: {path: /bin/true, argv: ['{a'], args: {a: x}}}", "placeholder"},
		{"plugins: {x: {path: /bin/true, args: {a: x}}}", "does not stand in argv"},
		{"plugins: {x: {path: /bin/true, argv: ['{a}'], args: {a: '('}}}", "args: a"},
		{"plugins: {x: {path: /bin/true, argv: ['{a}'], args: {a: {default: b}}}}", "match is needed"},
		{"plugins: {x: {path: /bin/true, argv: ['{a}'], args: {a: {match: b, nonsense: c}}}}", "nonsense"},
		{"plugins: {x: {path: /bin/true, sha512: abc}}", "sha512"},
		{"plugins: {x: {path: /bin/true, sha512: '" + strings.Repeat("0", 128) + "'}}", "not the one in the list"},
		{"plugins: {x: {path: /bin/true, timeout: 1h}}", "timeout"},
		{"plugins: {x: {path: /bin/true, limits: {memory: lots}}}", "memory"},
		{"plugins: {x: {path: /bin/true, limits: {disk: 5}}}", "disk"},
		{"plugins: {x: {path: /bin/true, shell: true}}", "shell"},
		{"speedtest: {path: /bin/true, argv: [-f]}", "argv"},
		{"plugins: [", "plugins"},
	} {
		if _, err := open(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%s) = %v, want an error about %s", tt.text, err, tt.want)
		}
	}
	if _, err := open(t, "plugins: {x: {path: y}, z: {path: /bin/true, timeout: never}}"); err == nil || !strings.Contains(err.Error(), "absolute") || !strings.Contains(err.Error(), "never") {
		t.Errorf("Open = %v, want both faults", err)
	}
	if _, err := Open("/nonexistent/plugins.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open = %v, want os.ErrNotExist", err)
	}
}

// The sum is looked at on every run: the file may have changed since.
func TestRunVerifiesTheSum(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "script")
	write := func(text string) string {
		if err := os.WriteFile(path+".new", []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		sum := sha512.Sum512([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	sum := write("#!/bin/sh\nexit 0\n")
	p := mustOpen(t, fmt.Sprintf("plugins: {x: {path: %s, sha512: %s}}", path, sum))
	x, err := p.Plugin("x")
	if err != nil {
		t.Fatal(err)
	}
	write("#!/bin/sh\nexit 1\n")
	if out, err := p.Run(t.Context(), x, nil); err == nil || !strings.Contains(err.Error(), "sha512") {
		t.Errorf("Run of a changed program = %+v, %v, want an error about its sha512", out, err)
	}
}

func TestRunTimeout(t *testing.T) {
	t.Parallel()
	p := mustOpen(t, "plugins: {x: {path: /bin/sleep, argv: ['100'], timeout: 100ms}}")
	x, err := p.Plugin("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), x, []string{"100"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run = %v, want context.DeadlineExceeded", err)
	}
}

// Fault 9 of the ancestors: commands were shell strings made of attributes. An
// argument reaches the program as it is, whatever a shell would make of it.
func TestFault9NoShell(t *testing.T) {
	t.Parallel()
	p := mustOpen(t, "plugins: {x: {path: /bin/echo, argv: ['{note}'], args: {note: '.*'}}}")
	x, err := p.Plugin("x")
	if err != nil {
		t.Fatal(err)
	}
	const hostile = "a; echo b `id` $(id) ${HOME} | cat > /dev/null && 'c' \"d\" * ~"
	argv, err := x.Argv(map[string]string{"note": hostile})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(t.Context(), x, argv)
	if err != nil || strings.TrimSuffix(string(out.Stdout), "\n") != hostile {
		t.Errorf("Run = %+v, %v, want the program to print %q", out, err, hostile)
	}
}

func FuzzElement(f *testing.F) {
	for _, seed := range []string{"-H", "{host}", "a{b}c{d}", "{{x}}", "{", "}", "{{{a}}}", "{A}", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseElement(text)
		if err != nil {
			return
		}
		if len(e.texts) != len(e.names)+1 {
			t.Fatalf("parseElement(%q) = %+v", text, e)
		}
		if len(e.names) == 0 && strings.NewReplacer("{", "{{", "}", "}}").Replace(e.texts[0]) != text && !strings.ContainsAny(text, "{}") {
			t.Fatalf("parseElement(%q) = %+v", text, e)
		}
	})
}

// FuzzOpen: a list of programs that cannot be used is an error, with the name of
// the program where there is one.
func FuzzOpen(f *testing.F) {
	for _, text := range []string{
		"plugins:\n  a:\n    path: /bin/true\n    argv: [\"-H\", \"{host}\"]\n    args: {host: {match: '[a-z]+', target: true}}\n", "plugins: {a: {path: sh}}", "speedtest: {path: /bin/true, limits: {cpu: 1s}}",
		"plugins: [", "plugins: {a: {args: {b: '('}}}", "plugins: &a {b: *a}", "plugins: {a: {path: /bin/true, sha512: zz, timeout: -1s, limits: {memory: 1e99}}}", "\x00",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(dir, "plugins.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Open(file)
		if err == nil && p == nil {
			t.Errorf("Open() of %q = nil, nil", text)
		}
	})
}
