package check

import "time"

// Result is what one run of a Command found out. A Result is about the target;
// a Command that could not do its work returns an error instead, and the
// worker makes that an UNKNOWN Result with ReasonCmdFailure.
type Result struct {
	State State `json:"state"`
	// Reason is a code in capitals (PKT_LOSS_HIGH) for machines; empty when OK.
	Reason string `json:"reason,omitempty"`
	// Text is one line for people, at most MaxText bytes.
	Text string `json:"text,omitempty"`
	// Metrics are unique by name; at most MaxMetrics.
	Metrics []Metric `json:"metrics,omitempty"`
	// At is when the measurement was taken.
	At time.Time `json:"at"`
}

// Limits of a Result; a worker cuts what is over them.
const (
	MaxText    = 4 << 10
	MaxMetrics = 256
)

// Reasons that redpoll itself gives. Each Command documents its own.
const (
	ReasonCmdFailure   = "CMD_FAILURE"   // the command returned an error or panicked
	ReasonCmdTimeout   = "CMD_TIMEOUT"   // the command outlived the check's timeout
	ReasonBadParams    = "BAD_PARAMS"    // the worker's command refuses the params
	ReasonNoCommand    = "NO_COMMAND"    // the worker does not have the command
	ReasonWorkerLost   = "WORKER_LOST"   // three workers in a row died while they ran the check
	ReasonCheckRemoved = "CHECK_REMOVED" // resolves the incident of a removed check
	ReasonFlapping     = "FLAPPING"      // of an incident, while its check flaps
	ReasonIncidentLost = "INCIDENT_LOST" // resolves an incident that its check knows nothing of
)

// Kind says how a Metric's value behaves.
type Kind string

// The kinds of metrics.
const (
	KindGauge   Kind = "gauge"   // Value: a figure that goes up and down
	KindCounter Kind = "counter" // Count: rises only, wraps at 2^Width
	KindString  Kind = "string"  // Str: text, never graphed
)

// Metric is one measured figure. Names carry the unit (rtt_avg_seconds) and
// match [a-zA-Z0-9_.-]{1,64}.
type Metric struct {
	Name  string  `json:"name"`
	Kind  Kind    `json:"kind"`
	Value float64 `json:"value,omitempty"`
	Count uint64  `json:"count,omitempty"`
	// Width is the width of a counter in bits, 32 or 64; 0 for others.
	Width uint8  `json:"width,omitempty"`
	Str   string `json:"str,omitempty"`
	// Unit is seconds, bytes, percent, bits_per_second, ... or empty.
	Unit string `json:"unit,omitempty"`
	// At is when the value was sampled, where that differs from Result.At.
	At time.Time `json:"at,omitzero"`
}

// Gauge makes a gauge metric.
func Gauge(name string, value float64, unit string) Metric {
	return Metric{Name: name, Kind: KindGauge, Value: value, Unit: unit}
}

// Seconds makes a gauge of a duration; the name should end in _seconds.
func Seconds(name string, d time.Duration) Metric {
	return Gauge(name, d.Seconds(), "seconds")
}

// Counter makes a counter metric of the given width in bits.
func Counter(name string, count uint64, width uint8, unit string) Metric {
	return Metric{Name: name, Kind: KindCounter, Count: count, Width: width, Unit: unit}
}

// String makes a text metric.
func String(name, text string) Metric {
	return Metric{Name: name, Kind: KindString, Str: text}
}

// Metric finds a metric by name.
func (r *Result) Metric(name string) (Metric, bool) {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// Last is the record kept of a check's latest committed run: the JSON in the
// hash `last`. The next run gets it, for rates and for the incident rule.
type Last struct {
	Result
	// Planned, Started and Finished are unix ms on the Redis server's clock.
	Planned  int64  `json:"planned"`
	Started  int64  `json:"started"`
	Finished int64  `json:"finished"`
	Worker   string `json:"worker"`
	// Rev is the revision of the spec that ran.
	Rev string `json:"rev,omitempty"`
	// Since is the planned time of the run that brought the present State.
	Since int64 `json:"since"`
	// Fails counts the consecutive results that were not OK.
	Fails int `json:"fails,omitempty"`
	// Held says why no incident opens though there is cause, or does not
	// resolve: one of the words below.
	Held string `json:"held,omitempty"`
	// Down is when the first of the results that Fails counts was there, unix
	// ms; only of checks with parents. Asked is since when an incident waits for
	// the result of a parent.
	Down  int64 `json:"down,omitempty"`
	Asked int64 `json:"asked,omitempty"`
	// Turns has a bit for each of the latest results, the newest lowest: the
	// state was another one than before. Flapping says that the check flaps.
	// Both only of checks with Flap.
	Turns    uint64 `json:"turns,omitempty"`
	Flapping bool   `json:"flapping,omitempty"`
	// Incident is the open incident, or the one that this very run resolved
	// (Resolved is set then); nil when there is none. See Open.
	Incident *Incident `json:"incident,omitempty"`
}

// The words in Last.Held. Those that end with a colon are followed by the id of
// the downtime or the parent.
const (
	HeldSuppressed = "suppressed" // the check suppresses incidents
	HeldDowntime   = "downtime:"  // a downtime covers the check
	HeldParent     = "parent:"    // a parent is in trouble
	HeldWaiting    = "waiting:"   // a parent runs first, for at most 15 s
	HeldFlap       = "flap"       // the check is OK and flaps: the open incident does not resolve
)
