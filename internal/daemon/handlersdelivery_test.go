package daemon

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// TestDeliveryOfHandlers: changes are the default of those that take them.
func TestDeliveryOfHandlers(t *testing.T) {
	t.Parallel()
	closed := false
	got, err := ParseHandlers("h.yaml", []byte(`
- {name: a, type: page}
- {name: b, type: both}
- {name: c, type: both, delivery: inline}
- {name: d, type: wild}
- {name: e, type: sink, addr: x}
- {name: f, type: sink, addr: x, delivery: stream}
`), sinks(&closed))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, e := range got {
		words = append(words, e.Delivery)
	}
	if text := strings.Join(words, " "); text != "stream stream inline inline inline stream" {
		t.Errorf("deliveries = %s", text)
	}
}

func TestDeliveryKeys(t *testing.T) {
	t.Parallel()
	closed := false
	got, err := ParseHandlers("h.yaml", []byte(`
- name: a
  type: page
  concurrency: 3
  give_up: 2h
  filter:
    states: [WARN, CRIT]
    labels: {site: fra, rack: 007, live: true, version: "1.10"}
    only: incidents
- {name: b, type: page, give_up: 0}
- {name: c, type: page, give_up: 0s}
- {name: d, type: sink, addr: x, filter: {only: changes, states: [UNKNOWN]}}
`), sinks(&closed))
	if err != nil {
		t.Fatal(err)
	}
	a := got[0]
	if a.Concurrency != 3 || a.GiveUp != 2*time.Hour || a.Only != "incidents" || !reflect.DeepEqual(a.States, []check.State{check.StateWarn, check.StateCrit}) {
		t.Errorf("a = %+v", a)
	}
	if want := map[string]string{"site": "fra", "rack": "007", "live": "true", "version": "1.10"}; !reflect.DeepEqual(a.Labels, want) {
		t.Errorf("labels = %v, want %v", a.Labels, want)
	}
	if got[1].GiveUp != -1 || got[2].GiveUp != -1 || got[3].Only != "changes" || got[3].States[0] != check.StateUnknown {
		t.Errorf("others = %+v", got[1:])
	}
}

func TestDeliveryFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"stream only", "- name: a\n  type: page\n  delivery: inline\n", "h.yaml:3:3: a: type page takes changes of incidents: want delivery stream"},
		{"empty", "- name: a\n  type: page\n  delivery: ''\n", "h.yaml:3:3: delivery \"\": want inline or stream"},
		{"mutator", "- name: a\n  type: wild\n  delivery: stream\n", "h.yaml:3:3: a: type wild changes events"},
		{"all of the stream", "- name: a\n  type: page\n  filter:\n    only: all\n", "h.yaml:4:11: a: filter.only all: with delivery stream"},
		{"only", "- name: a\n  type: page\n  filter: {only: some}\n", "h.yaml:3:18: filter.only: want all, changes, incidents"},
		{"no filter", "- {name: a, type: page, filter: CRIT}", "h.yaml:1:33: filter: want {states"},
		{"unknown", "- name: a\n  type: page\n  filter:\n    label: {a: b}\n", "h.yaml:4:5: filter: unknown field label, did you mean labels?"},
		{"twice", "- name: a\n  type: page\n  filter:\n    only: all\n    only: all\n", "h.yaml:5:5: "},
		{"state", "- name: a\n  type: page\n  filter: {states: [CRIT, DOWN]}\n", `h.yaml:3:27: filter.states: state "DOWN"`},
		{"one state", "- name: a\n  type: page\n  filter: {states: CRIT}\n", "h.yaml:3:20: filter.states: want a list"},
		{"no state", "- name: a\n  type: page\n  filter: {states: []}\n", "filter.states: want a list"},
		{"labels", "- name: a\n  type: page\n  filter: {labels: [a]}\n", "h.yaml:3:20: filter.labels: want a map"},
		{"label", "- name: a\n  type: page\n  filter: {labels: {a: [b]}}\n", "filter.labels.a: want a text"},
		{"null label", "- name: a\n  type: page\n  filter: {labels: {a: null}}\n", "filter.labels.a: want a text"},
		{"concurrency", "- {name: a, type: page, concurrency: 0}", "concurrency: want a number, 1 to 1000"},
		{"concurrency inline", "- name: a\n  type: sink\n  addr: x\n  concurrency: 2\n", "h.yaml:4:3: a: concurrency goes with delivery stream"},
		{"give up", "- {name: a, type: page, give_up: -1h}", "give_up: want a duration such as 24h, or 0 for never"},
		{"give up inline", "- name: a\n  type: sink\n  addr: x\n  give_up: 2h\n", "h.yaml:4:3: a: give_up goes with delivery stream"},
		{"ack", "- {name: ack, type: page}", "name ack: that is what stands beside"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			closed := false
			_, err := ParseHandlers("h.yaml", []byte(tt.text), sinks(&closed))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseHandlers(%q) = %v, want %q in it", tt.text, err, tt.want)
			}
		})
	}
}
