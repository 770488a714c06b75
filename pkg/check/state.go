package check

import "fmt"

// State says how the target of a Check was found. The zero value is StateOK.
type State uint8

// The four states, in the order of the exit codes of a Nagios plugin.
const (
	StateOK State = iota
	StateWarn
	StateCrit
	StateUnknown
)

var stateNames = [...]string{"OK", "WARN", "CRIT", "UNKNOWN"}

// String gives the state's name, as it stands in JSON and in metrics.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState is the reverse of State.String.
func ParseState(name string) (State, error) {
	for i, n := range stateNames {
		if n == name {
			return State(i), nil
		}
	}
	return StateUnknown, fmt.Errorf("state %q: want OK, WARN, CRIT or UNKNOWN", name)
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) {
	if int(s) >= len(stateNames) {
		return nil, fmt.Errorf("state %d is none of OK, WARN, CRIT, UNKNOWN", uint8(s))
	}
	return []byte(stateNames[s]), nil
}

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) (err error) {
	*s, err = ParseState(string(text))
	return err
}

// rank orders states by how bad they are: OK, UNKNOWN, WARN, CRIT.
func (s State) rank() int {
	return [...]int{StateOK: 0, StateUnknown: 1, StateWarn: 2, StateCrit: 3}[s&3]
}

// Worse returns the worse of two states. CRIT is worse than WARN, WARN than
// UNKNOWN, UNKNOWN than OK.
func Worse(a, b State) State {
	if b.rank() > a.rank() {
		return b
	}
	return a
}
