package brace

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

var rules = Rules{
	Literal: func(c byte) bool { return c > ' ' && c != ':' },
	Want:    "no colons",
	Fields:  []string{"metric"},
}

// plain cleans nothing.
func plain(b []byte, value string) []byte { return append(b, value...) }

var web = &check.EventCheck{
	ID: "web1", Zone: "fra", Command: "http",
	Labels: map[string]string{"site": "a", "x.y": "dot", "empty": ""},
	Meta:   map[string]any{"rack": 7.0, "deep": map[string]any{"name": "n", "list": []any{1}}, "on": true},
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, want string
		whole      bool
	}{
		{"", "", true},
		{"x", "x", true},
		{"{id}", "web1", true},
		{"a/{zone}/{command}-{metric}{metric}", "a/fra/http-mm", true},
		{"{labels.site}.{labels.x.y}", "a.dot", true},
		{"{labels.no}{labels.empty}", "nonenone", false},
		{"{meta.rack}{meta.on}{meta.deep.name}", "7truen", true},
		{"{meta.deep}-{meta.deep.list}-{meta.rack.x}-{meta.no}", "none-none-none-none", false},
	} {
		tmpl, err := Parse(tt.text, rules)
		if err != nil {
			t.Errorf("Parse(%q) = %v", tt.text, err)
			continue
		}
		if got, whole := tmpl.Append(nil, web, plain, "m"); string(got) != tt.want || whole != tt.whole {
			t.Errorf("%q = %q, %v, want %q, %v", tt.text, got, whole, tt.want, tt.whole)
		}
	}
	cleaned := rules
	cleaned.Clean = true
	tmpl, err := Parse("a{id}", cleaned)
	if got, _ := tmpl.Append(nil, web, func(b []byte, v string) []byte { return append(append(b, '<'), v...) }); err != nil || string(got) != "<a<web1" {
		t.Errorf("cleaned %q, %v", got, err)
	}
	tmpl, err = Parse("{metric}/{labels.x.y}", rules)
	if err != nil || !tmpl.Has("metric") || !tmpl.Has("labels.x.y") || tmpl.Has("id") || tmpl.Has("") {
		t.Errorf("Has is wrong, %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a b": "no colons", "a:b": "no colons", "a}": "no colons", "{": "want {id}", "{}": "{}", "{nope}": "{nope}, want {id}, {zone}, {command}, {metric}, ",
		"{id.x}": "{id.x}", "{labels}": "{labels}", "{labels.}": "{labels.}", "{meta.a..b}": "{meta.a..b}", "{metric.x}": "{metric.x}", "{id": "{id}",
	} {
		if _, err := Parse(text, rules); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %q", text, err, want)
		}
	}
}

// FuzzParse: what is read is written without what literals must not have.
func FuzzParse(f *testing.F) {
	f.Add("{id}.{labels.site}/x")
	f.Add("{meta.a.b}}{")
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := Parse(text, rules)
		if err != nil {
			return
		}
		out, _ := tmpl.Append(nil, &check.EventCheck{}, plain)
		if strings.ContainsAny(string(out), " :{}\n") {
			t.Errorf("%q became %q", text, out)
		}
	})
}
