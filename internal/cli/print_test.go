package cli

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

type thing struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Port  int    `json:"port,omitempty"`
}

func TestPrintList(t *testing.T) {
	t.Parallel()
	things := []thing{{"web1", "OK", 80}, {"a-long-name", "CRIT", 0}, {"evil\x1b[31m\u202e", "", 0}}
	v := view[thing]{
		head: []string{"ID", "STATE"},
		row:  func(x thing) []string { return []string{x.ID, x.State} },
		name: func(x thing) string { return x.ID },
	}
	tests := []struct {
		name  string
		p     printer
		n     int
		want  string
		wants string // part of it
	}{
		{name: "table", p: printer{format: formatTable}, n: 2, want: "ID           STATE\nweb1         OK\na-long-name  CRIT\n"},
		{name: "no rows", p: printer{format: formatTable}, n: 0, want: "ID  STATE\n"},
		{name: "colour", p: printer{format: formatTable, color: true}, n: 2, wants: "\x1b[31mCRIT\x1b[0m\n"},
		{name: "escapes of others", p: printer{format: formatTable, color: true}, n: 3, wants: "evil\uFFFD[31m\uFFFD\n"},
		{name: "name", p: printer{format: formatName}, n: 2, want: "web1\na-long-name\n"},
		{name: "jsonl", p: printer{format: formatJSONL}, n: 2, want: `{"id":"web1","state":"OK","port":80}` + "\n" + `{"id":"a-long-name","state":"CRIT"}` + "\n"},
		{name: "json", p: printer{format: formatJSON}, n: 1, want: "[\n  {\n    \"id\": \"web1\",\n    \"state\": \"OK\",\n    \"port\": 80\n  }\n]\n"},
		{name: "yaml", p: printer{format: formatYAML}, n: 1, want: "- id: web1\n  state: OK\n  port: 80\n"},
		{name: "json of none", p: printer{format: formatJSON}, n: 0, want: "[]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			p := tt.p
			p.w = &out
			items := things[:tt.n]
			if tt.n == 0 {
				items = nil
			}
			if err := printList(&p, items, v); err != nil {
				t.Fatal(err)
			}
			if tt.want != "" && out.String() != tt.want {
				t.Errorf("printed\n%q, want\n%q", out.String(), tt.want)
			}
			if !strings.Contains(out.String(), tt.wants) {
				t.Errorf("printed\n%q, want part\n%q", out.String(), tt.wants)
			}
		})
	}
}

// An acknowledgement happens behind the run whose result it carries.
func TestEventViewOfAnAck(t *testing.T) {
	t.Parallel()
	ev := check.Event{Planned: 5000, Started: 1000, Finished: 1200, Change: check.ChangeAck, Check: check.EventCheck{ID: "a"}}
	if row := eventView().row(ev); row[0] != clock(5000) || row[4] != "-" || row[5] != "-" {
		t.Errorf("row of an ack = %q, want the time of the ack, nothing taken and nothing late", row)
	}
	ev.Planned, ev.Change = 990, check.ChangeOpen
	if row := eventView().row(ev); row[0] != clock(1200) || row[4] != "200ms" || row[5] != "10ms" {
		t.Errorf("row of a run = %q, want 200ms taken, 10ms late", row)
	}
}
