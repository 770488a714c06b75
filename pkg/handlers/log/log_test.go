package log

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
)

func event() *check.Event {
	return &check.Event{
		Check: check.EventCheck{ID: "web1", Zone: "default", Command: "http"},
		Result: check.Result{State: check.StateCrit, Reason: "UNREACHABLE", Text: "down\nx=y", Metrics: []check.Metric{
			check.Seconds("resp_seconds", 1500e6), check.Counter("in", 7, 64, ""), check.String("name", "a b"),
		}},
		Planned: 1000, Started: 1010, Finished: 2510, Worker: "w1",
		Change: check.ChangeOpen, Incident: &check.Incident{ID: "default/web1/1000"},
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	const whole = `level=INFO msg=result check=web1 zone=default command=http state=CRIT reason=UNREACHABLE text="down\nx=y" change=open incident=default/web1/1000 planned=1970-01-01T00:00:01.000Z took=1.5s worker=w1 metrics.resp_seconds=1.5 metrics.in=7 metrics.name="a b"`
	plain := event()
	plain.Result, plain.Change, plain.Incident = check.Result{}, check.ChangeNone, nil
	const short = `level=WARN msg=result check=web1 zone=default command=http state=OK planned=1970-01-01T00:00:01.000Z took=1.5s worker=w1`
	for _, tt := range []struct {
		name, settings string
		ev             *check.Event
		want           string
	}{
		{"whole", `{}`, event(), whole},
		{"without metrics", `{"metrics":false}`, event(), whole[:strings.Index(whole, " metrics")]},
		{"level", `{"level":"warn"}`, plain, short},
		{"below the level", `{"level":"debug"}`, event(), ""},
		{"changes only", `{"changes":true}`, plain, ""},
		{"changes", `{"changes":"true"}`, event(), whole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}}))
			h, err := check.TypedHandler(Defaults(), New(l))(json.RawMessage(tt.settings))
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Process(t.Context(), tt.ev); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSuffix(out.String(), "\n"); got != tt.want {
				t.Fatalf("line = %s\nwant   %s", got, tt.want)
			}
		})
	}
	if _, err := check.TypedHandler(Defaults(), New(slog.New(slog.DiscardHandler)))(json.RawMessage(`{"level":"loud"}`)); err == nil {
		t.Error("level loud = nil, want an error")
	}
}

func BenchmarkProcess(b *testing.B) {
	h, err := New(slog.New(slog.NewTextHandler(io.Discard, nil)))(Defaults())
	if err != nil {
		b.Fatal(err)
	}
	handlertest.Bench(b, h)
}
