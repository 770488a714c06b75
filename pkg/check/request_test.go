package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// entry makes an intake entry's fields of a redis-cli line.
func entry(words ...string) map[string]string {
	fields := map[string]string{}
	for i := 0; i+1 < len(words); i += 2 {
		fields[words[i]] = words[i+1]
	}
	return fields
}

func TestParseRequestSet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fields map[string]string
		want   string // the spec
		spread bool
	}{
		{"the line of the manual", entry("id", "web1", "command", "http", "every", "30s", "params.url", "http://192.0.2.10/"),
			`{"id":"web1","command":"http","params":{"url":"http://192.0.2.10/"},"every":"30s"}`, false},
		{"whole", entry("spec", `{"id":"web1","command":"http","every":"30s","params":{"url":"http://192.0.2.10/"}}`),
			`{"id":"web1","command":"http","params":{"url":"http://192.0.2.10/"},"every":"30s"}`, false},
		{"whole, with op and first", entry("op", "set", "first", "spread", "spec", spec(`"every":"30s"`)), spec(`"every":"30s"`), true},
		{"first now", entry("first", "now", "id", "web1", "command", "http", "every", "30s"), spec(`"every":"30s"`), false},
		{"all fields", entry("id", "web1", "command", "http", "every", "30s", "phase", "1s", "timeout", "5s", "zone", "fra", "handlers", "a, b",
			"labels.site", "x", "meta.n", "5", "attempts", "3", "retry_every", "10s", "suppress_incidents", "true", "paused", "false"),
			spec(`"every":"30s","phase":"1s","timeout":"5s","zone":"fra","handlers":["a","b"],"labels":{"site":"x"},"meta":{"n":"5"},"attempts":3,"retry_every":"10s","suppress_incidents":true`), false},
		{"cron", entry("id", "web1", "command", "http", "cron", "0 3 * * *", "timezone", "Europe/Berlin"), spec(`"cron":"0 3 * * *","timezone":"Europe/Berlin"`), false},
		{"at", entry("id", "web1", "command", "http", "at", "2030-01-01T00:00:00Z"), spec(`"at":"2030-01-01T00:00:00Z"`), false},
		{"nested params", entry("id", "web1", "command", "http", "every", "30s", "params.rtt.warn", "5", "params.rtt.crit", "9"),
			`{"id":"web1","command":"http","params":{"rtt":{"crit":"9","warn":"5"}},"every":"30s"}`, false},
		{"JSON values", entry("id", "web1", "command", "http", "every", "30s", "params.codes", "[200, 301]", "params.tls", `{"verify":false}`),
			`{"id":"web1","command":"http","params":{"codes":[200,301],"tls":{"verify":false}},"every":"30s"}`, false},
		{"params whole and more", entry("id", "web1", "command", "http", "every", "30s", "params", `{"a":{"b":1}}`, "params.a.c", "x"),
			`{"id":"web1","command":"http","params":{"a":{"b":1,"c":"x"}},"every":"30s"}`, false},
		{"labels whole", entry("id", "web1", "command", "http", "every", "30s", "labels", `{"a":"b"}`, "labels.c.d", "e"), spec(`"every":"30s","labels":{"a":"b","c.d":"e"}`), false},
		{"handlers as JSON", entry("id", "web1", "command", "http", "every", "30s", "handlers", `["a"]`), spec(`"every":"30s","handlers":["a"]`), false},
		{"no handlers", entry("id", "web1", "command", "http", "every", "30s", "handlers", ""), spec(`"every":"30s","handlers":[]`), false},
	}
	for _, tt := range tests {
		r, err := ParseRequest(tt.fields)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := string(r.Check.Text()); got != tt.want || r.Spread != tt.spread {
			t.Errorf("%s: spread %v, spec\n%s, want %v\n%s", tt.name, r.Spread, got, tt.spread, tt.want)
		}
		if r.Op != OpSet || r.ID != r.Check.ID || r.Zone != r.Check.ZoneName() {
			t.Errorf("%s: request %+v does not name its check", tt.name, r)
		}
	}
}

