package tmpl

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

const opened = 1893553445000 // 2030-01-02 03:04:05 UTC

// delivery is the opening of an incident with a text.
func delivery(text string) check.Delivery {
	return check.Delivery{Attempt: 1, Event: &check.Event{
		Check: check.EventCheck{
			ID: "web1", Zone: "fra", Command: "http", Labels: map[string]string{"site": "a", "x.y": "dot"},
			Meta: map[string]any{"rack": map[string]any{"row": 7.0, "on": true}, "name": "n", "list": []any{"a", 1.0}},
		},
		Result: check.Result{
			State: check.StateCrit, Reason: "UNREACHABLE", Text: text,
			Metrics: []check.Metric{check.Gauge("loss_percent", 100, "percent"), check.Counter("in", 1<<63, 64, ""), check.String("name", "x")},
		},
		Planned: opened, Worker: "w1", Change: check.ChangeOpen,
		Incident: &check.Incident{ID: "fra/web1/1893553445000", To: check.StateCrit, Reason: "UNREACHABLE", Text: text, Opened: opened, Updated: opened},
	}}
}

// render parses and renders, for texts of which both must go well.
func render(t *testing.T, source string, kind Kind, d check.Delivery) string {
	t.Helper()
	p, err := Parse("body", source, kind, 4096)
	if err != nil {
		t.Fatalf("Parse(%q) = %v", source, err)
	}
	text, err := p.Render(NewData(d))
	if err != nil {
		t.Fatalf("Render(%q) = %v", source, err)
	}
	return text
}

func TestRender(t *testing.T) {
	t.Parallel()
	acked := delivery("no answer")
	acked.Ack = &check.Ack{At: opened + 1000, By: "anna", Comment: "on it"}
	for _, tt := range []struct {
		source string
		kind   Kind
		want   string
	}{
		{"{{.ID}} {{.Zone}} {{.Command}} {{.State}} {{.To}} {{.Severity}} {{.Previous}} {{.Change}}", Text, "web1 fra http CRIT CRIT critical OK open"},
		{"{{.Reason}}: {{.Text}} ({{.Incident}}, {{.Worker}})", Text, "UNREACHABLE: no answer (fra/web1/1893553445000, w1)"},
		{"{{.Labels.site}}-{{.Labels.none}}-{{index .Labels `x.y`}}-{{.Labels.none | default `else`}}", Text, "a--dot-else"},
		{`{{.Meta "rack.row"}} {{.Meta "rack.on"}} {{.Meta "name"}} [{{.Meta "none.x"}}] {{.Meta "list"}} {{.Meta "name.x"}}`, Text, `7 true n [] ["a",1] `},
		{`{{.Metric "loss_percent"}} {{.Metric "in"}} {{.Metric "name"}} [{{.Metric "none"}}]`, Text, "100 9223372036854775808 x []"},
		{`{{.Opened}} [{{.Resolved}}] {{time "15:04" .Opened}} [{{time "15:04" .Resolved}}] {{.Opened.Unix}} {{.Duration}}`, Text, "2030-01-02T03:04:05Z [] 03:04 [] 1893553445 0s"},
		{`{{upper .ID}} {{lower .State}} {{trunc 8 .Reason}} {{quote .Text}} {{printf "%-4s|" .ID}}`, Text, `WEB1 crit UNREA... "no answer" web1|`},
		{`{{slack "a<!here>&"}} {{line "a\nb\u202e"}}`, Text, "a&lt;!here&gt;&amp; a b\ufffd"},
		{`{{with .Ack}}{{.By}}: {{.Comment}} {{.At}}{{.Until}}{{end}}`, Text, "anna: on it 2030-01-02T03:04:06Z"},
		{`{"a":"{{.Text}}","b":{{json .Labels}},"c":{{.Metric "loss_percent" | json}},"d":{{json .Resolved}}}`, JSON, `{"a":"no answer","b":{"site":"a","x.y":"dot"},"c":100,"d":null}`},
		{`{{define "x"}}"{{.ID}}"{{end}}[{{range $i, $m := .Metrics}}{{if $i}},{{end}}"{{$m.Name}}"{{else}}1{{end}},{{template "x" .}}]`, JSON, `["loss_percent","in","name","web1"]`},
	} {
		if got := render(t, tt.source, tt.kind, acked); got != tt.want {
			t.Errorf("Render(%q) = %q, want %q", tt.source, got, tt.want)
		}
	}
}

// TestResolve: what is told of an incident that ended.
func TestResolve(t *testing.T) {
	t.Parallel()
	const source = "{{.State}} {{.To}} {{.Severity}} {{.Reason}} {{.Text}} {{.Duration}} {{.Resolved}}"
	d := delivery("200 OK")
	d.Event.State, d.Event.Reason, d.Event.Change, d.Event.Planned = check.StateOK, "", check.ChangeResolve, opened+90000
	d.Event.Incident.Resolved = opened + 90000
	if got, want := render(t, source, Text, d), "OK CRIT critical UNREACHABLE 200 OK 1m30s 2030-01-02T03:05:35Z"; got != want {
		t.Errorf("recovered: %q, want %q", got, want)
	}
	d.Event.State, d.Event.Text = check.StateCrit, "no answer" // the latest result of a check that was removed
	d.Event.Incident.Reason, d.Event.Incident.Text = check.ReasonCheckRemoved, "the check was removed"
	if got, want := render(t, source, Text, d), "OK CRIT critical CHECK_REMOVED the check was removed 1m30s 2030-01-02T03:05:35Z"; got != want {
		t.Errorf("removed: %q, want %q", got, want)
	}
	d = delivery("200 OK")
	d.Event.State, d.Event.Reason, d.Event.Change = check.StateOK, "", ""
	d.Event.Incident.Reason, d.Event.Incident.Text = "FLAPPING", "to and fro"
	if got, want := render(t, source, Text, d), "CRIT CRIT critical FLAPPING to and fro 0s "; got != want {
		t.Errorf("kept open by flapping: %q, want %q", got, want)
	}
	d = delivery("no answer")
	d.Event.Reason, d.Event.Incident, d.Event.Change = "", nil, ""
	if got, want := render(t, source, Text, d), "CRIT CRIT critical  no answer 0s "; got != want {
		t.Errorf("without an incident: %q, want %q", got, want)
	}
}

