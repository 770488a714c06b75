package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseRows(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, text, want string }{
		{"one check", "a.yaml", "id: web1\nevery: 30s\n", `1:1 {"id":"web1","every":"30s"}`},
		{"documents", "a.yaml", "# first\n---\nid: a\n---\n# only a comment\n---\nid: b # b\n...\n", `3:1 {"id":"a"}|7:1 {"id":"b"}`},
		{"directive", "a.yaml", "%YAML 1.2\n---\nid: a\n", `3:1 {"id":"a"}`},
		{"document on the mark's line", "a.yaml", "--- {id: a}\n--- {id: b}\n", `1:5 {"id":"a"}|2:5 {"id":"b"}`},
		{"list", "a.yaml", "- id: a\n  every: 1m\n- id: b\n\n# c is next\n-\n  id: c\n", `1:3 {"id":"a","every":"1m"}|3:3 {"id":"b"}|7:3 {"id":"c"}`},
		{"windows line ends", "a.yaml", "- id: a\r\n- id: b\r\n", `1:3 {"id":"a"}|2:3 {"id":"b"}`},
		{"text that looks like numbers", "a.yaml", "id: 007\nlabels: {vlan: 100, up: true}\nattempts: 3\n", `1:1 {"id":"007","labels":{"vlan":"100","up":"true"},"attempts":3}`},
		{"numbers keep their digits", "a.yaml", "params: {a: 1.10, b: 0x10, c: 18446744073709551615, d: -1}\n", `1:1 {"params":{"a":1.10,"b":16,"c":18446744073709551615,"d":-1}}`},
		{"anchors", "a.yaml", "- &base\n  id: a\n  every: 30s\n- <<: *base\n  id: b\n", `1:3 {"id":"a","every":"30s"}|4:3 {"id":"b","every":"30s"}`},
		{"block text", "a.yaml", "params:\n  body: |\n    - id: x\n    ---x\n  q: \"a\\tb\"\n", `1:1 {"params":{"body":"- id: x\n---x\n","q":"a\tb"}}`},
		{"a bad document spoils no other", "a.yaml", "id: a\n---\nid: [b\n---\nid: c\n", `1:1 {"id":"a"}|3:5 sequence end token ']' not found|5:1 {"id":"c"}`},
		{"a bad item spoils no other", "a.yaml", "- id: a\n- id: b\n  id: b2\n- id: c\n", `1:3 {"id":"a"}|3:3 mapping key "id" already defined at [1:3]|4:3 {"id":"c"}`},
		{"not a check", "a.yaml", "- web1\n- id: b\n", `1:3 want a check here: a map with id, command, every, ...|2:3 {"id":"b"}`},
		{"no such anchor", "a.yaml", "id: *x\n", "1:5 no anchor of this name"},
		{"not a number", "a.yaml", "params: {a: .inf}\n", "1:13 a check cannot hold this kind of value (Infinity)"},
		{"empty", "a.yaml", "# nothing\n", ""},
		{"JSON lines", "a.jsonl", "{\"id\":\"a\"}\n{\"id\": \"b\"}\n", `1:1 {"id":"a"}|2:1 {"id": "b"}`},
		{"a bad line spoils no other", "a.jsonl", "{\"id\":\"a\"}\n{\"id\" \"b\"}\n{\"id\":\"c\"}\n", `1:1 {"id":"a"}|2:7 invalid character '"' after object key|3:1 {"id":"c"}`},
		{"JSON list", "a.json", "[{\"id\":\"a\"},\n {\"id\":\"b\"}]\n", `1:2 {"id":"a"}|2:2 {"id":"b"}`},
		{"JSON list with a mistake", "a.json", "[{\"id\":\"a\"},\n {\"id\" 1}]\n", `1:2 {"id":"a"}|2:8 invalid character '1' after object key`},
		{"JSON list with a number", "a.json", "[1, {\"id\":\"a\"}]\n", `1:2 want a check here: an object with id, command, every, ...|1:5 {"id":"a"}`},
		{"cut off", "a.json", "{\"id\":\"a\"}\n{\"id\":", `1:1 {"id":"a"}|2:1 the text ends in the middle of a check`},
		{"cut off list", "a.json", "[{\"id\":\"a\"}", `1:2 {"id":"a"}|1:12 the text ends in the middle of a check`},
		{"stdin with JSON", "stdin", "{\"id\":\"a\"}", `1:1 {"id":"a"}`},
		{"stdin with YAML", "stdin", "id: a", `1:1 {"id":"a"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range parseRows(tt.file, []byte(tt.text)) {
				what := string(r.text)
				if r.err != nil {
					what = r.err.Error()
				}
				got = append(got, fmt.Sprintf("%d:%d %s", r.at.line, r.at.col, what))
			}
			if s := strings.Join(got, "|"); s != tt.want {
				t.Errorf("parseRows(%q) =\n%s, want\n%s", tt.text, s, tt.want)
			}
		})
	}
}

func TestAliasBomb(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("id: a\nmeta:\n  l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&text, "  l%d: &l%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d,", i-1), 10), ","))
	}
	rows := parseRows("a.yaml", []byte(text.String()))
	if len(rows) != 1 || rows[0].err == nil || !strings.Contains(rows[0].err.Error(), "larger than a check may be") {
		t.Fatalf("parseRows of an alias bomb = %d rows, %v", len(rows), rows[0].err)
	}
	rows = parseRows("a.yaml", []byte("id: &x [*x]\n"))
	if len(rows) != 1 || rows[0].err == nil {
		t.Fatalf("parseRows of an alias of itself = %+v", rows)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	yaml := "# head\n- id: a\n- id: b\n  params:\n    oids:\n      - oid: 1.3\n      - {oid: x,  nmae: y}\n  labels: {a.b: c}\n"
	js := "[{\"id\":\"a\"},\n {\"id\":\"b\",\n  \"params\": {\"oids\": [ {\"oid\":\"1.3\"}, {\"oid\":\"x\", \"nmae\":\"y\"}]},\n  \"labels\":{}}]"
	tests := []struct {
		name, file, text, field, want string
	}{
		{"key", "a.yaml", yaml, "params", "4:3"},
		{"element", "a.yaml", yaml, "params.oids[1].nmae", "7:19"},
		{"dots", "a.yaml", yaml, "params.oids.1.nmae", "7:19"},
		{"a key with a dot", "a.yaml", yaml, "labels.a.b", "8:12"},
		{"missing", "a.yaml", yaml, "command", "3:3"},
		{"missing below", "a.yaml", yaml, "params.oids[1].name", "7:9"},
		{"no field", "a.yaml", yaml, "", "3:3"},
		{"JSON key", "a.json", js, "params", "3:3"},
		{"JSON element", "a.json", js, "params.oids[1].nmae", "3:51"},
		{"JSON first line", "a.json", js, "id", "2:3"},
		{"JSON missing", "a.json", js, "command", "2:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rows := parseRows(tt.file, []byte(tt.text))
			if len(rows) != 2 {
				t.Fatalf("parseRows gave %d rows: %v", len(rows), rows)
			}
			at := rows[1].locate(tt.field)
			if got := fmt.Sprintf("%d:%d", at.line, at.col); got != tt.want {
				t.Errorf("locate(%q) = %s, want %s", tt.field, got, tt.want)
			}
		})
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	rows := parseRows("a.yaml", []byte("- id: a\n- id: b\n  evry: 30s\n"))
	got := rows[1].excerpt(rows[1].locate("evry"))
	if want := "      evry: 30s\n      ^\n"; got != want {
		t.Errorf("excerpt = %q, want %q", got, want)
	}
}

// roundTrip writes JSON as YAML, reads it back and compares.
func roundTrip(t *testing.T, text []byte) {
	t.Helper()
	yaml, err := jsonToYAML(text)
	if err != nil {
		t.Fatalf("jsonToYAML(%s): %v", text, err)
	}
	rows := parseRows("a.yaml", yaml)
	if len(rows) != 1 || rows[0].err != nil {
		t.Fatalf("reading back %s\nas %s: %d rows, %v", text, yaml, len(rows), rows)
	}
	var want, got any
	for from, into := range map[*any][]byte{&want: text, &got: rows[0].text} {
		dec := json.NewDecoder(bytes.NewReader(into))
		dec.UseNumber()
		if err := dec.Decode(from); err != nil {
			t.Fatalf("%s: %v", into, err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("reading back\n%s written as\n%sgives\n%s", text, yaml, rows[0].text)
	}
}

var hardTexts = []string{
	"", "5", "1.10", "1e3", "0x1F", "true", "No", "null", "~", "30s", "1m30s", "2026-01-01", "1:30", "a: b", "a #b", "# x", "- x", "*x", "&x", "!x",
	"%x", "@x", "`x", "it's", `"q"`, `\d+`, " lead", "trail ", "line1\nline2", "x\n", "\n", "tab\there", "\x01", "\x7f", "\u0085", "\u2028", "\ufeff",
	"é€😀", "a:", ":a", "a:b", "<<", "=", "---", "...", ".inf", ".nan", "+1", "1_000", "0o7", "[a]", "{a}", "a,b", "a, b", "?", "? x", "|", ">",
	"http://192.0.2.10:80/x?a=1&b=2#c", "*/5 * * * *", "192.0.2.1", "2001:db8::1", "two words", "a - b", "<a>", "a=b", "12:30:45", "y", "1.", "e", "\\u0041",
}

func TestYAMLRoundTrip(t *testing.T) {
	t.Parallel()
	for _, s := range hardTexts {
		text, err := json.Marshal(map[string]any{"id": "a", "params": map[string]any{s: s, "in": []any{s, []any{s}, map[string]any{"k": s}}}})
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, text)
	}
	roundTrip(t, []byte(`{"id":"a","params":{"n":[1.10,1e3,-0,18446744073709551615,0.1,1E-7,null,true,false,[],{},[[]],[{}],[[1,[2]],{"a":{"b":[{"c":1,"d":{}}]}}]]}}`))
}

func FuzzYAMLRoundTrip(f *testing.F) {
	for _, s := range hardTexts {
		f.Add(s, "k")
	}
	f.Fuzz(func(t *testing.T, value, key string) {
		text, err := json.Marshal(map[string]any{"id": "a", "meta": map[string]any{key: value, "l": []string{value}}})
		if err != nil {
			t.Skip(err)
		}
		roundTrip(t, text)
	})
}
