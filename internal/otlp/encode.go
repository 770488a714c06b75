package otlp

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

// The messages of OTLP, as far as they are used: a request holds resources,
// these scopes, these spans. Numbers of 64 bits are texts in their JSON, ids hex.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	span struct {
		TraceID    string      `json:"traceId"`
		SpanID     string      `json:"spanId"`
		ParentID   string      `json:"parentSpanId,omitempty"`
		Name       string      `json:"name"`
		Kind       int         `json:"kind"`
		Start      string      `json:"startTimeUnixNano"`
		End        string      `json:"endTimeUnixNano"`
		Attributes []attribute `json:"attributes,omitempty"`
		Status     status      `json:"status"`
	}
	status struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String string `json:"stringValue,omitempty"`
		Int    string `json:"intValue,omitempty"`
	}
)

// Numbers of OTLP.
const (
	kindInternal = 1
	statusError  = 2
)

// Bounds of what a check's author writes into spans.
const (
	maxLabels = 16
	maxText   = 256 // bytes
)

// encode makes the body of a request.
func encode(service []attribute, version string, runs []item) ([]byte, error) {
	spans := make([]span, 0, 7*len(runs))
	for _, r := range runs {
		spans = appendSpans(spans, r)
	}
	return json.Marshal(request{[]resourceSpans{{
		Resource:   resource{service},
		ScopeSpans: []scopeSpans{{Scope: scope{"redpoll", version}, Spans: spans}},
	}}})
}

// appendSpans makes a span of a run, and one of each of its phases within.
func appendSpans(spans []span, r item) []span {
	id := r.ev.TraceID()
	phases := r.ev.Phases(r.committed)
	whole := span{
		TraceID: hex.EncodeToString(id[:]), SpanID: spanID(), Name: "check " + r.ev.Check.Command, Kind: kindInternal,
		Start: nanos(phases[0].From), End: nanos(phases[len(phases)-1].To), Attributes: attributes(r.ev),
	}
	if r.ev.Result.State != check.StateOK {
		whole.Status = status{statusError, r.ev.Result.Reason}
	}
	spans = append(spans, whole)
	for _, p := range phases {
		spans = append(spans, span{
			TraceID: whole.TraceID, SpanID: spanID(), ParentID: whole.SpanID, Name: p.Name, Kind: kindInternal, Start: nanos(p.From), End: nanos(p.To),
		})
	}
	return spans
}

func attributes(ev *check.Event) []attribute {
	list := []attribute{
		text("redpoll.check", ev.Check.ID), text("redpoll.zone", ev.Check.Zone), text("redpoll.command", ev.Check.Command),
		text("redpoll.state", ev.Result.State.String()), number("redpoll.late_ms", max(ev.Started-ev.Planned, 0)),
	}
	if ev.Result.Reason != "" {
		list = append(list, text("redpoll.reason", ev.Result.Reason))
	}
	if ev.Change != check.ChangeNone {
		list = append(list, text("redpoll.incident", string(ev.Change)))
	}
	if ev.Trace != nil && ev.Trace.Crashes > 0 {
		list = append(list, number("redpoll.crashes", int64(ev.Trace.Crashes)))
	}
	labels := slices.Sorted(maps.Keys(ev.Check.Labels))
	for _, name := range labels[:min(len(labels), maxLabels)] {
		list = append(list, text("redpoll.label."+cut(name), ev.Check.Labels[name]))
	}
	return list
}

func text(key, v string) attribute { return attribute{key, value{String: cut(v)}} }

func number(key string, n int64) attribute {
	return attribute{key, value{Int: strconv.FormatInt(n, 10)}}
}

// cut shortens a text, between two characters.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// nanos writes unix ms as unix ns.
func nanos(ms int64) string { return strconv.FormatInt(ms*1_000_000, 10) }

// spanID makes an id, which is never 0.
func spanID() string {
	var b [8]byte
	n := 1 + rand.Uint64N(1<<64-1)
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
	return hex.EncodeToString(b[:])
}
