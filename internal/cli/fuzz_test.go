package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// FuzzRows: every file of checks gives checks or faults with a place, and what
// is printed about them does nothing to a terminal.
func FuzzRows(f *testing.F) {
	for _, text := range []string{
		"id: a\ncommand: tcp\nevery: 30s\nparams: {host: h, port: 1}\n---\nid: b\n", "- &a {id: a}\n- *a\n- <<: *a\n  every: 1s\n", `[{"id":"a","command":"tcp","every":"1s"},{"id":`,
		`{"id":"a"}` + "\n" + `{"id":"b","params":{"x":"\u001b"}}`, "id: \"\\x1b[2J\"\ncommand: nope\n", "\t: [", "a: |\n  b\n c", "%YAML 1.2\n--- !!map {id: a}", "\xff\xfe", "id: !!binary aGk=\n", "? {a: b}\n: c",
	} {
		for kind := range uint8(4) {
			f.Add(kind, text)
		}
	}
	known := commands.Builtin()
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		var errs strings.Builder
		a := &app{Streams: Streams{Stderr: &errs}}
		rows := parseRows([]string{"x.yaml", "x.json", "x.jsonl", "x"}[kind%4], []byte(text))
		for i := range rows {
			c, faults := a.readCheck(&rows[i], known)
			if (c == nil) != (len(faults) > 0) {
				t.Errorf("a row of %q is a check: %v, and has %d faults", text, c != nil, len(faults))
			}
			for n, fault := range faults {
				if fault.at.line < 1 || fault.at.col < 1 {
					t.Errorf("a fault of %q stands at %d:%d: %s", text, fault.at.line, fault.at.col, fault.text)
				}
				a.tell(fault, n)
			}
		}
		if where, bad := drawn(errs.String()); bad {
			t.Errorf("what is wrong with %q is told with %s", text, where)
		}
	})
}

// FuzzPrinted: results, incidents and heartbeats of any form are printed, in
// every format, without doing anything to a terminal.
func FuzzPrinted(f *testing.F) {
	for _, text := range []string{
		`{"state":"CRIT","reason":"\u001b[2J","text":"\u009b","planned":1,"started":-9223372036854775808,"finished":9223372036854775807,"check":{"id":"\u202e"},"incident":{"id":"a/b/1","opened":1e18}}`,
		`{"id":"default/a/1","to":2,"opened":9223372036854775807,"resolved":-1}`, `{"name":"w","at":-9223372036854775808,"every":9223372036854775807,"started":1,"zones":["\u2028"]}`, `{"by":"\u007f","until":"x"}`, "null", "[]", "{}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var out strings.Builder
		for _, format := range []string{formatTable, formatJSON, formatJSONL, formatYAML, formatName} {
			p := &printer{w: &out, format: format}
			var ev check.Event
			if json.Unmarshal([]byte(text), &ev) == nil {
				_ = (&resultPrinter{printer: p}).print([]check.Event{ev})
				_ = (&resultPrinter{printer: p, follow: true}).print([]check.Event{ev})
			}
			if r, ok := newIncidentRow(check.Lane{Zone: "default"}, redisqueue.IncidentEntry{ID: text, Incident: text, Ack: text}); ok {
				_ = printList(p, []incidentRow{r}, incidentView(1))
			}
			var hb check.Heartbeat
			if json.Unmarshal([]byte(text), &hb) == nil {
				_ = printList(p, []workerRow{newWorkerRow(hb, 1)}, workerView(1))
			}
		}
		if where, bad := drawn(out.String()); bad {
			t.Errorf("%q is printed with %s", text, where)
		}
	})
}
