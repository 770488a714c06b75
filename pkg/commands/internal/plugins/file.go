package plugins

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/redpoll/redpoll/internal/yamldepth"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/proc"
)

const maxFile = 1 << 20 // bytes

// validName is the shape of a plugin's name.
var validName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// CheckName refuses what cannot be a plugin's name.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%.64q: want %s", name, validName)
	}
	return nil
}

// file is plugins.yaml.
type file struct {
	Plugins     map[string]entry `yaml:"plugins"`
	Speedtest   *entry           `yaml:"speedtest"`
	Speedtestpp *entry           `yaml:"speedtestpp"`
}

type entry struct {
	Path    string            `yaml:"path"`
	Argv    []string          `yaml:"argv"`
	Args    map[string]rule   `yaml:"args"`
	SHA512  string            `yaml:"sha512"`
	Timeout string            `yaml:"timeout"`
	Limits  map[string]string `yaml:"limits"`
}

// rule is an argument: a regular expression alone, or with more.
type rule struct {
	Match   string  `yaml:"match"`
	Default *string `yaml:"default"`
	Target  bool    `yaml:"target"`
}

// UnmarshalYAML takes a text for the regular expression alone.
func (r *rule) UnmarshalYAML(text []byte) error {
	if yaml.Unmarshal(text, &r.Match) == nil {
		return nil
	}
	type plain rule
	return yaml.UnmarshalWithOptions(text, (*plain)(r), yaml.Strict())
}

// Open reads the list of programs. All faults are reported at once.
func Open(path string) (*Plugins, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	var deep *yamldepth.Error
	if errors.As(yamldepth.Check(text), &deep) {
		return nil, fmt.Errorf("plugins: %s:%d:%d: %w", path, deep.Line, deep.Column, deep)
	}
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("plugins: %s: %w", path, err)
	}
	p := &Plugins{plugins: map[string]*Program{}, tools: map[string]*Program{}}
	var faults []error
	take := func(into map[string]*Program, name string, e entry) {
		prog, err := e.program(name)
		if err != nil {
			faults = append(faults, fmt.Errorf("plugins: %s: %s: %w", path, name, err))
		}
		into[name] = prog
	}
	for _, name := range sortedKeys(f.Plugins) {
		take(p.plugins, name, f.Plugins[name])
	}
	for name, e := range map[string]*entry{Speedtest: f.Speedtest, Speedtestpp: f.Speedtestpp} {
		switch {
		case e == nil:
		case e.Argv != nil || e.Args != nil:
			faults = append(faults, fmt.Errorf("plugins: %s: %s: argv, args: the command itself knows them", path, name))
		default:
			take(p.tools, name, *e)
			p.tools[name].home = true // Ookla's crashes without
		}
	}
	return p, errors.Join(faults...)
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("%s may be changed by everybody", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return text, err
}

// program turns an entry into what runs.
func (e entry) program(name string) (*Program, error) {
	p := &Program{Name: name, path: e.Path, args: map[string]arg{}}
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	fault(CheckName(name))
	if !filepath.IsAbs(e.Path) {
		fault(fmt.Errorf("path: %.200q, want an absolute one", e.Path))
	} else {
		fault(checkFile(e.Path))
	}
	fault(e.fillArgs(p))
	if e.SHA512 != "" {
		sum, err := hex.DecodeString(e.SHA512)
		if err != nil || len(sum) != sha512.Size {
			fault(fmt.Errorf("sha512: want %d hex digits", 2*sha512.Size))
		}
		p.sum = sum
		if len(faults) == 0 {
			fault(p.verify())
		}
	}
	if e.Timeout != "" {
		d, err := time.ParseDuration(e.Timeout)
		if err != nil || d <= 0 || d > check.MaxTimeout {
			fault(fmt.Errorf("timeout: %.64q, want a duration of at most %v", e.Timeout, check.MaxTimeout))
		}
		p.Timeout = d
	}
	limits, err := parseLimits(e.Limits)
	fault(err)
	p.limits = limits
	return p, errors.Join(faults...)
}

// fillArgs reads the template and the rules, which must fit together.
func (e entry) fillArgs(p *Program) error {
	used := map[string]bool{}
	var faults []error
	for _, text := range e.Argv {
		el, err := parseElement(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("argv: %w", err))
		}
		p.argv = append(p.argv, el)
		for _, name := range el.names {
			used[name] = true
			if _, ok := e.Args[name]; !ok {
				faults = append(faults, fmt.Errorf("argv: {%s} has no regular expression in args", name))
			}
		}
	}
	for _, name := range sortedKeys(e.Args) {
		r := e.Args[name]
		match, err := regexp.Compile(`\A(?:` + r.Match + `)\z`)
		switch {
		case !used[name]:
			faults = append(faults, fmt.Errorf("args: %.64s does not stand in argv", name))
		case r.Match == "":
			faults = append(faults, fmt.Errorf("args: %s: match is needed", name))
		case err != nil:
			faults = append(faults, fmt.Errorf("args: %s: %w", name, err))
		case r.Default != nil && CheckValue(*r.Default) != nil:
			faults = append(faults, fmt.Errorf("args: %s: default: %w", name, CheckValue(*r.Default)))
		}
		p.args[name] = arg{match: match, fallback: r.Default, target: r.Target}
	}
	return errors.Join(faults...)
}

// parseLimits reads cpu, memory, files and processes.
func parseLimits(texts map[string]string) (l proc.Limits, err error) {
	for _, name := range sortedKeys(texts) {
		text := texts[name]
		var e error
		switch name {
		case "cpu":
			l.CPU, e = time.ParseDuration(text)
			if e == nil && l.CPU <= 0 {
				e = errors.New("want more than 0")
			}
		case "memory":
			l.Memory, e = parseSize(text)
		case "files":
			l.Files, e = strconv.ParseUint(text, 10, 20)
		case "processes":
			l.Processes, e = strconv.ParseUint(text, 10, 20)
		default:
			e = errors.New("there is cpu, memory, files and processes")
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("limits: %s: %.64q: %w", name, text, e))
		}
	}
	return l, err
}

// parseSize reads bytes: 1048576, 1024KiB, 1MiB, 2GiB.
func parseSize(text string) (uint64, error) {
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text, shift = strings.TrimSpace(rest), 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return 0, errors.New("want bytes such as 512MiB")
	}
	return n << shift, nil
}
