package daemon

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// ErrHelp is returned by Settings.Parse after -h printed the settings.
var ErrHelp = errors.New("help was asked for")

// SettingsError holds every fault that was found in a daemon's settings.
type SettingsError struct {
	Name   string   // of the program
	Faults []string // one line each, naming setting and value
}

// Error gives all faults, one a line.
func (e *SettingsError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = e.Name + ": " + f
	}
	return strings.Join(lines, "\n")
}

// Settings are a daemon's settings: each is a flag, an environment variable
// (-log-level is REDPOLL_LOG_LEVEL) and a default, the first that is there
// wins. Define all, then call Parse once; the pointers hold the values then.
type Settings struct {
	p      *Process
	about  string
	list   []*setting
	byName map[string]*setting
	faults []string
}

// Rule judges the value of a setting; its error says what is wrong with it.
type Rule[T any] func(value T) error

type setting struct {
	name, unit, usage, def string
	secret, boolean        bool
	flag                   *string // as given in the arguments
	file                   string  // that the value was read from, if it was
	set                    func(text string) error
}

// env is the name of the setting's environment variable.
func (s *setting) env() string {
	return "REDPOLL_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// NewSettings begins the settings of the daemon p; about is one line on what
// it does.
func NewSettings(p *Process, about string) *Settings {
	return &Settings{p: p, about: about, byName: map[string]*setting{}}
}

// add defines a setting that is read by parse. It panics when the name is
// taken: that is a fault of the program.
func add[T any](s *Settings, st *setting, def T, parse func(string) (T, error), rules []Rule[T]) *T {
	if s.byName[st.name] != nil {
		panic("setting " + st.name + " is defined twice")
	}
	v := &def
	st.set = func(text string) error {
		got, err := parse(text)
		if err != nil {
			return err
		}
		for _, rule := range rules {
			if err := rule(got); err != nil {
				return err
			}
		}
		*v = got
		return nil
	}
	s.list = append(s.list, st)
	s.byName[st.name] = st
	return v
}

// String defines a text setting. Unit says what the text is: URL, FILE, CIDR.
func (s *Settings) String(name, def, unit, usage string, rules ...Rule[string]) *string {
	return add(s, &setting{name: name, unit: unit, usage: usage, def: def}, def,
		func(t string) (string, error) { return t, nil }, rules)
}

// Secret defines a text setting that is never printed. It can also be read
// from the file that the variable with _FILE at its end names.
func (s *Settings) Secret(name, def, unit, usage string, rules ...Rule[string]) *string {
	return add(s, &setting{name: name, unit: unit, usage: usage, def: def, secret: true}, def,
		func(t string) (string, error) { return t, nil }, rules)
}

// Int defines a setting that is a whole number of unit.
func (s *Settings) Int(name string, def int, unit, usage string, rules ...Rule[int]) *int {
	return add(s, &setting{name: name, unit: unit, usage: usage, def: strconv.Itoa(def)}, def,
		func(t string) (int, error) {
			n, err := strconv.Atoi(t)
			if err != nil {
				return 0, errors.New("want a whole number")
			}
			return n, nil
		}, rules)
}

// Float defines a setting that is a number of unit.
func (s *Settings) Float(name string, def float64, unit, usage string, rules ...Rule[float64]) *float64 {
	return add(s, &setting{name: name, unit: unit, usage: usage, def: strconv.FormatFloat(def, 'g', -1, 64)}, def,
		func(t string) (float64, error) {
			f, err := strconv.ParseFloat(t, 64)
			if err != nil || math.IsNaN(f) {
				return 0, errors.New("want a number, such as 0.01")
			}
			return f, nil
		}, rules)
}

// Duration defines a setting that is a Go duration: 30s, 1m30s.
func (s *Settings) Duration(name string, def time.Duration, usage string, rules ...Rule[time.Duration]) *time.Duration {
	return add(s, &setting{name: name, unit: "duration", usage: usage, def: def.String()}, def,
		func(t string) (time.Duration, error) {
			d, err := time.ParseDuration(t)
			if err != nil {
				return 0, errors.New("want a duration with its unit, such as 30s or 1m")
			}
			return d, nil
		}, rules)
}

// Bool defines a setting that is true or false; -name alone means true.
func (s *Settings) Bool(name string, usage string) *bool {
	return add(s, &setting{name: name, usage: usage, def: "false", boolean: true}, false,
		func(t string) (bool, error) {
			b, err := strconv.ParseBool(t)
			if err != nil {
				return false, errors.New("want true or false")
			}
			return b, nil
		}, nil)
}

// List defines a setting that is a list with commas; empty items are left out.
func (s *Settings) List(name, def, unit, usage string, rules ...Rule[[]string]) *[]string {
	split := func(t string) (list []string, _ error) {
		for item := range strings.SplitSeq(t, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		return list, nil
	}
	first, _ := split(def)
	return add(s, &setting{name: name, unit: unit + ",...", usage: usage, def: def}, first, split, rules)
}

// FileOf names the file that a secret was read from; empty: it was not.
func (s *Settings) FileOf(name string) string { return s.byName[name].file }

// AtLeast is the rule for numbers and durations that have a lower bound.
func AtLeast[T int | float64 | time.Duration](low T) Rule[T] {
	return func(v T) error {
		if v < low {
			return fmt.Errorf("want at least %v", low)
		}
		return nil
	}
}

// AtMost is the rule for numbers and durations that have an upper bound.
func AtMost[T int | float64 | time.Duration](high T) Rule[T] {
	return func(v T) error {
		if v > high {
			return fmt.Errorf("want at most %v", high)
		}
		return nil
	}
}

// OneOf is the rule for texts that are one of a few words.
func OneOf(words ...string) Rule[string] {
	return func(v string) error {
		for _, w := range words {
			if v == w {
				return nil
			}
		}
		return fmt.Errorf("want one of %s", strings.Join(words, ", "))
	}
}

// Fault adds a fault that only the daemon itself can find. Call Err after the
// last one.
func (s *Settings) Fault(name, value string, err error) {
	if st := s.byName[name]; st != nil && st.secret {
		value = "(hidden)"
	}
	s.faults = append(s.faults, fmt.Sprintf("-%s %q: %v", name, value, err))
}

// Err gives all faults found so far, or nil.
func (s *Settings) Err() error {
	if len(s.faults) == 0 {
		return nil
	}
	return &SettingsError{Name: s.p.Name, Faults: s.faults}
}

// Parse reads arguments and environment. Its error is ErrHelp or a
// *SettingsError with every fault.
func (s *Settings) Parse() error {
	if s.readArgs() {
		s.printHelp(s.p.Stdout)
		return ErrHelp
	}
	for _, st := range s.list {
		from, text, ok := s.value(st)
		if !ok {
			continue
		}
		if err := st.set(text); err != nil {
			if st.secret {
				text = "(hidden)"
			}
			s.faults = append(s.faults, fmt.Sprintf("%s %q: %v", from, text, err))
		}
	}
	return s.Err()
}

// value finds a setting's text and where it comes from.
func (s *Settings) value(st *setting) (from, text string, ok bool) {
	if st.flag != nil {
		return "-" + st.name, *st.flag, true
	}
	if text, ok := s.p.LookupEnv(st.env()); ok && text != "" {
		return st.env(), text, true
	}
	if !st.secret {
		return "", "", false
	}
	path, ok := s.p.LookupEnv(st.env() + "_FILE")
	if !ok || path == "" {
		return "", "", false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		s.faults = append(s.faults, fmt.Sprintf("%s_FILE %q: %v", st.env(), path, err))
		return "", "", false
	}
	st.file = path
	return st.env() + "_FILE", strings.TrimRight(string(data), "\r\n"), true
}
