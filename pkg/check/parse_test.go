package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// spec makes a spec's text of a good one and more fields.
func spec(more string) string {
	return `{"id":"web1","command":"http",` + more + `}`
}

func TestParse(t *testing.T) {
	t.Parallel()
	text := `{"id":"web1","command":"http","params":{"url":"http://192.0.2.10/","port":80.0},"every":"30s","phase":"0s","timeout":"5s","zone":"fra-1",
	 "handlers":["metrics","pager"],"labels":{"site":"fra"},"meta":{"n":1.50,"deep":{"a":[1]}},"attempts":3,"retry_every":"10s","suppress_incidents":true,"paused":true}`
	got, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &Check{
		ID: "web1", Command: "http", Params: json.RawMessage(`{"port":80.0,"url":"http://192.0.2.10/"}`),
		Every: Duration(30 * time.Second), Phase: new(Duration), Timeout: Duration(5 * time.Second), Zone: "fra-1",
		Handlers: []string{"metrics", "pager"}, Labels: map[string]string{"site": "fra"},
		Meta:     map[string]any{"n": json.Number("1.50"), "deep": map[string]any{"a": []any{json.Number("1")}}},
		Attempts: 3, RetryEvery: Duration(10 * time.Second), SuppressIncidents: true, Paused: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse =\n%+v, want\n%+v", got, want)
	}
}

func TestParseBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 128)
	for _, text := range []string{
		`{"id":"` + long + `","command":"x","every":"1s"}`,
		`{"id":"A.b_c:d-9","command":"x","every":"168h"}`,
		spec(`"every":"1s","timeout":"5m"`),
		spec(`"every":"1s","timeout":"1ms"`),
		spec(`"every":"1s","attempts":100,"retry_every":"1s"`),
		spec(`"every":"1.5s","phase":"168h"`),
		spec(`"every":"1s","zone":"` + long[:32] + `"`),
		spec(`"cron":"0 3 * * *","timezone":"Europe/Berlin"`),
		spec(`"at":"2030-01-01T00:00:00+02:00"`),
		spec(`"at":"2001-01-01T00:00:00Z"`),
		spec(`"every":"1s","handlers":[],"labels":{},"meta":{},"params":{}`),
		spec(`"every":"1s","handlers":null,"params":null,"cron":null,"timezone":null`),
		spec(`"every":"1s","params":{"send":"EHLO\r\n\tx"}`),
		spec(`"every":"1s","attempts":"3","paused":"true"`),
	} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("Parse(%s) = %v", text, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	every := func(more string) string { return spec(`"every":"30s",` + more) }
	many := func(n int, item string) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(item, i))
		}
		return strings.Join(list, ",")
	}
	tests := []struct{ name, text, want string }{
		{"unknown", spec(`"evry":"30s"`), "unknown field evry, did you mean every?"},
		{"empty text", ``, "not valid JSON"},
		{"no object", `[]`, "want a JSON object, got a list"},
		{"null", `null`, "want a JSON object, got null"},
		{"trailing data", spec(`"every":"1s"`) + "x", "not valid JSON"},
		{"twice", spec(`"every":"1s","every":"1s"`), "every: stands twice"},
		{"twice below", every(`"params":{"a":{"b":1,"b":1}}`), "params.a.b: stands twice"},
		{"too long", spec(`"every":"1s","params":{"a":"` + strings.Repeat("x", MaxSpec) + `"}`), "a spec has at most 65536"},
		{"not UTF-8", every("\"labels\":{\"a\":\"\xff\"}"), "not valid UTF-8"},
		{"NUL", every(`"params":{"a":"\u0000"}`), "params.a: \"\\x00\": control characters"},
		{"escape", every(`"meta":{"a":["\u001b[31m"]}`), "meta.a[0]: "},
		{"deep", every(`"params":` + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)), "nests deeper than 32"},
		{"no id", `{"command":"x","every":"1s"}`, "id: is missing"},
		{"long id", `{"id":"` + strings.Repeat("a", 129) + `","command":"x","every":"1s"}`, "id: "},
		{"bad id", `{"id":"a/b","command":"x","every":"1s"}`, `id: "a/b": want 1 to 128 of`},
		{"id is a number", `{"id":5,"command":"x","every":"1s"}`, `id: want a string, got 5`},
		{"no command", `{"id":"a","every":"1s"}`, "command: is missing"},
		{"bad command", `{"id":"a","command":"a b","every":"1s"}`, `command: "a b"`},
		{"bad zone", every(`"zone":"Fra"`), `zone: "Fra"`},
		{"long zone", every(`"zone":"` + strings.Repeat("a", 33) + `"`), `zone: `},
		{"no schedule", spec(`"timeout":"1s"`), "want exactly one of every, cron, at: got 0"},
		{"two schedules", every(`"cron":"* * * * *"`), "want exactly one of every, cron, at: got 2"},
		{"every too short", spec(`"every":"999ms"`), "every: 999ms: want 1s to 168h"},
		{"every too long", spec(`"every":"168h0m1s"`), "every: 168h0m1s: want 1s to 168h"},
		{"every 0", spec(`"every":"0s"`), `every: "0s": want more than 0`},
		{"every negative", spec(`"every":"-5s"`), "every: -5s: want"},
		{"every too fine", spec(`"every":"1.0005s"`), "in whole milliseconds"},
		{"every a number", spec(`"every":30`), "every: 30: want a duration such as 5s"},
		{"phase without every", spec(`"cron":"* * * * *","phase":"1s"`), "phase: goes with every only"},
		{"phase negative", every(`"phase":"-1s"`), "phase: -1s: want 0s to 168h"},
		{"timezone without cron", every(`"timezone":"UTC"`), "timezone: goes with cron only"},
		{"bad timezone", spec(`"cron":"* * * * *","timezone":"Berlin"`), `timezone: "Berlin": want an IANA name`},
		{"bad cron", spec(`"cron":"61 * * * *"`), `cron: minute "61": want 0 to 59`},
		{"cron that never comes", spec(`"cron":"0 0 31 2 *"`), `cron: "0 0 31 2 *": no month has such a day`},
		{"bad at", spec(`"at":"2030-01-01"`), `at: "2030-01-01": want a time such as`},
		{"at before time", spec(`"at":"0001-01-01T00:00:00Z"`), `at: want a time from 1970 on`},
		{"timeout a number", every(`"timeout":5`), "timeout: 5: want a duration such as 5s"},
		{"timeout 0", every(`"timeout":"0s"`), `timeout: "0s": want more than 0`},
		{"timeout too long", every(`"timeout":"5m1s"`), "timeout: 5m1s: want 1ms to 5m"},
		{"retry too short", every(`"retry_every":"10ms"`), "retry_every: 10ms: want 1s to 168h"},
		{"attempts negative", every(`"attempts":-1`), "attempts: -1: want 1 to 100"},
		{"attempts too many", every(`"attempts":101`), "attempts: 101: want 1 to 100"},
		{"params no object", every(`"params":[1]`), "params: want an object, got a list"},
		{"bad handler", every(`"handlers":["a b"]`), `handlers: "a b" is no name of a handler`},
		{"empty handler", every(`"handlers":[""]`), `handlers: "" is no name of a handler`},
		{"handler twice", every(`"handlers":["a","a"]`), `handlers: a stands twice`},
		{"many handlers", every(`"handlers":[` + many(33, `"h%d"`) + `]`), `handlers: 33: want at most 32`},
		{"label no text", every(`"labels":{"a":5}`), `labels.a: want a string, got 5`},
		{"bad label", every(`"labels":{"a b":"x"}`), `labels."a b": want a name`},
		{"label of two lines", every(`"labels":{"a":"x\ny"}`), `labels.a: want at most 1024 bytes of UTF-8 on one line`},
		{"long label", every(`"labels":{"a":"` + strings.Repeat("x", 1025) + `"}`), `labels.a: want at most 1024`},
		{"many labels", every(`"labels":{` + many(65, `"l%d":""`) + `}`), `labels: 65: want at most 64`},
		{"many meta", every(`"meta":{` + many(65, `"m%d":1`) + `}`), `meta: 65: want at most 64`},
	}
	for _, tt := range tests {
		c, err := Parse([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || c != nil {
			t.Errorf("%s: Parse = %v, %v, want %q", tt.name, c, err, tt.want)
			continue
		}
		var fe *FieldError
		if !errors.As(err, &fe) {
			t.Errorf("%s: %v is no FieldError", tt.name, err)
		}
		if n := len(leaves(err)); n != 1 {
			t.Errorf("%s: %d faults reported, want 1:\n%v", tt.name, n, err)
		}
	}
}

func TestParseGivesAllFaults(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`{"id":"a b","evry":"30s","timeout":5,"handlers":["x","x"]}`))
	want := "unknown field evry, did you mean every?\n" +
		"timeout: 5: want a duration such as 5s\n" +
		"id: \"a b\": want 1 to 128 of A-Z a-z 0-9 . _ : -\n" +
		"command: is missing: want the name of a command\n" +
		"handlers: x stands twice"
	if got := fmt.Sprint(err); got != want {
		t.Errorf("Parse:\n%s\nwant\n%s", got, want)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"defaults are left out", spec(`"every":"30s","timeout":"10s","zone":"default","params":{},"labels":{},"meta":{},"attempts":1,"suppress_incidents":false,"paused":false`),
			spec(`"every":"30s"`)},
		{"one form of durations", spec(`"every":"60s","timeout":"5000ms","retry_every":"3600s"`), spec(`"every":"1m","timeout":"5s","retry_every":"1h"`)},
		{"one form of times", spec(`"at":"2030-01-01T01:00:00.0000001+01:00"`), spec(`"at":"2030-01-01T00:00:00Z"`)},
		{"order", `{"paused":true,"every":"30s","command":"http","id":"web1"}`, spec(`"every":"30s","paused":true`)},
		{"params sorted and exact", spec(`"every":"30s","params":{"b": 1.10, "a":{"d":1e3,"c":"<&>"}}`), `{"id":"web1","command":"http","params":{"a":{"c":"<&>","d":1e3},"b":1.10},"every":"30s"}`},
		{"no handlers at all", spec(`"every":"30s","handlers":[]`), spec(`"every":"30s","handlers":[]`)},
		{"default handlers", spec(`"every":"30s","handlers":null`), spec(`"every":"30s"`)},
		{"phase 0 is no default", spec(`"every":"30s","phase":"0s"`), spec(`"every":"30s","phase":"0s"`)},
		{"UTC", spec(`"cron":"0 1 * * *","timezone":"UTC"`), spec(`"cron":"0 1 * * *"`)},
		{"cron blanks", spec(`"cron":" 0  1 * * * "`), spec(`"cron":"0 1 * * *"`)},
	}
	for _, tt := range tests {
		c, err := Parse([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := c.Text()
		if string(got) != tt.want {
			t.Errorf("%s: Text() =\n%s, want\n%s", tt.name, got, tt.want)
		}
		again, err := Parse(got)
		if err != nil || string(again.Text()) != string(got) {
			t.Errorf("%s: Parse(Text()) = %v, text %s", tt.name, err, again.Text())
		}
	}
}

func TestValidateOfHandMadeChecks(t *testing.T) {
	t.Parallel()
	good := Check{ID: "a", Command: "x", Every: Duration(time.Second)}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
	tests := []struct {
		change func(*Check)
		want   string
	}{
		{func(c *Check) { c.Every = 0 }, "want exactly one of every, cron, at"},
		{func(c *Check) { c.Params = json.RawMessage(`{"a"`) }, "params: not valid JSON"},
		{func(c *Check) { c.Params = json.RawMessage(`{"a":1,"a":2}`) }, "params.a: stands twice"},
		{func(c *Check) { c.Meta = map[string]any{"f": func() {}} }, "meta: "},
		{func(c *Check) { c.Labels = map[string]string{"a": "\xff"} }, "labels.a: "},
		{func(c *Check) { c.Meta = map[string]any{"a": strings.Repeat("x", MaxSpec)} }, "a spec has at most"},
		{func(c *Check) { c.Timeout = -1 }, "timeout: -1ns: want 1ms to 5m"},
	}
	for _, tt := range tests {
		c := good
		tt.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Validate = %v, want %q", err, tt.want)
		}
	}
}

