package influx

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/brace"
)

// Tags that redpoll itself sets.
const (
	tagCheck   = "check"
	tagCommand = "command"
	tagItem    = "item"
	tagZone    = "zone"
)

const (
	maxTagName  = 128      // bytes
	maxTagValue = 1 << 10  // bytes; what is longer is cut
	maxTags     = 4 << 10  // bytes of a check's labels; what is more is left out
	otherTag    = "label_" // goes before the name of a label that is taken
)

// tag is a tag that handlers.yaml sets.
type tag struct {
	name  string
	value brace.Template
}

// inText says what templates may have.
var inText = brace.Rules{
	Literal: func(c byte) bool { return c >= ' ' && c != 0x7f && c != '\\' },
	Want:    "want no }, no backslash and no control characters",
	Clean:   true,
}

// names reads measurement and tags.
func (h *Handler) names() (err error) {
	if h.measurement, err = brace.Parse(h.Measurement, inText); err != nil {
		return fault("measurement", "%v", err)
	}
	if h.Measurement == "" || strings.ContainsRune("#_", rune(h.Measurement[0])) {
		return fault("measurement", "%.64q, want a name that does not begin with # or _", h.Measurement)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Tags)) {
		value, err := brace.Parse(h.Tags[name], inText)
		if err == nil && (!isPlainName(name) || isOwn(name) || h.Tags[name] == "") {
			return fault("tags", "%.64q: want a name of letters, digits and _ . - that does not begin with _, none of check, command, item, zone and time, and a value", name)
		}
		if err != nil {
			return fault("tags", "%s: %v", name, err)
		}
		h.tags = append(h.tags, tag{name, value})
	}
	return nil
}

func isPlainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return name != "" && name[0] != '_' && len(name) <= maxTagName
}

// isOwn says whether a name is one that no other tag may have. InfluxDB has time
// for itself.
func isOwn(name string) bool {
	switch name {
	case tagCheck, tagCommand, tagItem, tagZone, "time":
		return true
	}
	return false
}

// taken says whether a check's label may not have its name as a tag.
func (h *Handler) taken(name string) bool {
	return isOwn(name) || name[0] == '_' || slices.ContainsFunc(h.tags, func(t tag) bool { return t.name == name })
}

// labelNames gives the names of the labels that can be tags, sorted, as long as
// there is room.
func labelNames(names []string, c *check.EventCheck) []string {
	for name, value := range c.Labels {
		if name != "" && value != "" && len(name) <= maxTagName {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	size := 0
	for i, name := range names {
		if size += len(name) + min(len(c.Labels[name]), maxTagValue); size > maxTags {
			return names[:i]
		}
	}
	return names
}

// appendName appends the name of a tag or of a field, or the value of a tag, and
// appendMeasurement a (part of a) measurement.
func appendName(b []byte, text string) []byte { return appendEscaped(b, text, ",= ") }

func appendMeasurement(b []byte, text string) []byte { return appendEscaped(b, text, ", ") }

// appendEscaped puts a backslash before what means something. Backslashes become
// slashes: there is no way to write one in front of something that is escaped
// itself. Control characters become underscores.
func appendEscaped(b []byte, text, escape string) []byte {
	for _, r := range text[:cut(text, maxTagValue)] {
		switch {
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			b = append(b, '_')
		case r == '\\':
			b = append(b, '/')
		case strings.ContainsRune(escape, r):
			b = append(b, '\\', byte(r))
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// cut is the most bytes of text, at most limit, that end with a whole character.
func cut(text string, limit int) int {
	if len(text) <= limit {
		return len(text)
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return limit
}

// appendText appends a text as the value of a field.
func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for _, r := range text {
		switch {
		case r < ' ' || r == 0x7f:
			b = append(b, ' ')
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		default: // what is no UTF-8 becomes U+FFFD
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