func TestFlatAndWholeHaveOneSHA(t *testing.T) {
	t.Parallel()
	flat, err := ParseRequest(entry("zone", "default", "id", "web1", "command", "http", "every", "60s", "timeout", "10s", "attempts", "1", "params.url", "http://x/"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := ParseRequest(entry("spec", `{"params":{"url":"http://x/"},"every":"1m","command":"http","id":"web1","meta":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := SHA(flat.Check.Text()), SHA(whole.Check.Text()); a != b {
		t.Errorf("flat has sha1 %s, whole has %s:\n%s\n%s", a, b, flat.Check.Text(), whole.Check.Text())
	}
}

func TestParseRequestOthers(t *testing.T) {
	t.Parallel()
	until := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		fields map[string]string
		want   Request
	}{
		{entry("op", "delete", "id", "web1"), Request{Op: OpDelete, Zone: "default", ID: "web1"}},
		{entry("op", "pause", "id", "web1", "zone", "fra"), Request{Op: OpPause, Zone: "fra", ID: "web1"}},
		{entry("op", "resume", "id", "web1"), Request{Op: OpResume, Zone: "default", ID: "web1"}},
		{entry("op", "run", "id", "web1"), Request{Op: OpRun, Zone: "default", ID: "web1"}},
		{entry("op", "ack", "id", "web1", "by", "ann", "comment", "on it"), Request{Op: OpAck, Zone: "default", ID: "web1", By: "ann", Comment: "on it"}},
		{entry("op", "ack", "incident", "fra/web1/1777629600000", "until", "2030-01-01T00:00:00Z"),
			Request{Op: OpAck, Zone: "fra", ID: "web1", Incident: "fra/web1/1777629600000", Until: until}},
		{entry("op", "ack", "incident", "fra/web1/1777629600000", "id", "web1", "zone", "fra"),
			Request{Op: OpAck, Zone: "fra", ID: "web1", Incident: "fra/web1/1777629600000"}},
	}
	for _, tt := range tests {
		got, err := ParseRequest(tt.fields)
		if err != nil || got != tt.want {
			t.Errorf("ParseRequest(%v) = %+v, %v, want %+v", tt.fields, got, err, tt.want)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	t.Parallel()
	set := func(words ...string) map[string]string {
		return entry(append([]string{"id", "web1", "command", "http", "every", "30s"}, words...)...)
	}
	tests := []struct {
		name   string
		fields map[string]string
		want   string
	}{
		{"nothing", entry(), "id: is missing"},
		{"typo", entry("id", "web1", "command", "http", "evry", "30s"), "unknown field evry, did you mean every?"},
		{"typo of op", entry("opp", "delete", "id", "web1"), "unknown field opp, did you mean op?"},
		{"unknown op", entry("op", "delte", "id", "web1"), `op: "delte": want one of set, delete, pause, resume, run, ack, unack, move, downtime, downtime-delete, did you mean delete?`},
		{"empty op", entry("op", "", "id", "web1"), `op: "": want one of`},
		{"bad number", set("attempts", "x"), `attempts: want a whole number of 64 bits, got "x"`},
		{"bad truth", set("paused", "yes"), `paused: want true or false, got "yes"`},
		{"bad duration", set("timeout", "5"), `timeout: "5": want a duration such as 5s`},
		{"bad JSON", set("params.a", "{x"), "params.a: not valid JSON"},
		{"bad JSON below", set("params.a", `{"b":1,"b":2}`), "params.a.b: stands twice"},
		{"params no object", set("params", "x"), "params: want an object, got \"x\""},
		{"beside a scalar", set("params.a", "x", "params.a.b", "y"), "params.a.b: stands beside params.a, which is no object"},
		{"twice by two ways", set("params", `{"a":1}`, "params.a", "x"), "params.a: stands twice"},
		{"label twice", set("labels", `{"a":"1"}`, "labels.a", "x"), "labels.a: stands twice"},
		{"empty name", set("params.", "x"), "params.: want a name behind each dot"},
		{"empty name between", set("params.a..b", "x"), "want a name behind each dot"},
		{"deep", set("params"+strings.Repeat(".a", 40), "x"), "want a name behind each dot, at most 32"},
		{"bad first", set("first", "later"), `first: "later": want spread or now`},
		{"spec beside flat", entry("spec", spec(`"every":"30s"`), "zone", "fra"), "zone: stands beside spec"},
		{"spec beside rubbish", entry("spec", spec(`"every":"30s"`), "x", "y"), "x: stands beside spec"},
		{"bad spec", entry("spec", spec(`"evry":"30s"`)), "unknown field evry, did you mean every?"},
		{"spec no JSON", entry("spec", "web1"), "not valid JSON"},
		{"spec too long", entry("spec", strings.Repeat(" ", MaxSpec+1)), "a spec has at most 65536"},
		{"flat too long", set("params.a", strings.Repeat("x", MaxSpec)), "a spec has at most 65536"},
		{"far too long", set("params.a", strings.Repeat("x", 3*MaxSpec)), "a spec has at most 65536"},
		{"not UTF-8", set("params.a", "\xff"), "params.a: is not valid UTF-8"},
		{"name not UTF-8", set("params.\xff", "a"), `"params.?": is not valid UTF-8`},
		{"NUL", set("params.a", "a\x00b"), "params.a: control characters are not allowed"},
		{"control in a name", set("params.a\nb", "a"), `"params.a\nb": control characters are not allowed`},
		{"ack field in a set", set("by", "ann"), "unknown field by"},
		{"delete with spec", entry("op", "delete", "id", "a", "every", "30s"), "every: does not go with op delete"},
		{"delete with params", entry("op", "delete", "id", "a", "params.x", "1"), "params.x: does not go with op delete"},
		{"delete with first", entry("op", "run", "id", "a", "first", "spread"), "first: does not go with op run"},
		{"delete with rubbish", entry("op", "delete", "id", "a", "zoen", "fra"), "unknown field zoen, did you mean zone?"},
		{"delete nothing", entry("op", "delete"), "id: is missing"},
		{"bad id", entry("op", "delete", "id", "a b"), `id: "a b": want 1 to 128 of`},
		{"bad zone", entry("op", "delete", "id", "a", "zone", "A"), `zone: "A": want 1 to 32 of`},
		{"ack nothing", entry("op", "ack"), "incident: is missing: want the incident's id, or id (and zone) of its check"},
		{"bad incident", entry("op", "ack", "incident", "x"), `incident: "x": want zone/check/milliseconds`},
		{"incident of another", entry("op", "ack", "incident", "fra/a/1", "id", "b"), "incident: fra/a/1 is of another check"},
		{"incident of another zone", entry("op", "ack", "incident", "fra/a/1", "zone", "ber"), "incident: fra/a/1 is of another check"},
		{"bad until", entry("op", "ack", "id", "a", "until", "tomorrow"), `until: "tomorrow": want a time such as`},
		{"long comment", entry("op", "ack", "id", "a", "comment", strings.Repeat("x", 1025)), "comment: 1025 bytes: want at most 1024"},
	}
	for _, tt := range tests {
		r, err := ParseRequest(tt.fields)
		if err == nil || !strings.Contains(err.Error(), tt.want) || r.Check != nil {
			t.Errorf("%s: ParseRequest = %v, want %q", tt.name, err, tt.want)
			continue
		}
		for _, e := range leaves(err) {
			var fe *FieldError
			if !errors.As(e, &fe) {
				t.Errorf("%s: %v is no FieldError", tt.name, e)
			}
		}
	}
}

func TestParseRequestNamesWhatItRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fields   map[string]string
		zone, id string
	}{
		{entry("id", "web1", "zone", "fra", "evry", "1s"), "fra", "web1"},
		{entry("id", "web 1", "zone", "Fra", "evry", "1s"), "default", ""},
		{entry("op", "x", "id", "web1"), "default", "web1"},
		{entry("spec", `{"id":"web1","zone":"fra","evry":"1s"}`), "fra", "web1"},
		{entry("spec", `{"id":5,"zone":"FRA"}`), "default", ""},
		{entry("spec", `[`), "default", ""},
	}
	for _, tt := range tests {
		r, err := ParseRequest(tt.fields)
		if err == nil || r.Zone != tt.zone || r.ID != tt.id {
			t.Errorf("ParseRequest(%v) = %+v, %v, want zone %q id %q and an error", tt.fields, r, err, tt.zone, tt.id)
		}
	}
}

func TestFlat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string
	}{
		{"plain", spec(`"every":"30s","params":{"url":"http://x/","tls":{"name":"y"},"codes":[1]}`),
			[]string{"id", "web1", "command", "http", "every", "30s", "params.codes", "[1]", "params.tls.name", "y", "params.url", "http://x/"}},
		{"numbers stay numbers", spec(`"every":"30s","params":{"port":80}`), []string{"id", "web1", "command", "http", "every", "30s", "params", `{"port":80}`}},
		{"numbers below", spec(`"every":"30s","params":{"a":"x","b":{"port":80}}`),
			[]string{"id", "web1", "command", "http", "every", "30s", "params.a", "x", "params.b", `{"port":80}`}},
		{"names with dots", spec(`"every":"30s","params":{"a":{"1.3":"x"}},"labels":{"b.c":"d"}`),
			[]string{"id", "web1", "command", "http", "every", "30s", "params.a", `{"1.3":"x"}`, "labels.b.c", "d"}},
		{"texts like JSON", spec(`"every":"30s","params":{"a":"[x"}`), []string{"id", "web1", "command", "http", "every", "30s", "params", `{"a":"[x"}`}},
		{"others", spec(`"cron":"0 3 * * *","zone":"fra","handlers":[],"meta":{"a":"b"},"paused":true`),
			[]string{"id", "web1", "command", "http", "cron", "0 3 * * *", "zone", "fra", "handlers", "", "meta.a", "b", "paused", "true"}},
	}
	for _, tt := range tests {
		c, err := Parse([]byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := Flat(c); !slices.Equal(got, tt.want) {
			t.Errorf("%s: Flat =\n%q, want\n%q", tt.name, got, tt.want)
		}
		sameByRequest(t, c)
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add("id\x1fweb1\x1fcommand\x1fhttp\x1fevery\x1f30s\x1fparams.a.b\x1f5\x1flabels.x\x1fy")
	f.Add("spec\x1f" + spec(`"every":"30s"`) + "\x1ffirst\x1fspread")
	f.Add("op\x1fack\x1fincident\x1ffra/a/1\x1funtil\x1f2030-01-01T00:00:00Z")
	f.Add("op\x1fdelete\x1fid\x1fa\x1fparams.\x1f{")
	f.Add("op\x1fdowntime\x1fchecks\x1fa*\x1flabels.x\x1fy\x1ffor\x1f1h")
	f.Fuzz(func(t *testing.T, line string) {
		fields := entry(strings.Split(line, "\x1f")...)
		r, err := ParseRequest(fields)
		if (r.Check != nil) != (err == nil && r.Op == OpSet) {
			t.Fatalf("ParseRequest(%q) = %+v, %v", fields, r, err)
		}
		if err != nil {
			if text, jerr := json.Marshal(err.Error()); jerr != nil || strings.Contains(fmt.Sprint(err), "\x00") {
				t.Fatalf("ParseRequest(%q): error text %s", fields, text)
			}
			return
		}
		if r.Op == OpDowntime {
			if err := r.Downtime.Accept("5-0", 5); err == nil {
				back, err := ParseDowntime(r.Downtime.Text())
				if err != nil || back.Text() != r.Downtime.Text() {
					t.Fatalf("ParseRequest(%q) gives the downtime %s, which reads as %v, %v", fields, r.Downtime.Text(), back, err)
				}
			}
			return
		}
		if !validZone(r.Zone) || !validID(r.ID) {
			t.Fatalf("ParseRequest(%q) = zone %q, id %q", fields, r.Zone, r.ID)
		}
		if r.Check != nil {
			if err := r.Check.Validate(); err != nil {
				t.Fatalf("ParseRequest(%q) gives a check that is not valid: %v", fields, err)
			}
			sameByRequest(t, r.Check)
		}
	})
}
