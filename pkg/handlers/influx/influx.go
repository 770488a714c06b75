// Package influx is the handler that writes metrics to InfluxDB and its like, in
// line protocol over HTTP.
package influx

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/brace"
	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

const maxBytes = 64 << 20 // that may wait

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	post.Settings
	// URL is the server's.
	URL string `json:"url"`
	// DB and RP are database and retention policy of version 1.
	DB string `json:"db"`
	RP string `json:"rp"`
	// Org, Bucket and Token are what version 2 has instead.
	Org    string       `json:"org"`
	Bucket string       `json:"bucket"`
	Token  check.Secret `json:"token"`
	// Measurement is the template of the measurement's name.
	Measurement string `json:"measurement"`
	// Tags are further tags, a template each.
	Tags map[string]string `json:"tags"`
	// State says whether the state is a field too.
	State bool `json:"state"`
	// Texts says whether reason, text and text metrics are fields too.
	Texts bool `json:"texts"`
	// Unsigned says whether counters are written as unsigned integers; nil: in
	// version 2 only.
	Unsigned *bool `json:"unsigned"`
	// Gzip says whether bodies are compressed.
	Gzip bool `json:"gzip"`
	// MaxBatch is how many values a request has at most.
	MaxBatch int `json:"max_batch"`
	// Queue is how many values may wait.
	Queue int `json:"queue"`
	// Flush is the most time that a value waits for company.
	Flush check.Duration `json:"flush"`
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings {
	return Settings{
		Measurement: "{command}", State: true, Gzip: true, MaxBatch: 5000, Queue: 100_000, Flush: check.Duration(time.Second),
	}
}

// Handler queues points that its sender passes on. Process never waits for the
// network. It must be closed.
type Handler struct {
	Settings
	url         *url.URL
	client      *post.Client
	box         *outbox.Box
	measurement brace.Template
	tags        []tag // sorted by name
	unsigned    bool
	encoders    sync.Pool // of *encoder
	zip         zipper    // the sender's
}

// New makes handlers. Nobody is connected to before the first event.
func New(t tools.Tools) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) {
		h := &Handler{Settings: s, unsigned: s.Bucket != ""}
		h.encoders.New = func() any { return new(encoder) }
		if s.Unsigned != nil {
			h.unsigned = *s.Unsigned
		}
		var err error
		if h.url, err = writeURL(&s); err != nil {
			return nil, err
		}
		if err := h.names(); err != nil {
			return nil, err
		}
		if err := checkBounds(&s); err != nil {
			return nil, err
		}
		if !s.Token.IsZero() {
			s.Bearer, s.Scheme = s.Token, "Token"
		}
		if h.client, err = post.New(s.Settings, t); err != nil {
			return nil, err
		}
		h.box = outbox.New(outbox.Config{
			Send: h.send, End: func() { _ = h.client.Close() }, Values: s.Queue, Bytes: maxBytes, Batch: s.MaxBatch, Flush: s.Flush.D(),
			Log: t.Named("influx", h.url.Scheme+"://"+h.url.Host+h.url.Path),
		})
		return h, nil
	}
}

func fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// writeURL makes the URL that points are sent to.
func writeURL(s *Settings) (*url.URL, error) {
	base, err := post.ParseURL("url", s.URL)
	if err != nil {
		return nil, err
	}
	if base.Path == "" {
		base.Path = "/"
	}
	query := base.Query()
	query.Set("precision", "ms")
	switch {
	case s.DB == "" && s.Bucket == "":
		return nil, fault("db", "is needed, or org and bucket for version 2")
	case s.DB != "" && (s.Bucket != "" || s.Org != ""):
		return nil, fault("db", "stands beside no org and bucket")
	case s.DB == "" && s.RP != "":
		return nil, fault("rp", "needs db")
	case s.Bucket != "" && s.Org == "":
		return nil, fault("org", "is needed beside bucket")
	case !s.Token.IsZero() && (s.User != "" || !s.Bearer.IsZero()):
		return nil, fault("token", "stands beside no user or bearer")
	case s.DB != "":
		query.Set("db", s.DB)
		if s.RP != "" {
			query.Set("rp", s.RP)
		}
		base = base.JoinPath("write")
	default:
		query.Set("org", s.Org)
		query.Set("bucket", s.Bucket)
		base = base.JoinPath("api/v2/write")
	}
	base.RawQuery = query.Encode()
	return base, nil
}

func checkBounds(s *Settings) error {
	switch {
	case s.MaxBatch < 1 || s.MaxBatch > 50_000:
		return fault("max_batch", "%d, want 1 to 50000 values", s.MaxBatch)
	case s.Queue < max(1000, s.MaxBatch) || s.Queue > 10_000_000:
		return fault("queue", "%d, want 1000 to 10000000 values, and at least a max_batch", s.Queue)
	case s.Flush.D() < time.Millisecond || s.Flush.D() > time.Minute:
		return fault("flush", "%v, want 1ms to 1m", s.Flush)
	}
	return nil
}

// Process queues the event's metrics. The error says that they were dropped.
func (h *Handler) Process(_ context.Context, ev *check.Event) error {
	e := h.encoders.Get().(*encoder)
	defer h.encoders.Put(e)
	e.start(h, ev)
	e.points()
	out, values := e.out, e.values
	e.h, e.ev = nil, nil
	if values > 0 && !h.box.Add(out, values) {
		return fmt.Errorf("influx %s: %d values dropped, the queue is full", h.url.Host, values)
	}
	return nil
}

// Stats tells what became of the values.
func (h *Handler) Stats() check.OutputStats { return h.box.Stats() }

// Close sends what waits and ends. Events must not come any more.
func (h *Handler) Close() error { return h.box.Close() }
