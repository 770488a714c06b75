package check

import (
	"encoding/json"
	"strings"
	"time"
)

// Check says what to run and when: the spec that operators write, version 1.
// Parse reads one; the zero value is not valid.
type Check struct {
	ID      string `json:"id"`
	Command string `json:"command"`
	// Params are the command's own settings, a JSON object or empty.
	Params json.RawMessage `json:"params,omitempty"`
	// Every, Cron and At: exactly one is set.
	Every Duration `json:"every,omitzero"`
	// Phase places the grid of Every; nil means a stable hash of the id.
	Phase    *Duration `json:"phase,omitempty"`
	Cron     string    `json:"cron,omitempty"`
	Timezone string    `json:"timezone,omitempty"`
	At       time.Time `json:"at,omitzero"`
	// Timeout bounds the command; 0 means DefaultTimeout.
	Timeout Duration `json:"timeout,omitzero"`
	// Zone is where the check runs; empty means DefaultZone.
	Zone string `json:"zone,omitempty"`
	// Handlers names the handlers of the result: nil means the worker's
	// defaults, an empty list means none.
	Handlers []string          `json:"handlers,omitzero"`
	Labels   map[string]string `json:"labels,omitempty"`
	Meta     map[string]any    `json:"meta,omitempty"`
	// Attempts is how many consecutive results that are not OK open an
	// incident; 0 means 1.
	Attempts int `json:"attempts,omitempty"`
	// RetryEvery is the pace of soft retries; 0 means the schedule's own.
	RetryEvery Duration `json:"retry_every,omitzero"`
	// Parents are checks of the same zone: while one is in trouble this one
	// opens no incident.
	Parents []string `json:"parents,omitempty"`
	// Flap makes one incident of many while the state goes to and fro; nil:
	// not.
	Flap              *Flap `json:"flap,omitempty"`
	SuppressIncidents bool  `json:"suppress_incidents,omitempty"`
	Paused            bool  `json:"paused,omitempty"`
}

// Defaults and bounds of a spec.
const (
	DefaultZone    = "default"
	DefaultTimeout = 10 * time.Second
	MaxTimeout     = 5 * time.Minute
	MinEvery       = time.Second
	MaxEvery       = 7 * 24 * time.Hour
	MaxSpec        = 64 << 10 // bytes
)

// Duration is a time.Duration that is written as Go writes it ("1m30s").
type Duration time.Duration

// D gives the time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String writes the duration as Go does, without trailing zero units: 1m, not
// 1m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a Go duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
