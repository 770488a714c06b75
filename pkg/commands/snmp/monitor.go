package snmp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
)

// Monitor watches one object, or one object of each interface.
type Monitor struct {
	// OID is numeric; {index} in it stands for the index of each of the
	// check's interfaces.
	OID string `json:"oid"`
	// Name is the metric's name. Objects of interfaces get a dot and the name
	// of the interface after it.
	Name string `json:"name"`
	// Multiplier makes the value that is graded and reported of a gauge or of
	// a counter's rate; nil is 1.
	Multiplier *float64 `json:"multiplier,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	// Optional lets the device be without the object.
	Optional bool `json:"optional,omitempty"`
	// DiscontinuityOID is an object that changes when the counter was
	// interrupted. Counters of IF-MIB have theirs without saying.
	DiscontinuityOID string `json:"discontinuity_oid,omitempty"`
	Limits
	// WarnValues and CritValues are values that mean a state.
	WarnValues       []Scalar `json:"warn_values,omitempty"`
	WarnValuesReason string   `json:"warn_values_reason,omitempty"`
	CritValues       []Scalar `json:"crit_values,omitempty"`
	CritValuesReason string   `json:"crit_values_reason,omitempty"`
	// UpValues and DownValues make a gauge of a status: 1 up, 0 down. With
	// UpValues alone everything else is down, with DownValues alone up.
	UpValues   []Scalar `json:"up_values,omitempty"`
	DownValues []Scalar `json:"down_values,omitempty"`
	DownReason string   `json:"down_reason,omitempty"`
}

// Scalar is a value of a device as text; JSON numbers are read as well.
type Scalar string

// UnmarshalJSON reads a text or a number.
func (s *Scalar) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte(`"`)) {
		return json.Unmarshal(text, (*string)(s))
	}
	var n json.Number
	if err := json.Unmarshal(text, &n); err != nil || n == "" {
		return errors.New("want a number or a text")
	}
	*s = Scalar(n)
	return nil
}

const indexMark = "{index}"

// Bounds of names: metric names have 64 characters, and a counter's rate needs
// its own ending.
const (
	maxName    = 64
	rateSuffix = "_per_second"
)

var goodName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// object is a Monitor made ready, or one of the ready-made ones.
type object struct {
	Monitor
	oid    string // may hold indexMark
	each   bool   // it does
	twin   string // the same counter with 32 bits, for devices without this one
	factor float64
	// rate and share are the names of a counter's rate and of its percentage
	// of the port speed; share is empty but for octets.
	rate, share string
	count       string // the unit of the count itself
	perSecond   string // the unit of the rate
}

// compile checks a Monitor.
func (m Monitor) compile(field string) (object, error) {
	o := object{Monitor: m, each: m.indexed(), factor: 1, rate: m.Name + rateSuffix, perSecond: m.Unit}
	var err error
	if o.oid, err = template(m.OID); err != nil {
		return o, fmt.Errorf("%soid: %w", field, err)
	}
	if !goodName.MatchString(m.Name) || len(o.rate) > maxName {
		return o, fmt.Errorf("%sname: want 1 to %d characters of A-Z a-z 0-9 . _ -", field, maxName-len(rateSuffix))
	}
	if m.Multiplier != nil {
		o.factor = *m.Multiplier
	}
	if o.factor == 0 || math.IsNaN(o.factor) || math.IsInf(o.factor, 0) {
		return o, fmt.Errorf("%smultiplier: want a number other than 0", field)
	}
	if m.DiscontinuityOID != "" {
		if o.DiscontinuityOID, err = template(m.DiscontinuityOID); err != nil {
			return o, fmt.Errorf("%sdiscontinuity_oid: %w", field, err)
		}
		if strings.Contains(m.DiscontinuityOID, indexMark) && !o.each {
			return o, fmt.Errorf("%sdiscontinuity_oid: has %s and oid has not", field, indexMark)
		}
	}
	if err := m.validateValues(field); err != nil {
		return o, err
	}
	if err := m.Limits.validate(field); err != nil {
		return o, err
	}
	o.Limits = m.Limits.named(ReasonValueHigh, ReasonValueLow)
	o.reasons()
	return o, nil
}

// reasons fills in the default ones of status values.
func (o *object) reasons() {
	for _, r := range []struct {
		reason *string
		value  string
	}{{&o.WarnValuesReason, ReasonBadStatus}, {&o.CritValuesReason, ReasonBadStatus}, {&o.DownReason, ReasonIfaceDown}} {
		if *r.reason == "" {
			*r.reason = r.value
		}
	}
}

// template checks an OID that may hold indexMark and takes its first dot away.
func template(oid string) (string, error) {
	if strings.Count(oid, indexMark) > 1 {
		return "", fmt.Errorf("%s stands there twice", indexMark)
	}
	before, behind, marked := strings.Cut(oid, indexMark)
	if marked && (!strings.HasSuffix(before, ".") || behind != "" && behind[0] != '.') {
		return "", fmt.Errorf("%s must be a number of its own between dots", indexMark)
	}
	if _, err := snmpclient.ParseOID(strings.Replace(oid, indexMark, "1", 1)); err != nil {
		return "", err
	}
	return strings.TrimPrefix(oid, "."), nil
}

func (m *Monitor) validateValues(field string) error {
	for _, r := range []struct{ name, reason string }{
		{"warn_values_reason", m.WarnValuesReason}, {"crit_values_reason", m.CritValuesReason}, {"down_reason", m.DownReason},
	} {
		if err := validReason(field+r.name, r.reason); err != nil {
			return err
		}
	}
	if m.status() && !m.Limits.IsZero() {
		return fmt.Errorf("%sup_values, down_values: a status has no thresholds", field)
	}
	if len(m.Unit) > 32 {
		return fmt.Errorf("%sunit: longer than 32 characters", field)
	}
	return nil
}

// indexed says whether the object is one of each interface.
func (m *Monitor) indexed() bool { return strings.Contains(m.OID, indexMark) }

// status says whether the object is a status that is up or down.
func (m *Monitor) status() bool { return len(m.UpValues) > 0 || len(m.DownValues) > 0 }

// up says what a status is.
func (m *Monitor) up(value string) bool {
	if listed(m.DownValues, value) {
		return false
	}
	return len(m.UpValues) == 0 || listed(m.UpValues, value)
}

func listed(values []Scalar, value string) bool {
	for _, v := range values {
		if string(v) == value {
			return true
		}
	}
	return false
}
