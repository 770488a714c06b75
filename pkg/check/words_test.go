package check

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPartition(t *testing.T) {
	t.Parallel()
	if got := crc16("123456789"); got != 0x31C3 { // the test vector of CRC-16/XMODEM
		t.Errorf("crc16(123456789) = %#x, want 0x31c3", got)
	}
	if got := crc16(""); got != 0 {
		t.Errorf("crc16() = %#x, want 0", got)
	}
	bitwise := func(s string) (crc uint16) {
		for _, b := range []byte(s) {
			crc ^= uint16(b) << 8
			for range 8 {
				if carry := crc&0x8000 != 0; carry {
					crc = crc<<1 ^ 0x1021
				} else {
					crc <<= 1
				}
			}
		}
		return crc
	}
	var count [16]int
	for i := range 16_000 {
		id := fmt.Sprintf("host-%d.example", i)
		if got, want := crc16(id), bitwise(id); got != want {
			t.Fatalf("crc16(%s) = %#x, want %#x", id, got, want)
		}
		count[Partition(id, 16)]++
	}
	for part, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("%d of 16000 checks in partition %d of 16", n, part)
		}
	}
	for _, n := range []int{-1, 0, 1} {
		if got := Partition("a", n); got != 0 {
			t.Errorf("Partition(a, %d) = %d, want 0", n, got)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	fields := []string{"id", "at", "every", "cron", "command", "timeout", "retry_every", "zone"}
	tests := []struct{ name, want string }{
		{"evry", "every"}, {"eveyr", "every"}, {"Every", "every"}, {"TIMEOUT", "timeout"}, {"every", "every"}, {"comand", "command"}, {"timout", "timeout"},
		{"time_out", "timeout"}, {"retryevery", "retry_every"}, {"crno", "cron"}, {"ids", "id"}, {"x", ""}, {"", ""}, {"interval", ""},
		{"ti", ""}, {"é", ""}, {strings.Repeat("every", 100), ""},
	}
	for _, tt := range tests {
		if got := Nearest(tt.name, fields); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	if a, b := Nearest("bxt", []string{"bat", "bit"}), Nearest("bxt", []string{"bit", "bat"}); a != "bat" || b != "bat" {
		t.Errorf("Nearest depends on the order: %q, %q", a, b)
	}
	if got := Nearest("a", nil); got != "" {
		t.Errorf("Nearest without names = %q", got)
	}
}

func TestNewEvent(t *testing.T) {
	t.Parallel()
	c := &Check{
		ID: "a", Command: "http", Params: []byte(`{"password":"x"}`), Every: Duration(time.Second), Labels: map[string]string{"site": "fra"},
		Meta: map[string]any{"n": 1}, Handlers: []string{"log"},
	}
	got := NewEvent(c)
	want := EventCheck{
		ID: "a", Zone: "default", Command: "http", Every: c.Every, Labels: map[string]string{"site": "fra"}, Meta: c.Meta, Handlers: c.Handlers,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("NewEvent = %+v, want %+v", got, want)
	}
	got.Labels["site"] = "ber"
	if c.Labels["site"] != "fra" {
		t.Error("a change of the event's labels changes the check's")
	}
}

// TestEventTellsNoHandlersFromDefaultOnes: who reads an event from the stream
// must see what the check says.
func TestEventTellsNoHandlersFromDefaultOnes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		handlers []string
		want     string
	}{{nil, ""}, {[]string{}, `"handlers":[]`}, {[]string{"a"}, `"handlers":["a"]`}} {
		text, err := json.Marshal(Event{Check: NewEvent(&Check{ID: "a", Handlers: tt.handlers})})
		var back Event
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || !strings.Contains(string(text), tt.want) || strings.Contains(string(text), "handlers") != (tt.want != "") ||
			(back.Check.Handlers == nil) != (tt.handlers == nil) {
			t.Errorf("event of handlers %v = %s, read as %v, %v", tt.handlers, text, back.Check.Handlers, err)
		}
	}
}

func TestDefaultsOfACheck(t *testing.T) {
	t.Parallel()
	zero, set := &Check{}, &Check{Zone: "fra", Timeout: Duration(time.Second), Attempts: 3}
	if zero.ZoneName() != "default" || zero.TimeoutOr() != 10*time.Second || zero.AttemptsOr() != 1 {
		t.Errorf("defaults: %s %v %d", zero.ZoneName(), zero.TimeoutOr(), zero.AttemptsOr())
	}
	if set.ZoneName() != "fra" || set.TimeoutOr() != time.Second || set.AttemptsOr() != 3 {
		t.Errorf("what is set: %s %v %d", set.ZoneName(), set.TimeoutOr(), set.AttemptsOr())
	}
	if _, err := zero.Schedule(); err == nil {
		t.Error("Schedule of a check without one = nil, want an error")
	}
	if _, err := (&Check{Cron: "x"}).Schedule(); err == nil {
		t.Error("Schedule of a bad cron = nil, want an error")
	}
}

func TestMetricByName(t *testing.T) {
	t.Parallel()
	r := Result{Metrics: []Metric{Seconds("rtt_seconds", 1500*time.Millisecond)}}
	if m, ok := r.Metric("rtt_seconds"); !ok || m.Value != 1.5 || m.Unit != "seconds" {
		t.Errorf("Metric(rtt_seconds) = %+v, %v", m, ok)
	}
	if _, ok := r.Metric("other"); ok {
		t.Error("Metric(other) was found")
	}
}

func ExampleParse() {
	_, err := Parse([]byte(`{"id": "web1", "command": "http", "evry": "30s", "timeout": 5}`))
	fmt.Println(err)
	// Output:
	// unknown field evry, did you mean every?
	// timeout: 5: want a duration such as 5s
}

func ExampleFlat() {
	c, _ := Parse([]byte(`{"id": "web1", "command": "http", "every": "30s", "params": {"url": "http://192.0.2.10/"}}`))
	fmt.Println(strings.Join(Flat(c), " "))
	// Output: id web1 command http every 30s params.url http://192.0.2.10/
}