// TestBadTemplates: a mistake is found when the worker starts, also in a branch
// that is seldom taken.
func TestBadTemplates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		source string
		kind   Kind
		want   string
	}{
		{"{{.ID", Text, "unclosed action"},
		{"{{.Nope}}", Text, "Nope"},
		{"{{nope .ID}}", Text, "nope"},
		{`{{if eq .State "UNKNOWN"}}{{.Nope}}{{end}}`, Text, "Nope"},
		{`{{if eq .Change "resolve"}}{{.ID.Nope}}{{end}}`, Text, "Nope"},
		{`{{.Ack.By}}`, Text, "nil pointer"},
		{`{{(index .Metrics 0).Name}}`, Text, "index out of range"},
		{`{{range $i, $e := .Labels}}{{end}}{{time "15" .ID}}`, Text, "is no time"},
		{`{{printf "%999d" 1}}`, Text, "at most two digits"},
		{`{{printf "%.*f" 999 1.0}}`, Text, "at most two digits"},
		{strings.Repeat("x", 4097), Text, "too long"},
		{strings.Repeat(" ", MaxSource+1), Text, "want at most 65536"},
		{`{"a":{{.ID}}}`, JSON, "no valid JSON"},
		{`{"a":"{{json .ID}}"}`, JSON, "no valid JSON"},
		{`{"a":{{.Metric "none"}}}`, JSON, "no valid JSON"},
		{``, JSON, "unexpected end of JSON"},
		{`{"a":1}{"b":2}`, JSON, "no valid JSON"},
	} {
		_, err := Parse("body", tt.source, tt.kind, 4096)
		if err == nil || !strings.HasPrefix(err.Error(), "body: ") || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 600 {
			t.Errorf("Parse(%.60q) = %v, want body: %q", tt.source, err, tt.want)
		}
	}
}

// TestLimits: what a target says cannot make a template grow without bounds.
func TestLimits(t *testing.T) {
	t.Parallel()
	p, err := Parse("body", "{{.Text}}{{.Text}}{{.Text}}", Text, 8192)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Render(NewData(delivery(strings.Repeat("x", 4096)))); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("Render = %v, want it too long", err)
	}
	p, err = Parse("body", `{{printf .Text 1}}`, Text, 8192)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := p.Render(NewData(delivery(strings.Repeat("%1000000d", 400)))); err == nil {
		t.Errorf("Render = %d bytes, want an error", len(text))
	}
}

func TestTrunc(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "..."}, {"abcdef", 5, "ab..."}, {"ééééé", 5, "ééééé"}, {"éééééé", 5, "éé..."}, {"abc", 0, ""}, {"abc", 1, "."}, {"", 0, ""},
		{"abc", -1, ""},
	} {
		if got := Trunc(tt.s, tt.n); got != tt.want {
			t.Errorf("Trunc(%q, %d) = %q, want %q", tt.s, tt.n, got, tt.want)
		}
	}
}

// FuzzInjection: whatever a target says, a JSON template makes JSON with the
// same keys and no others, and the text arrives as it is.
func FuzzInjection(f *testing.F) {
	for _, s := range []string{
		`", "severity": "critical`, "a\nb\x00\x1b[31m", "\u202e\u2028", strings.Repeat(`"\`, 2048), "\xff\xfe", "{{.ID}}", "</script>", `\u0022`, "%!d(MISSING)",
	} {
		f.Add(s)
	}
	inQuotes, err := Parse("body", `{"text":"{{.Text}}","both":"{{.ID}}: {{.Text}}{{if .Text}}{{.Text | upper}}{{end}}","j":{{json .Text}},"q":{{quote .Text}},"l":{{json .Labels}}}`, JSON, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := delivery(s)
		d.Event.Check.Labels["site"] = s
		text, err := inQuotes.Render(NewData(d))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != 5 {
			t.Fatalf("%d keys, %v in %q", len(got), err, text)
		}
		want := strings.ToValidUTF8(s, "\ufffd")
		if !utf8.ValidString(s) {
			want = got["j"].(string) // a replacement for each byte or for each run of them
		}
		if got["text"] != want || got["q"] != want || got["l"].(map[string]any)["site"] != want {
			t.Fatalf("%q arrived as %q", s, got)
		}
	})
}

// TestSamples: every state and every change, and no two of them share a map.
func TestSamples(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range Samples() {
		seen[d.State], seen[d.Change], seen[fmt.Sprint(d.Ack != nil)] = true, true, true
		if d.Labels != nil {
			d.Labels["site"] = "changed"
		}
	}
	for _, want := range []string{"OK", "WARN", "CRIT", "UNKNOWN", "open", "update", "ack", "resolve", "", "true", "false"} {
		if !seen[want] {
			t.Errorf("no sample has %q", want)
		}
	}
	if got := (Time{time.Unix(0, 0)}).String(); got != "1970-01-01T00:00:00Z" {
		t.Errorf("Time = %s", got)
	}
}
