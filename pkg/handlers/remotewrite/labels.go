package remotewrite

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

// Labels that redpoll itself sets.
const (
	labelName    = "__name__"
	labelCheck   = "check"
	labelCommand = "command"
	labelItem    = "item"
	labelMetric  = "metric"
	labelZone    = "zone"
)

const (
	maxLabelName  = 128      // bytes
	maxLabelValue = 1 << 10  // bytes; what is longer is cut
	maxLabels     = 4 << 10  // bytes of all labels of a check; what is more is left out
	otherLabel    = "label_" // goes before a name that is taken
)

// pair is a label; from is what the name was made of.
type pair struct{ name, value, from string }

// labeler makes the labels of checks.
type labeler struct {
	fixed []pair // sorted
}

// newLabeler reads the setting labels.
func newLabeler(fixed map[string]string) (labeler, error) {
	var l labeler
	size := 0
	for _, name := range slices.Sorted(maps.Keys(fixed)) {
		value := fixed[name]
		size += len(name) + len(value)
		switch {
		case !isName(name) || strings.HasPrefix(name, "__") || isOwn(name) || len(name) > maxLabelName:
			return l, fault("labels", "%.64q: want letters, digits and _ that do not begin with a digit or __, and none of check, command, item, metric, zone", name)
		case value == "" || !utf8.ValidString(value) || size > maxLabels:
			return l, fault("labels", "%s: want a text, and no more than %d bytes in all", name, maxLabels)
		}
		l.fixed = append(l.fixed, pair{name, value, name})
	}
	return l, nil
}

func isOwn(name string) bool {
	switch name {
	case labelCheck, labelCommand, labelItem, labelMetric, labelZone:
		return true
	}
	return false
}

// name gives the name of a check's label, "" for one that cannot be sent. Those
// that the operator or redpoll set cannot be set by a check.
func (l *labeler) name(from string) string {
	if len(from) > maxLabelName {
		return ""
	}
	name := from
	if !isName(from) {
		name = string(appendName(nil, from))
		if name == "" || name[0] >= '0' && name[0] <= '9' {
			name = "_" + name
		}
	}
	_, taken := slices.BinarySearchFunc(l.fixed, name, func(p pair, name string) int { return strings.Compare(p.name, name) })
	if taken || isOwn(name) || strings.HasPrefix(name, "__") {
		return otherLabel + name
	}
	return name
}

// labels are those that all series of a check share, encoded in their order,
// and the places in it where those of one series go.
type labels struct {
	text               []byte
	name, item, metric int
	pairs              []pair
}

// encode puts the labels of a check into to.
func (l *labeler) encode(to *labels, c *check.EventCheck) {
	all := append(to.pairs[:0], l.fixed...)
	all = append(all, pair{labelCheck, c.ID, ""}, pair{labelCommand, c.Command, ""}, pair{labelZone, c.Zone, ""})
	own := len(all)
	for from, value := range c.Labels {
		if name := l.name(from); name != "" && value != "" {
			all = append(all, pair{name, value, from})
		}
	}
	slices.SortFunc(all[own:], byName)
	all = slices.Clip(all[:own+shorten(all[own:])])
	slices.SortFunc(all, byName)
	to.text, to.name, to.item, to.metric = to.text[:0], 0, 0, 0
	for i := 0; i < len(all); {
		p := all[i]
		for i++; i < len(all) && all[i].name == p.name; i++ {
			p.value += ";" + all[i].value // two names that became one
		}
		if p.value == "" {
			continue // is the same as no label
		}
		to.text = appendLabel(to.text, p.name, p.value)
		if p.name < labelName {
			to.name = len(to.text)
		}
		if p.name < labelItem {
			to.item = len(to.text)
		}
		if p.name < labelMetric {
			to.metric = len(to.text)
		}
	}
	clear(all)
	to.pairs = all[:0]
}

func byName(a, b pair) int {
	return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.from, b.from))
}

// shorten cuts values and says how many of the labels there is room for.
func shorten(all []pair) int {
	size := 0
	for i := range all {
		p := &all[i]
		if len(p.value) > maxLabelValue {
			p.value = p.value[:maxLabelValue]
		}
		if !utf8.ValidString(p.value) { // before or by the cut
			p.value = strings.ToValidUTF8(p.value, "")
		}
		if size += len(p.name) + len(p.value); size > maxLabels {
			return i
		}
	}
	return len(all)
}

// appendLabel appends a label as a field of a time series.
func appendLabel(b []byte, name, value string) []byte {
	b = append(b, tagLabel)
	b = binary.AppendUvarint(b, uint64(fieldSize(len(name))+fieldSize(len(value))))
	b = append(b, tagLabelName)
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	b = append(b, tagLabelValue)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

func encodeLabel(name, value string) string { return string(appendLabel(nil, name, value)) }
