package worker

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// records makes records with the given text and number in every place.
func records(text string, f float64, n int64) (check.Last, check.Event, *spec) {
	at := time.UnixMilli(n % (1 << 40)).UTC().Add(time.Duration(n % 1e6))
	incident := &check.Incident{ID: text, Reason: text, Opened: n}
	res := check.Result{State: check.StateCrit, Reason: text, Text: text, At: at, Metrics: []check.Metric{
		check.Gauge("rtt_seconds", f, text), check.Counter("octets", uint64(n), 32, "bytes"), check.String("model", text), {Name: text, Kind: check.KindGauge, At: at},
	}}
	last := check.Last{Result: res, Planned: n, Started: n + 1, Finished: n + 2, Worker: text, Rev: text, Since: n, Fails: int(n % 5), Incident: incident}
	ev := check.Event{Rev: text, Since: n, Fails: int(n % 5), Check: check.EventCheck{ID: text, Zone: "default", Labels: map[string]string{"a": text}, Every: check.Duration(time.Minute)},
		Result: res, Planned: n, Started: n + 1, Finished: n + 2, Worker: text, Previous: check.StateWarn, Soft: n%2 == 0, Change: check.Change(text), Incident: incident}
	if n%3 != 0 {
		ev.Trace = &check.Trace{Queued: n, Leased: n + 1, Handled: n + 3, Crashes: int(n % 2)}
	}
	if n != 0 { // what few checks have
		last.Held, last.Down, last.Asked, last.Turns, last.Flapping = text, n, n%3, uint64(n), n%2 == 1
		ev.Held, ev.Down, ev.Asked, ev.Turns, ev.Flapping = text, n, n%3, uint64(n), n%2 == 1
	}
	text2, _ := json.Marshal(ev.Check)
	return last, ev, &spec{eventJSON: text2}
}

// same compares the records that encode makes with encoding/json's.
func same(t *testing.T, last check.Last, ev check.Event, s *spec) {
	t.Helper()
	for _, mutated := range []bool{false, true} {
		gotLast, gotEvent := encode(&last, &ev, s, mutated)
		wantLast, err := json.Marshal(last)
		if err != nil {
			t.Fatal(err)
		}
		wantEvent, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(gotLast, strings.TrimSuffix(string(wantLast), "}")+",") {
			t.Errorf("last = %s\nwant it to begin with %s", gotLast, wantLast)
		}
		if (gotEvent == "") == mutated {
			t.Errorf("mutated %v: event = %q", mutated, gotEvent)
		}
		if _, tail, _ := strings.Cut(string(wantEvent), `,"check":`); !strings.HasSuffix(gotLast, tail) {
			t.Errorf("last = %s\nwant it to end with the check, %s", gotLast, tail)
		}
		if !mutated { // one text is both
			gotEvent = gotLast
		}
		if gotEvent != string(wantEvent) {
			t.Errorf("event = %s\nwant    %s", gotEvent, wantEvent)
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain", `q"uo\te`, "<&>", "tab\t nl\n nul\x00", "é\u2028\u2029\uFFFD", "bad\xff\xfeutf", strings.Repeat("x", 5000)} {
		for _, f := range []float64{0, 1, -1.5, 1e-7, 1e21, 123456.789, math.SmallestNonzeroFloat64, math.MaxFloat64} {
			for _, n := range []int64{1_700_000_000_123, 1_700_000_000_124} { // one of them is traced
				last, ev, s := records(text, f, n)
				same(t, last, ev, s)
			}
		}
	}
	same(t, check.Last{}, check.Event{}, &spec{eventJSON: []byte(`{"id":"","zone":"","command":""}`)})
}

func TestEncodeCannotBreak(t *testing.T) {
	t.Parallel()
	last, ev, s := records("x", math.NaN(), 7)
	last.Metrics[1].Value, ev.Result.At = math.Inf(-1), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, got := range func() []string { a, b := encode(&last, &ev, s, true); return []string{a, b} }() {
		if !json.Valid([]byte(got)) {
			t.Errorf("encode() = %s, want JSON", got)
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("a", 1.5, int64(1_700_000_000_123))
	f.Add("\"\\<\u2028", 1e-9, int64(-1))
	f.Fuzz(func(t *testing.T, text string, x float64, n int64) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		last, ev, s := records(text, x, n)
		same(t, last, ev, s)
		text1, _ := encode(&last, &ev, s, false)
		got, err := decodeLast(text1)
		if err != nil || got.Planned != n || got.Metrics[1].Count != uint64(n) {
			t.Errorf("decodeLast(%s) = %+v, %v", text1, got, err)
		}
	})
}

// FuzzDecodeLast: what is read quickly is read as encoding/json reads it.
func FuzzDecodeLast(f *testing.F) {
	for _, text := range []string{"plain", "é", `"`} {
		for _, n := range []int64{0, 1_700_000_000_123} {
			last, ev, s := records(text, 1.5e-7, n)
			record, _ := encode(&last, &ev, s, false)
			f.Add(record)
		}
	}
	f.Add(`{"state":"OK","at":"2026-01-02T03:04:05Z","planned":-0,"started":1,"finished":1,"worker":"w","since":1}`)
	f.Add(`{"state":"OK","metrics":[{"name":"a","kind":"gauge","value":1.0e+5}],"at":"2026-01-02T03:04:05,5Z","planned":1,"started":1,"finished":1,"worker":"w","since":1,"incident":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var quick, want check.Last
		if !scanLast(text, &quick) {
			return
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("scanLast(%q) works, encoding/json says %v", text, err)
		}
		if !reflect.DeepEqual(quick, want) {
			t.Errorf("scanLast(%q) = %+v, want %+v", text, quick, want)
		}
	})
}

func TestScanLastReadsOurRecords(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, 1_700_000_000_123} {
		last, ev, s := records("plain", 0.25, n)
		text, _ := encode(&last, &ev, s, false)
		var got check.Last
		if !scanLast(text, &got) || !reflect.DeepEqual(got, last) {
			t.Errorf("scanLast(%s) = %+v, want %+v", text, got, last)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	last, ev, s := records("plain", 0.0123, 1_700_000_000_123)
	ev.Incident, last.Incident, ev.Change = nil, nil, ""
	b.ReportAllocs()
	for b.Loop() {
		encode(&last, &ev, s, false)
	}
}

func BenchmarkEncodeStandard(b *testing.B) {
	last, ev, _ := records("plain", 0.0123, 1_700_000_000_123)
	ev.Incident, last.Incident, ev.Change = nil, nil, ""
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(last); err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(ev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLast(b *testing.B) {
	last, ev, s := records("plain", 0.0123, 1_700_000_000_123)
	last.Incident = nil
	text, _ := encode(&last, &ev, s, false)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := decodeLast(text); err != nil {
			b.Fatal(err)
		}
	}
}
