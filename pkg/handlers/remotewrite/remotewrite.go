// Package remotewrite is the handler that sends metrics to Prometheus and its
// like, by version 1 of the remote write protocol.
package remotewrite

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

const maxBytes = 64 << 20 // that may wait

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	post.Settings
	// URL is the receiver's, path included.
	URL string `json:"url"`
	// Prefix begins the names of all series.
	Prefix string `json:"prefix"`
	// Labels are on all series.
	Labels map[string]string `json:"labels"`
	// State says whether the state of each check is sent too.
	State bool `json:"state"`
	// MaxBatch is how many values a request has at most.
	MaxBatch int `json:"max_batch"`
	// Queue is how many values may wait.
	Queue int `json:"queue"`
	// Flush is the most time that a value waits for company.
	Flush check.Duration `json:"flush"`
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings {
	return Settings{Prefix: "redpoll_", State: true, MaxBatch: 2000, Queue: 100_000, Flush: check.Duration(time.Second)}
}

// Handler queues samples that its sender passes on. Process never waits for the
// network. It must be closed.
type Handler struct {
	Settings
	url      *url.URL
	client   *post.Client
	box      *outbox.Box
	labels   labeler
	shapes   shapes
	encoders sync.Pool // of *encoder
	body     []byte    // the sender's
}

// New makes handlers. Nobody is connected to before the first event.
func New(t tools.Tools) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) {
		h := &Handler{Settings: s}
		h.encoders.New = func() any { return new(encoder) }
		var err error
		if h.url, err = post.ParseURL("url", s.URL); err != nil {
			return nil, err
		}
		if s.Prefix != "" && !isName(s.Prefix) {
			return nil, fault("prefix", "%.64q, want letters, digits and _, and no digit first", s.Prefix)
		}
		if h.labels, err = newLabeler(s.Labels); err != nil {
			return nil, err
		}
		if s.MaxBatch < 1 || s.MaxBatch > 20_000 {
			return nil, fault("max_batch", "%d, want 1 to 20000 values", s.MaxBatch)
		}
		if s.Queue < max(1000, s.MaxBatch) || s.Queue > 10_000_000 {
			return nil, fault("queue", "%d, want 1000 to 10000000 values, and at least a max_batch", s.Queue)
		}
		if s.Flush.D() < time.Millisecond || s.Flush.D() > time.Minute {
			return nil, fault("flush", "%v, want 1ms to 1m", s.Flush)
		}
		if h.client, err = post.New(s.Settings, t); err != nil {
			return nil, err
		}
		h.box = outbox.New(outbox.Config{
			Send: h.send, End: func() { _ = h.client.Close() }, Values: s.Queue, Bytes: maxBytes, Batch: s.MaxBatch, Flush: s.Flush.D(),
			Log: t.Named("remote_write", h.url.Scheme+"://"+h.url.Host+h.url.Path),
		})
		return h, nil
	}
}

func fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// Process queues the event's metrics, and markers for the series that its check
// had and has no more. The error says that all were dropped.
func (h *Handler) Process(_ context.Context, ev *check.Event) error {
	now, before := h.shapes.swap(checkKey{ev.Check.Zone, ev.Check.ID}, h.Prefix, ev.Result.Metrics, h.State)
	e := h.encoders.Get().(*encoder)
	defer h.encoders.Put(e)
	e.ev, e.out, e.values = ev, e.out[:0], 0
	h.labels.encode(&e.labels, &ev.Check)
	e.samples(now)
	if before != nil && before != now {
		e.stale(now, before)
	}
	e.ev = nil
	if e.values > 0 && !h.box.Add(e.out, e.values) {
		return fmt.Errorf("remote_write %s: %d values dropped, the queue is full", h.url.Host, e.values)
	}
	return nil
}

// Stats tells what became of the values.
func (h *Handler) Stats() check.OutputStats { return h.box.Stats() }

// Close sends what waits and ends. Events must not come any more.
func (h *Handler) Close() error { return h.box.Close() }
