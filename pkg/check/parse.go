package check

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Parse reads a spec strictly: unknown, doubled and ill-typed fields, trailing
// data, invalid UTF-8, control characters and values out of bounds are errors,
// all of them at once, one FieldError each. The Check is valid.
func Parse(text []byte) (*Check, error) {
	if len(text) > MaxSpec {
		return nil, fieldErr("", fmt.Sprintf("%d bytes: a spec has at most %d", len(text), MaxSpec))
	}
	tree, err := parseTree(text)
	if err != nil {
		return nil, err
	}
	fields, ok := tree.(map[string]any)
	if !ok {
		return nil, fieldErr("", "want a JSON object, got "+show(tree))
	}
	return fromTree(fields, len(text))
}

// checkFields are the fields of a spec.
var checkFields = fieldsOf(reflect.TypeFor[Check]())

// fromTree makes a valid Check of a tree of parseTree. reported are faults that
// were found on the way: what follows from them is not reported again. size is
// the length of the text that they came from.
func fromTree(fields map[string]any, size int, reported ...error) (*Check, error) {
	c := &Check{}
	d := decoder{}
	d.fields("", fields, reflect.ValueOf(c).Elem(), checkFields)
	bad := map[string]bool{}
	for _, err := range slices.Concat(reported, d.list) {
		var fe *FieldError
		if errors.As(err, &fe) {
			bad[fe.Field] = true
			bad["schedule"] = bad["schedule"] || fe.Unknown // it may have been meant
		}
	}
	// A zero duration that was written is no absent one.
	for _, f := range []struct {
		name string
		d    Duration
	}{{"every", c.Every}, {"timeout", c.Timeout}, {"retry_every", c.RetryEvery}} {
		if fields[f.name] != nil && f.d == 0 && !bad[f.name] {
			bad[f.name] = true
			d.addf(f.name, "%s: want more than 0", show(fields[f.name]))
		}
	}
	v := validator{c: c, size: size, faults: d.faults, skip: bad, given: func(name string) bool { return fields[name] != nil }}
	if params := fields["params"]; params != nil && !bad["params"] {
		if _, ok := params.(map[string]any); !ok {
			v.addf("params", "want an object, got %s", show(params))
		}
	}
	v.all()
	if err := v.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Text gives the check's canonical JSON: fields in the order of Check, what is
// default left out, maps sorted, durations and times in one form. Checks that
// mean the same have the same text. It is nil for a check that Validate
// refuses.
func (c *Check) Text() []byte {
	n := *c
	if n.Zone == DefaultZone {
		n.Zone = ""
	}
	n.Cron = strings.Join(strings.Fields(n.Cron), " ")
	if n.Timezone == "UTC" {
		n.Timezone = ""
	}
	if n.Timeout.D() == DefaultTimeout {
		n.Timeout = 0
	}
	if n.Attempts == 1 {
		n.Attempts = 0
	}
	if n.Flap != nil {
		flap := n.Flap.canonical()
		n.Flap = &flap
	}
	if !n.At.IsZero() {
		n.At = n.At.UTC().Truncate(time.Millisecond)
	}
	params, err := canonicalParams(n.Params)
	if err != nil {
		return nil
	}
	n.Params = params
	text, err := compact(&n)
	if err != nil {
		return nil
	}
	return text
}

// canonicalParams gives params in their one form; nil when there are none.
func canonicalParams(params json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(params)) == 0 {
		return nil, nil
	}
	tree, err := parseTree(params)
	if err != nil {
		return nil, err
	}
	switch m := tree.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if len(m) == 0 {
			return nil, nil
		}
		return compact(m)
	}
	return nil, fieldErr("", "want an object, got "+show(tree))
}

// SHA gives the sha1 of a spec's text in hex, by which an edit is noticed.
func SHA[T ~string | ~[]byte](text T) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}
