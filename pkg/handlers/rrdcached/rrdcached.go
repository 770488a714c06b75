// Package rrdcached is the handler that writes metrics into RRD files, through
// the socket of an rrdcached.
package rrdcached

import (
	"context"
	"fmt"
	"net"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/brace"
	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
	"github.com/redpoll/redpoll/pkg/handlers/internal/sample"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

const (
	batch    = 1000 // updates in one BATCH
	maxBytes = 64 << 20
)

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	// Addr is the socket: unix:/path, or host:port.
	Addr string `json:"addr"`
	// Path is the template of the names of files: one for each metric.
	Path string `json:"path"`
	// State says whether the state is written too, as a gauge of 0 to 3.
	State bool `json:"state"`
	// Archives are those of new files.
	Archives []Archive `json:"archives"`
	// Queue is how many updates may wait.
	Queue int `json:"queue"`
	// Flush is the most time that an update waits for company.
	Flush check.Duration `json:"flush"`
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings {
	const day = 24 * time.Hour
	return Settings{
		Addr: "unix:/run/rrdcached.sock", Path: "{zone}/{id}/{metric}.rrd", Queue: 100_000, Flush: check.Duration(time.Second),
		Archives: []Archive{
			{0, check.Duration(day)},
			{check.Duration(30 * time.Minute), check.Duration(7 * day)},
			{check.Duration(2 * time.Hour), check.Duration(31 * day)},
			{check.Duration(12 * time.Hour), check.Duration(366 * day)},
		},
	}
}

// Handler queues updates that its sender passes on. Process never waits for the
// network. It must be closed.
type Handler struct {
	Settings
	path  brace.Template
	box   *outbox.Box
	texts sync.Pool // of *[]byte, for Process

	// The sender's:
	client client
	all    []update
	text   []byte
}

// New makes handlers. Nobody is connected to before the first event.
func New(t tools.Tools) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) {
		h := &Handler{Settings: s}
		h.texts.New = func() any { return new([]byte) }
		var err error
		if h.client.network, h.client.addr, err = parseAddr(s.Addr); err != nil {
			return nil, fault("addr", "%v", err)
		}
		if h.path, err = parsePath(s.Path); err != nil {
			return nil, fault("path", "%v", err)
		}
		if err := checkArchives(s.Archives); err != nil {
			return nil, fault("archives", "%v", err)
		}
		if s.Queue < 1000 || s.Queue > 10_000_000 {
			return nil, fault("queue", "%d, want 1000 to 10000000 updates", s.Queue)
		}
		if s.Flush.D() < time.Millisecond || s.Flush.D() > time.Minute {
			return nil, fault("flush", "%v, want 1ms to 1m", s.Flush)
		}
		h.box = outbox.New(outbox.Config{
			Send: h.send, End: h.client.close, Values: s.Queue, Bytes: maxBytes, Batch: batch, Flush: s.Flush.D(), Log: t.Named("rrdcached", s.Addr),
		})
		return h, nil
	}
}

func fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// parseAddr reads the setting addr.
func parseAddr(text string) (network, addr string, err error) {
	if socket := strings.TrimPrefix(text, "unix:"); socket != text || strings.HasPrefix(text, "/") {
		if !path.IsAbs(socket) {
			return "", "", fmt.Errorf("%.64q, want unix: and an absolute path", text)
		}
		return "unix", socket, nil
	}
	if host, port, err := net.SplitHostPort(text); err != nil || host == "" || port == "" {
		return "", "", fmt.Errorf("%.64q, want unix:/path or host:port", text)
	}
	return "tcp", text, nil
}

// Process queues the event's metrics. The error says that some were dropped.
// Checks without a fixed interval are passed over: a file has one.
func (h *Handler) Process(_ context.Context, ev *check.Event) error {
	if ev.Check.Every <= 0 {
		return nil
	}
	buf := h.texts.Get().(*[]byte)
	defer h.texts.Put(buf)
	text := (*buf)[:0]
	values, long, stated := 0, 0, false
	for i := range ev.Result.Metrics {
		m := &ev.Result.Metrics[i]
		stated = stated || m.Name == "state"
		if m.Kind == check.KindString {
			continue
		}
		longer, ok := h.appendUpdate(text, ev, m)
		if !ok {
			long++
			continue
		}
		text = longer
		values++
	}
	if h.State && !stated {
		m := check.Gauge("state", float64(ev.Result.State), "")
		if longer, ok := h.appendUpdate(text, ev, &m); ok {
			text = longer
			values++
		}
	}
	*buf = text
	if long > 0 {
		h.box.Drop(long)
		return fmt.Errorf("rrdcached %s: %d metrics dropped, their paths are too long", h.Addr, long)
	}
	if values > 0 && !h.box.Add(text, values) {
		return fmt.Errorf("rrdcached %s: %d metrics dropped, the queue is full", h.Addr, values)
	}
	return nil
}

// appendUpdate appends the update of a metric; see update.
func (h *Handler) appendUpdate(b []byte, ev *check.Event, m *check.Metric) (out []byte, ok bool) {
	u := update{step: seconds(ev.Check.Every), kind: kindOf(m), millis: max(sample.Millis(ev, m), 0)}
	b = u.appendHead(b, m.Name)
	start := len(b)
	b, _ = h.path.Append(b, &ev.Check, appendEscaped, m.Name)
	if !fits(b[start:]) {
		return nil, false
	}
	return u.appendValue(b, m), true
}

// seconds is an interval in whole seconds, rounded up: what a file can have.
func seconds(d check.Duration) int64 { return int64((d.D() + time.Second - 1) / time.Second) }

// Stats tells what became of the updates.
func (h *Handler) Stats() check.OutputStats { return h.box.Stats() }

// Close sends what waits and ends. Events must not come any more.
func (h *Handler) Close() error { return h.box.Close() }
