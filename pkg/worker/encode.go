package worker

import (
	"encoding/json"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// The records that each run writes are encoded by hand: encoding/json takes
// several times as long, and this is done for every check. The tests hold the
// output against encoding/json's, byte by byte.

// buffers keeps the memory in which records are put together.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// maxBuffer is the largest buffer that is kept.
const maxBuffer = 64 << 10

// encode gives the JSON of next and of ev. When ev was not mutated, the text of
// the event is that of the last record with more behind it, and one is enough:
// event is empty then. A mutated one leaves to the last record what was measured,
// and the check as the handlers of the stream know it: its labels.
func encode(next *check.Last, ev *check.Event, s *spec, mutated bool) (last, event string) {
	buf := buffers.Get().(*[]byte)
	b := (*buf)[:0]
	if mutated {
		of, _ := json.Marshal(ev.Check) // its meta came from JSON
		last = string(appendTail(appendLast(b, next), ev, of))
		event = string(appendJSON(b, ev))
		return last, event // seldom: the buffer is not kept
	}
	b = appendTail(appendLast(b, next), ev, s.eventJSON)
	last = string(b)
	if cap(b) <= maxBuffer {
		*buf = b
		buffers.Put(buf)
	}
	return last, ""
}

// appendTail appends what an event has behind a last record, with its closing
// brace.
func appendTail(b []byte, ev *check.Event, checkJSON []byte) []byte {
	b = append(append(append(b, `,"previous":"`...), ev.Previous.String()...), '"')
	if ev.Soft {
		b = append(b, `,"soft":true`...)
	}
	if ev.Change != check.ChangeNone {
		b = appendText(append(b, `,"change":`...), string(ev.Change))
	}
	if ev.Trace != nil {
		b = appendTrace(b, ev.Trace)
	}
	return append(append(append(b, `,"check":`...), checkJSON...), '}')
}

// appendLast appends a last record without its closing brace.
func appendLast(b []byte, l *check.Last) []byte {
	b = appendResult(append(b, '{'), &l.Result)
	b = appendInt(b, `,"planned":`, l.Planned)
	b = appendInt(b, `,"started":`, l.Started)
	b = appendInt(b, `,"finished":`, l.Finished)
	b = appendText(append(b, `,"worker":`...), l.Worker)
	if l.Rev != "" {
		b = appendText(append(b, `,"rev":`...), l.Rev)
	}
	b = appendInt(b, `,"since":`, l.Since)
	if l.Fails != 0 {
		b = appendInt(b, `,"fails":`, int64(l.Fails))
	}
	b = appendHold(b, l)
	return appendIncident(b, l.Incident)
}

// appendHold appends what few checks have.
func appendHold(b []byte, l *check.Last) []byte {
	if l.Held != "" {
		b = appendText(append(b, `,"held":`...), l.Held)
	}
	if l.Down != 0 {
		b = appendInt(b, `,"down":`, l.Down)
	}
	if l.Asked != 0 {
		b = appendInt(b, `,"asked":`, l.Asked)
	}
	if l.Turns != 0 {
		b = strconv.AppendUint(append(b, `,"turns":`...), l.Turns, 10)
	}
	if l.Flapping {
		b = append(b, `,"flapping":true`...)
	}
	return b
}

// appendResult appends the fields of a result without the braces.
func appendResult(b []byte, r *check.Result) []byte {
	b = append(append(append(b, `"state":"`...), r.State.String()...), '"')
	if r.Reason != "" {
		b = appendText(append(b, `,"reason":`...), r.Reason)
	}
	if r.Text != "" {
		b = appendText(append(b, `,"text":`...), r.Text)
	}
	for i := range r.Metrics {
		if i == 0 {
			b = append(b, `,"metrics":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendMetric(b, &r.Metrics[i])
	}
	if len(r.Metrics) > 0 {
		b = append(b, ']')
	}
	return appendTime(append(b, `,"at":`...), r.At)
}

func appendMetric(b []byte, m *check.Metric) []byte {
	b = appendText(append(b, `{"name":`...), m.Name)
	b = appendText(append(b, `,"kind":`...), string(m.Kind))
	if m.Value != 0 {
		b = appendFloat(append(b, `,"value":`...), m.Value)
	}
	if m.Count != 0 {
		b = strconv.AppendUint(append(b, `,"count":`...), m.Count, 10)
	}
	if m.Width != 0 {
		b = strconv.AppendUint(append(b, `,"width":`...), uint64(m.Width), 10)
	}
	if m.Str != "" {
		b = appendText(append(b, `,"str":`...), m.Str)
	}
	if m.Unit != "" {
		b = appendText(append(b, `,"unit":`...), m.Unit)
	}
	if !m.At.IsZero() {
		b = appendTime(append(b, `,"at":`...), m.At)
	}
	return append(b, '}')
}

func appendIncident(b []byte, i *check.Incident) []byte {
	if i == nil {
		return b
	}
	return appendJSON(append(b, `,"incident":`...), i)
}

func appendTrace(b []byte, t *check.Trace) []byte {
	b = appendInt(b, `,"trace":{"queued":`, t.Queued)
	b = appendInt(b, `,"leased":`, t.Leased)
	b = appendInt(b, `,"handled":`, t.Handled)
	if t.Crashes != 0 {
		b = appendInt(b, `,"crashes":`, int64(t.Crashes))
	}
	return append(b, '}')
}

func appendInt(b []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(b, key...), n, 10)
}

// appendTime writes a time in UTC; one that RFC 3339 cannot hold becomes the
// first of all.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		t = time.Time{}
	}
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// appendFloat writes a number as encoding/json does; what JSON cannot hold
// becomes 0, but Result.Clean drops such metrics before.
func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, '0')
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return appendJSON(b, f)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// appendText writes a string; nearly all need no escapes.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendJSON(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...) // cannot be: texts, finite numbers, JSON values
	}
	return append(b, text...)
}
