// Package scripttest holds the commands that the project's testscripts have
// beside those of the library.
package scripttest

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Command is one of testscript's.
type Command = func(ts *testscript.TestScript, neg bool, args []string)

// Commands gives them by name, in a new map:
//
//	eventually PATTERN PROGRAM ARG...   runs the program until its output matches; with ! until it does not
//	code N PROGRAM ARG...               the program ends with the exit code N
//	shell FILE                          gives each line of the file to sh -c
//	sub NAME PATTERN FILE               sets a variable to the first group of the pattern
//	expand FILE...                      puts the script's variables into the files
func Commands() map[string]Command {
	return map[string]Command{"eventually": eventually, "code": exitCode, "shell": runShell, "sub": substitute, "expand": expand}
}

// eventually PATTERN PROGRAM ARG...: runs the program until its output matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] eventually PATTERN PROGRAM ARG...")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	var out string
	for end, pause := time.After(20*time.Second), 20*time.Millisecond; ; pause = min(2*pause, 300*time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // its output decides
		out = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if want.MatchString(out) != neg {
			return
		}
		select {
		case <-end:
			ts.Fatalf("%q never came (or went) in\n%s", args[0], out)
		case <-time.After(pause):
		}
	}
}

// code N PROGRAM ARG...: the program ends with the exit code N.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	if got != want || neg {
		ts.Fatalf("%v ended with %d, want %d", args[1:], got, want)
	}
}

// shell FILE: gives each line of the file to sh -c.
func runShell(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if err := ts.Exec("sh", "-c", strings.TrimSuffix(line, "\n")); err != nil {
			ts.Fatalf("sh -c %s: %v\n%s%s", line, err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}

// sub NAME PATTERN FILE: sets a variable to the first group of the pattern.
func substitute(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if found == nil {
		ts.Fatalf("%q is not in\n%s", args[1], ts.ReadFile(args[2]))
	}
	ts.Setenv(args[0], found[1])
}

// expand FILE...: puts the script's variables into the files.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}
