// Package statsd is the handler that sends metrics as gauges to a statsd
// server, by UDP.
package statsd

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/brace"
	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
	"github.com/redpoll/redpoll/pkg/handlers/internal/sample"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

const (
	maxDatagram = 1432    // Ethernet's 1500 less the headers of IPv6 and UDP, rounded as statsd does
	maxQueue    = 10_000  // gauges that wait to be sent
	maxBytes    = 1 << 20 // likewise
	batch       = 128     // gauges that are sent at once: a few datagrams
)

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	// Addr is the server, host:port.
	Addr string `json:"addr"`
	// Prefix is the template that the names of metrics are appended to.
	Prefix string `json:"prefix"`
	// Tags are DogStatsD tags, a template each. Empty: none are sent.
	Tags map[string]string `json:"tags"`
	// State says whether the state is sent too, as a gauge of 0 to 3.
	State bool `json:"state"`
	// Flush is the most time that a metric waits for company.
	Flush check.Duration `json:"flush"`
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings {
	return Settings{Addr: "127.0.0.1:8125", Prefix: "redpoll.{zone}.{id}", Flush: check.Duration(500 * time.Millisecond)}
}

// tag is a DogStatsD tag.
type tag struct {
	name  string
	value brace.Template
}

// Handler collects gauges that its sender packs into datagrams. Process never
// waits for the network. It must be closed.
type Handler struct {
	Settings
	prefix brace.Template
	tags   []tag // sorted by name
	box    *outbox.Box
	socket socket // the sender's
}

// inName says what texts of names may have.
var inName = brace.Rules{
	Literal: func(c byte) bool { return c > ' ' && c != 0x7f && strings.IndexByte(":|@#,", c) < 0 },
	Want:    "a name cannot have } : | @ # , or spaces",
}

// New makes handlers. Nothing is sent or resolved before the first event.
func New(t tools.Tools) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) {
		h := &Handler{Settings: s}
		if host, port, err := net.SplitHostPort(s.Addr); err != nil || host == "" || port == "" {
			return nil, &check.FieldError{Field: "addr", Msg: fmt.Sprintf("%.64q, want host:port", s.Addr)}
		}
		if s.Flush.D() < time.Millisecond || s.Flush.D() > time.Second {
			return nil, &check.FieldError{Field: "flush", Msg: fmt.Sprintf("%v, want 1ms to 1s", s.Flush)}
		}
		var err error
		if h.prefix, err = brace.Parse(s.Prefix, inName); err != nil {
			return nil, &check.FieldError{Field: "prefix", Msg: err.Error()}
		}
		for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
			value, err := brace.Parse(s.Tags[name], inName)
			if err != nil || string(appendClean(nil, name)) != name || name == "" {
				return nil, &check.FieldError{Field: "tags." + name, Msg: fmt.Sprintf("no name of a tag, or %v", err)}
			}
			h.tags = append(h.tags, tag{name, value})
		}
		h.box = outbox.New(outbox.Config{
			Send: h.send, End: h.socket.close, Values: maxQueue, Bytes: maxBytes, Batch: batch, Flush: s.Flush.D(), Log: t.Named("statsd", s.Addr),
		})
		return h, nil
	}
}

// Process queues the event's metrics. The error says that some were dropped.
func (h *Handler) Process(_ context.Context, ev *check.Event) error {
	l := line{prefix: make([]byte, 0, 256)}
	if l.prefix, _ = h.prefix.Append(l.prefix, &ev.Check, appendClean); len(l.prefix) > 0 {
		l.prefix = append(l.prefix, '.')
	}
	l.suffix = h.suffix(&ev.Check)
	var dropped int
	for i := range ev.Result.Metrics {
		if m := &ev.Result.Metrics[i]; sample.Finite(m) && !h.add(l.metric(m)) {
			dropped++
		}
	}
	if h.State && !h.add(l.state(ev.Result.State)) {
		dropped++
	}
	if dropped > 0 {
		return fmt.Errorf("statsd %s: %d metrics dropped, the queue is full or the line too long", h.Addr, dropped)
	}
	return nil
}

// add queues a gauge.
func (h *Handler) add(text []byte) bool {
	if len(text)-1 > maxDatagram { // the newline at its end is not sent
		h.box.Drop(1)
		return false
	}
	return h.box.Add(text, 1)
}

// Stats tells what became of the gauges.
func (h *Handler) Stats() check.OutputStats { return h.box.Stats() }

// Close sends what waits and ends. Events must not come any more.
func (h *Handler) Close() error { return h.box.Close() }

// suffix is what stands after the value: the type and the tags.
func (h *Handler) suffix(c *check.EventCheck) []byte {
	b := append(make([]byte, 0, 64), "|g"...)
	sep := byte('#')
	for _, t := range h.tags {
		value, whole := t.value.Append(nil, c, appendClean)
		if !whole {
			continue // a tag without its value says nothing
		}
		if sep == '#' {
			b = append(b, '|')
		}
		b = append(append(append(append(b, sep), t.name...), ':'), value...)
		sep = ','
	}
	return b
}

// line makes the lines of one event, which differ in name and value only.
type line struct{ prefix, suffix, buf []byte }

// metric gives the lines of a metric.
func (l *line) metric(m *check.Metric) []byte {
	l.buf = l.buf[:0]
	if m.Kind == check.KindCounter {
		l.start(m.Name)
		l.buf = strconv.AppendUint(l.buf, m.Count, 10)
		return l.end()
	}
	// A value with a sign would be added to what the server has, so a 0 goes
	// before a negative one, in the same datagram.
	if m.Value < 0 {
		l.start(m.Name)
		l.buf = append(l.buf, '0')
		l.end()
	}
	format := byte('f')
	if a := math.Abs(m.Value); a >= 1e18 || a != 0 && a < 1e-12 {
		format = 'e' // hundreds of zeros help nobody
	}
	l.start(m.Name)
	l.buf = strconv.AppendFloat(l.buf, m.Value+0, format, -1, 64)
	return l.end()
}

// state gives the line of the state.
func (l *line) state(s check.State) []byte {
	l.buf = l.buf[:0]
	l.start("state")
	l.buf = strconv.AppendUint(l.buf, uint64(s), 10)
	return l.end()
}

// start begins a line, up to the value.
func (l *line) start(name string) {
	l.buf = append(l.buf, l.prefix...)
	l.buf = append(append(l.buf, name...), ':')
}

// end ends a line and gives all there are.
func (l *line) end() []byte {
	l.buf = append(append(l.buf, l.suffix...), '\n')
	return l.buf
}

// appendClean appends value as one part of a name: what means something to
// statsd or to Graphite becomes an underscore, the dot too, and all that is no
// printable ASCII.
func appendClean(b []byte, value string) []byte {
	const limit = 128 // bytes of a value; ids are no longer
	for i := range min(len(value), limit) {
		switch c := value[i]; {
		case c <= ' ' || c >= 0x7f, strings.IndexByte(".:|@#,/\\{}*?\"';()[]<>", c) >= 0:
			b = append(b, '_')
		default:
			b = append(b, c)
		}
	}
	return b
}
