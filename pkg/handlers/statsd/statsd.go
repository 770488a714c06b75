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
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	maxDatagram = 1432 // Ethernet's 1500 less the headers of IPv6 and UDP, rounded as statsd does
	maxQueue    = 256  // datagrams that wait to be sent: 360 KiB
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

// Stats count what became of the lines.
type Stats struct {
	Sent    uint64 // handed to the network
	Dropped uint64 // the queue was full, or the line too long
	Failed  uint64 // the network refused them
}

// tag is a DogStatsD tag.
type tag struct {
	name  string
	value template
}

// Handler collects lines in datagrams that its sender sends. Process never
// waits for the network. It must be closed.
type Handler struct {
	Settings
	prefix template
	tags   []tag // sorted by name

	mu    sync.Mutex // guards all below
	open  datagram   // not full yet
	stats Stats

	queue chan datagram
	stop  chan struct{} // closed by Close
	once  sync.Once     // starts the sender
	ended sync.Once     // closes stop
	work  sync.WaitGroup
}

// datagram is lines with a newline after each, and how many they are.
type datagram struct {
	text  []byte
	lines uint64
}

// New makes the handler. Nothing is sent or resolved before the first event.
func New(s Settings) (check.Handler, error) {
	h := &Handler{Settings: s, queue: make(chan datagram, maxQueue), stop: make(chan struct{})}
	if host, port, err := net.SplitHostPort(s.Addr); err != nil || host == "" || port == "" {
		return nil, &check.FieldError{Field: "addr", Msg: fmt.Sprintf("%.64q, want host:port", s.Addr)}
	}
	if s.Flush.D() < time.Millisecond || s.Flush.D() > time.Second {
		return nil, &check.FieldError{Field: "flush", Msg: fmt.Sprintf("%v, want 1ms to 1s", s.Flush)}
	}
	var err error
	if h.prefix, err = parseTemplate(s.Prefix); err != nil {
		return nil, &check.FieldError{Field: "prefix", Msg: err.Error()}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		value, err := parseTemplate(s.Tags[name])
		if err != nil || string(appendClean(nil, name)) != name || name == "" {
			return nil, &check.FieldError{Field: "tags." + name, Msg: fmt.Sprintf("no name of a tag, or %v", err)}
		}
		h.tags = append(h.tags, tag{name, value})
	}
	return h, nil
}

// Process queues the event's metrics. The error says that some were dropped.
func (h *Handler) Process(_ context.Context, ev *check.Event) error {
	h.once.Do(func() { h.work.Go(h.send) })
	l := line{prefix: make([]byte, 0, 256)}
	if l.prefix, _ = h.prefix.appendTo(l.prefix, &ev.Check); len(l.prefix) > 0 {
		l.prefix = append(l.prefix, '.')
	}
	l.suffix = h.suffix(&ev.Check)
	var dropped int
	for _, m := range ev.Result.Metrics {
		value, negative, ok := number(m)
		if ok && !h.add(l.gauge(m.Name, value, negative)) {
			dropped++
		}
	}
	if h.State && !h.add(l.gauge("state", strconv.Itoa(int(ev.Result.State)), false)) {
		dropped++
	}
	if dropped > 0 {
		return fmt.Errorf("statsd %s: %d metrics dropped, the queue is full or the line too long", h.Addr, dropped)
	}
	return nil
}

// suffix is what stands after the value: the type and the tags.
func (h *Handler) suffix(c *check.EventCheck) []byte {
	b := append(make([]byte, 0, 64), "|g"...)
	sep := byte('#')
	for _, t := range h.tags {
		value, whole := t.value.appendTo(nil, c)
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

// gauge gives the lines that set a gauge. A value with a sign would be added
// to what the server has, so a 0 goes before a negative one, in the same
// datagram.
func (l *line) gauge(name, value string, negative bool) (text []byte, lines uint64) {
	l.buf, lines = l.buf[:0], 1
	put := func(value string) {
		l.buf = append(l.buf, l.prefix...)
		l.buf = append(append(l.buf, name...), ':')
		l.buf = append(append(l.buf, value...), l.suffix...)
		l.buf = append(l.buf, '\n')
	}
	if negative {
		put("0")
		lines = 2
	}
	put(value)
	return l.buf, lines
}

// number writes a metric's value; texts have none, and what is no number.
func number(m check.Metric) (text string, negative, ok bool) {
	switch m.Kind {
	case check.KindCounter:
		return strconv.FormatUint(m.Count, 10), false, true
	case check.KindGauge:
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			return "", false, false
		}
		format := byte('f')
		if a := math.Abs(m.Value); a >= 1e18 || a != 0 && a < 1e-12 {
			format = 'e' // hundreds of zeros help nobody
		}
		return strconv.FormatFloat(m.Value+0, format, -1, 64), m.Value < 0, true
	}
	return "", false, false
}
