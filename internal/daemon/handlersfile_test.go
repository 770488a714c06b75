package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// sink is a handler with settings that notes whether it was closed.
type sink struct {
	Addr   string            `json:"addr"`
	Port   int               `json:"port"`
	Labels map[string]string `json:"labels"`
	closed *bool
}

func (s sink) Process(context.Context, *check.Event) error { return nil }

func (s sink) Close() error {
	*s.closed = true
	return nil
}

// either is a deliverer that takes results as well, pager takes changes only,
// and mutant changes events.
type either struct{}

func (either) Process(context.Context, *check.Event) error { return nil }

func (either) Deliver(context.Context, check.Delivery) (string, error) { return "", nil }

type pager struct {
	check.StreamOnly
	noDeliver
}

type noDeliver struct{}

func (noDeliver) Deliver(context.Context, check.Delivery) (string, error) { return "", nil }

type mutant struct{ either }

func (mutant) Mutate(context.Context, *check.Event) error { return nil }

func sinks(closed *bool) check.Handlers {
	return check.Handlers{
		"sink": check.TypedHandler(sink{Port: 1, closed: closed}, func(s sink) (check.Handler, error) {
			if s.Addr == "" {
				return nil, errors.New("addr: want host:port")
			}
			return s, nil
		}),
		"page": check.TypedHandler(struct{}{}, func(struct{}) (check.Handler, error) { return pager{}, nil }),
		"both": check.TypedHandler(struct{}{}, func(struct{}) (check.Handler, error) { return struct{ either }{}, nil }),
		"wild": check.TypedHandler(struct{}{}, func(struct{}) (check.Handler, error) { return mutant{}, nil }),
		"raw":  func(text json.RawMessage) (check.Handler, error) { return nil, fmt.Errorf("got %s", text) },
	}
}

func TestParseHandlers(t *testing.T) {
	t.Parallel()
	closed := false
	got, err := ParseHandlers("h.yaml", []byte(`# outputs
- name: metrics
  type: sink
  addr: 127.0.0.1:1
  labels: {site: fra}
- {name: second, type: sink, addr: "x", port: 7, delivery: inline, default: true, timeout: 1m}
`), sinks(&closed))
	if err != nil || len(got) != 2 {
		t.Fatalf("ParseHandlers() = %v, %v, want two entries", got, err)
	}
	first, second := got[0], got[1]
	if first.GiveUp != 0 || first.Concurrency != 0 || first.States != nil || first.Labels != nil || first.Only != "" {
		t.Errorf("first = %+v, want nothing that the file does not say", first)
	}
	if first.Name != "metrics" || first.Default || first.Timeout != 0 || first.Delivery != DeliverInline {
		t.Errorf("first = %+v", first)
	}
	if s := first.Handler.(sink); s.Addr != "127.0.0.1:1" || s.Port != 1 || s.Labels["site"] != "fra" {
		t.Errorf("first handler = %+v", s)
	}
	if s := second.Handler.(sink); !second.Default || second.Timeout != time.Minute || s.Port != 7 || closed {
		t.Errorf("second = %+v %+v, closed %v", second, s, closed)
	}
	for _, empty := range []string{"", "# nothing\n", "[]", "null"} {
		if got, err := ParseHandlers("h.yaml", []byte(empty), nil); err != nil || len(got) != 0 {
			t.Errorf("ParseHandlers(%q) = %v, %v, want none", empty, got, err)
		}
	}
}

func TestParseHandlersFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"syntax", "- {name: a\n", []string{"h.yaml:1:"}},
		{"no list", "name: a\n", []string{"h.yaml:1:", "want a list"}},
		{"no map", "- a\n", []string{"h.yaml:1:3: want a handler"}},
		{"missing", "- addr: x\n", []string{"name is missing", "type is missing, known: both, page, raw, sink, wild"}},
		{"type", "- name: a\n  type: sinc\n", []string{"h.yaml:2:3: a: handler type", "did you mean sink?"}},
		{"delivery", "- {name: a, type: sink, delivery: mail}", []string{"want inline or stream"}},
		{"default", "- {name: a, type: sink, default: 7}", []string{"default: want true or false"}},
		{"timeout", "- {name: a, type: sink, timeout: 7}\n- {name: b, type: sink, timeout: -1s}", []string{"h.yaml:1:", "h.yaml:2:", "timeout: want a duration"}},
		{"name", "- {name: a b, type: sink, addr: x}", []string{`name "a b"`}},
		{"twice", "- {name: a, type: sink, addr: x}\n- {name: a, type: sink, addr: x}", []string{"h.yaml:2:4: name \"a\": another"}},
		{"unknown", "- name: a\n  type: sink\n  adr: x\n", []string{"h.yaml:3:3: a: unknown field adr, did you mean addr?"}},
		{"ill-typed", "- name: a\n  type: sink\n  addr: x\n  port: [1]\n", []string{"h.yaml:4:3: a: port"}},
		{"refused", "- name: a\n  type: sink\n", []string{"h.yaml:1:", "a: addr: want host:port"}},
		{"settings only", "- {name: a, type: raw, x: 1}", []string{`got {"x":1}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			closed := false
			text := tt.text
			_, err := ParseHandlers("h.yaml", []byte(text), sinks(&closed))
			if !errors.As(err, new(*HandlersError)) {
				t.Fatalf("ParseHandlers(%q) = %v, want a HandlersError", text, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("ParseHandlers(%q) = %v, want %q in it", text, err, want)
				}
			}
		})
	}
}

func TestParseHandlersClosesOnError(t *testing.T) {
	t.Parallel()
	closed := false
	if _, err := ParseHandlers("h.yaml", []byte("- {name: a, type: sink, addr: x}\n- 7\n"), sinks(&closed)); err == nil || !closed {
		t.Errorf("ParseHandlers() = %v, closed %v, want an error and the first handler closed", err, closed)
	}
	if _, err := LoadHandlers(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil {
		t.Error("LoadHandlers() of a missing file = nil, want an error")
	}
}

// What would take the parser minutes is refused at its place.
func TestHandlersTooLarge(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- {name: a, type: log, x: " + strings.Repeat("[", 100_000) + "}": "h.yaml:1:", strings.Repeat("#", 2<<20): "want at most",
	} {
		_, err := ParseHandlers("h.yaml", []byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseHandlers() of %d bytes = %v, want %q in it", len(text), err, want)
		}
	}
}

func FuzzParseHandlers(f *testing.F) {
	f.Add("- {name: a, type: sink, addr: x}")
	f.Add("- name: a\n  type: sink\n  <<: *x\n")
	f.Fuzz(func(t *testing.T, text string) {
		closed := false
		got, err := ParseHandlers("h.yaml", []byte(text), sinks(&closed))
		if err != nil && len(got) > 0 {
			t.Errorf("ParseHandlers(%q) = %v with error %v", text, got, err)
		}
	})
}
