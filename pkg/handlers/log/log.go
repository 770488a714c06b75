// Package log is the handler that writes one log line for each event.
package log

import (
	"context"
	"log/slog"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	// Level is debug, info, warn or error: that of the lines.
	Level slog.Level `json:"level"`
	// Metrics says whether the lines have the metrics too.
	Metrics bool `json:"metrics"`
	// Changes says whether only events that change an incident are written.
	Changes bool `json:"changes"`
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings { return Settings{Level: slog.LevelInfo, Metrics: true} }

type handler struct {
	Settings
	log *slog.Logger
}

// New makes the handler that writes to l.
func New(l *slog.Logger) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) { return &handler{Settings: s, log: l}, nil }
}

// Process writes the line.
func (h *handler) Process(ctx context.Context, ev *check.Event) error {
	if h.Changes && ev.Change == check.ChangeNone || !h.log.Enabled(ctx, h.Level) {
		return nil
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("check", ev.Check.ID), slog.String("zone", ev.Check.Zone),
		slog.String("command", ev.Check.Command), slog.String("state", ev.Result.State.String()))
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("reason", ev.Result.Reason)
	text("text", ev.Result.Text)
	text("change", string(ev.Change))
	if ev.Incident != nil {
		text("incident", ev.Incident.ID)
	}
	attrs = append(attrs, slog.Time("planned", time.UnixMilli(ev.Planned).UTC()),
		slog.Duration("took", time.Duration(ev.Finished-ev.Started)*time.Millisecond))
	text("worker", ev.Worker)
	if h.Metrics && len(ev.Result.Metrics) > 0 {
		attrs = append(attrs, slog.Attr{Key: "metrics", Value: slog.GroupValue(metrics(ev.Result.Metrics)...)})
	}
	h.log.LogAttrs(ctx, h.Level, "result", attrs...)
	return nil
}

func metrics(all []check.Metric) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(all))
	for _, m := range all {
		switch m.Kind {
		case check.KindCounter:
			attrs = append(attrs, slog.Uint64(m.Name, m.Count))
		case check.KindString:
			attrs = append(attrs, slog.String(m.Name, m.Str))
		default:
			attrs = append(attrs, slog.Float64(m.Name, m.Value))
		}
	}
	return attrs
}
