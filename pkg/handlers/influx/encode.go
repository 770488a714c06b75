package influx

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/sample"
)

// encoder writes the points of one event: a line for each item and time.
//
//	measurement,tag=value,... field=value,... milliseconds
type encoder struct {
	h      *Handler
	ev     *check.Event
	head   []byte // measurement and tags
	tags   int    // where in head the tags begin
	own    bool   // the check's own figures are still to be written
	out    []byte
	values int
	names  []string
	done   []bool // which metrics were written
}

// start begins with an event.
func (e *encoder) start(h *Handler, ev *check.Event) {
	e.h, e.ev, e.out, e.values = h, ev, e.out[:0], 0
	c := &ev.Check
	e.head, _ = h.measurement.Append(e.head[:0], c, appendMeasurement)
	if first := e.head[0]; first == '#' || first == '_' { // a comment, a name that is reserved
		e.head = append([]byte{'m'}, e.head...)
	}
	e.tags = len(e.head)
	e.tag(tagCheck, c.ID)
	e.tag(tagCommand, c.Command)
	e.tag(tagZone, c.Zone)
	for _, t := range h.tags {
		before := len(e.head)
		e.head = appendName(append(e.head, ','), t.name)
		var whole bool
		if e.head, whole = t.value.Append(append(e.head, '='), c, appendName); !whole {
			e.head = e.head[:before] // a tag without its value says nothing
		}
	}
	e.names = labelNames(e.names[:0], c)
	for _, name := range e.names {
		value := c.Labels[name]
		if h.taken(name) {
			name = otherTag + name
		}
		e.tag(name, value)
	}
}

// tag writes a tag, unless there is one of that name.
func (e *encoder) tag(name, value string) {
	before := len(e.head)
	e.head = append(appendName(append(e.head, ','), name), '=')
	if value == "" || bytes.Contains(e.head[e.tags:before], e.head[before:]) {
		e.head = e.head[:before]
		return
	}
	e.head = appendName(e.head, value)
}

// points writes all lines: the check's own figures first, with the metrics that
// have no item.
func (e *encoder) points() {
	metrics := e.ev.Result.Metrics
	e.done = slices.Grow(e.done[:0], len(metrics))[:len(metrics)]
	clear(e.done)
	e.own = true
	e.line("", sample.Millis(e.ev, &check.Metric{}), 0)
	e.own = false
	for i := range metrics {
		if !e.done[i] {
			_, item := sample.Split(metrics[i].Name)
			e.line(item, sample.Millis(e.ev, &metrics[i]), i)
		}
	}
}

// line writes a line with the metrics from i on that have the item and time. One
// without fields is left out.
func (e *encoder) line(item string, millis int64, i int) {
	before := len(e.out)
	e.out = append(e.out, e.head...)
	if item != "" {
		e.out = append(append(e.out, ','), tagItem...)
		e.out = appendName(append(e.out, '='), item)
	}
	sep := byte(' ')
	state, reason, text := e.own && e.h.State, e.own && e.h.Texts, e.own && e.h.Texts
	metrics := e.ev.Result.Metrics
	for ; i < len(metrics); i++ {
		m := &metrics[i]
		figure, its := sample.Split(m.Name)
		if e.done[i] || its != item || sample.Millis(e.ev, m) != millis {
			continue
		}
		e.done[i] = true
		if e.field(sep, figure, m) {
			sep = ','
			state, reason, text = state && figure != "state", reason && figure != "reason", text && figure != "text"
		}
	}
	if state {
		e.begin(&sep, "state=")
		e.out = append(strconv.AppendInt(e.out, int64(e.ev.Result.State), 10), 'i')
	}
	if reason && e.ev.Result.Reason != "" {
		e.begin(&sep, "reason=")
		e.out = appendText(e.out, e.ev.Result.Reason)
	}
	if text && e.ev.Result.Text != "" {
		e.begin(&sep, "text=")
		e.out = appendText(e.out, e.ev.Result.Text)
	}
	if sep == ' ' {
		e.out = e.out[:before]
		return
	}
	e.out = strconv.AppendInt(append(e.out, ' '), millis, 10)
	e.out = append(e.out, '\n')
}

// begin begins a field that is no metric.
func (e *encoder) begin(sep *byte, name string) {
	e.out = append(append(e.out, *sep), name...)
	*sep = ','
	e.values++
}

// field writes a metric as a field; false if it cannot be one.
func (e *encoder) field(sep byte, figure string, m *check.Metric) bool {
	if m.Kind == check.KindString && !e.h.Texts || m.Kind != check.KindString && !sample.Finite(m) || figure == "" {
		return false
	}
	if figure == "time" { // which InfluxDB has for itself
		figure = "time_value"
	}
	e.out = append(appendName(append(e.out, sep), figure), '=')
	e.values++
	switch {
	case m.Kind == check.KindString:
		e.out = appendText(e.out, m.Str)
	case m.Kind == check.KindGauge:
		e.out = strconv.AppendFloat(e.out, m.Value, 'g', -1, 64)
	case e.h.unsigned:
		e.out = append(strconv.AppendUint(e.out, m.Count, 10), 'u')
	default: // version 1 has 63 bits: the highest is left out, and rates stay right
		e.out = append(strconv.AppendUint(e.out, m.Count&math.MaxInt64, 10), 'i')
	}
	return true
}