func TestSHA(t *testing.T) {
	t.Parallel()
	const want = "a9993e364706816aba3e25717850c26c9cd0d89d" // FIPS 180's example
	if got := SHA("abc"); got != want || SHA([]byte("abc")) != want {
		t.Errorf("SHA(abc) = %s, want %s", got, want)
	}
}

func TestDurationString(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0s": "0s", "10s": "10s", "60s": "1m", "90s": "1m30s", "3600s": "1h", "1h30m": "1h30m", "1h0m5s": "1h0m5s", "100m": "1h40m", "10m": "10m", "1.5s": "1.5s", "-60s": "-1m",
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if d.String() != want {
			t.Errorf("%s = %s, want %s", text, d, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(spec(`"every":"30s","params":{"a":[1,"x",{"b":null}]},"handlers":[],"labels":{"a":"b"},"meta":{"x":1.0}`)))
	f.Add([]byte(spec(`"cron":"*/5 * * * MON","timezone":"Europe/Berlin","attempts":"3","retry_every":"10s"`)))
	f.Add([]byte(spec(`"at":"2030-01-01T00:00:00+02:00","paused":true,"phase":"1s"`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			if c != nil {
				t.Fatalf("Parse(%q) = %+v and %v", text, c, err)
			}
			return
		}
		canonical := c.Text()
		again, err := Parse(canonical)
		if err != nil {
			t.Fatalf("Parse(%q).Text() = %q, which is refused: %v", text, canonical, err)
		}
		if got := again.Text(); string(got) != string(canonical) {
			t.Fatalf("Text of %q = %q, of that one %q", text, canonical, got)
		}
		if !c.SameSchedule(again) {
			t.Fatalf("%q and its canonical form %q have other schedules", text, canonical)
		}
		sameByRequest(t, c)
	})
}

// sameByRequest takes a check through its flat form.
func sameByRequest(t *testing.T, c *Check) {
	t.Helper()
	flat := Flat(c)
	fields := map[string]string{}
	for i := 0; i < len(flat); i += 2 {
		if _, twice := fields[flat[i]]; twice {
			t.Fatalf("Flat = %q: %s stands twice", flat, flat[i])
		}
		fields[flat[i]] = flat[i+1]
	}
	r, err := ParseRequest(fields)
	if err != nil {
		t.Fatalf("ParseRequest(%q) = %v", flat, err)
	}
	if got, want := string(r.Check.Text()), string(c.Text()); got != want {
		t.Fatalf("by the flat form %q\n got %s\nwant %s", flat, got, want)
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(spec(`"every":"30s","params":{"url":"http://192.0.2.10/","timeout":"5s"},"zone":"fra","handlers":["metrics","pager"],"labels":{"site":"fra"},"attempts":3`))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
