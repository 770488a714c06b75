// Package plugins holds the programs that the operator of a worker lets checks
// run: a file on the worker that names each, with an exact template of its
// arguments and a regular expression for every part that a check may fill in.
package plugins

import (
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/proc"
)

// The names under which the file may name the programs of the speed tests.
const (
	Speedtest   = "speedtest"
	Speedtestpp = "speedtestpp"
)

// Plugins are the programs of one worker. It is safe for concurrent use.
type Plugins struct {
	plugins map[string]*Program
	tools   map[string]*Program // Speedtest, Speedtestpp
	runner  proc.Runner
}

// Program is one program that may run, and how.
type Program struct {
	Name string
	// Timeout ends a run; 0 leaves that to the check.
	Timeout time.Duration

	path   string
	sum    []byte // sha512 that the file must have; nil: any
	argv   []element
	args   map[string]arg
	limits proc.Limits
	home   bool // it needs a HOME
}

// Plugin finds the plugin of a name.
func (p *Plugins) Plugin(name string) (*Program, error) {
	if prog, ok := p.plugins[name]; ok {
		return prog, nil
	}
	known := make([]string, 0, len(p.plugins))
	for n := range p.plugins {
		known = append(known, n)
	}
	slices.Sort(known)
	return nil, &check.UnknownNameError{What: "plugin", Name: name, Nearest: check.Nearest(name, known), Known: known}
}

// Tool finds the program of a speed test, nil when the file names none.
func (p *Plugins) Tool(name string) *Program {
	if p == nil {
		return nil
	}
	return p.tools[name]
}

// Run runs prog with exactly the arguments argv. When it has to be killed, the
// error is ctx's or context.DeadlineExceeded.
func (p *Plugins) Run(ctx context.Context, prog *Program, argv []string) (proc.Output, error) {
	if prog.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, prog.Timeout)
		defer cancel()
	}
	if err := prog.verify(); err != nil {
		return proc.Output{}, err
	}
	return p.runner.Run(ctx, proc.Program{Path: prog.path, Args: argv, Limits: prog.limits, Home: prog.home})
}

// verify compares the file's sha512 with the one in the list, on every run.
func (p *Program) verify() error {
	if p.sum == nil {
		return nil
	}
	f, err := os.Open(p.path)
	if err != nil {
		return fmt.Errorf("plugin %s: %w", p.Name, err)
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("plugin %s: read %s: %w", p.Name, p.path, err)
	}
	if sum := h.Sum(nil); subtle.ConstantTimeCompare(sum, p.sum) != 1 {
		return fmt.Errorf("plugin %s: %s has the sha512 %s..., not the one in the list", p.Name, p.path, hex.EncodeToString(sum[:6]))
	}
	return nil
}

// checkFile refuses what cannot be run, and what anybody could change.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist", path)
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is no program", path)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("%s may be changed by everybody", path)
	}
	return nil
}
