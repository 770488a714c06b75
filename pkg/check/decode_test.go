package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type common struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

type Limit struct {
	Warn *float64 `json:"warn"`
	Crit *float64 `json:"crit"`
}

type secret struct{ Name string }

func (s *secret) UnmarshalJSON(text []byte) error {
	var v struct{ Secret string }
	if err := json.Unmarshal(text, &v); err != nil || v.Secret == "" {
		return errors.New(`want {"secret": "name"}`)
	}
	s.Name = v.Secret
	return nil
}

type Extra struct{ Deep string }

type params struct {
	common
	*Extra
	Limit   Limit             `json:"limit"`
	Wait    Duration          `json:"wait"`
	Plain   time.Duration     `json:"plain"`
	When    time.Time         `json:"when"`
	Verify  bool              `json:"verify"`
	Size    uint8             `json:"size"`
	Ratio   float64           `json:"ratio"`
	Exact   json.Number       `json:"exact"`
	Names   []string          `json:"names"`
	Codes   []int             `json:"codes"`
	Waits   []Duration        `json:"waits"`
	Headers map[string]string `json:"headers"`
	OIDs    []struct {
		OID  string `json:"oid"`
		Warn *Limit `json:"warn"`
	} `json:"oids"`
	Addr    netip.Addr       `json:"addr"`
	State   State            `json:"state"`
	Secret  secret           `json:"secret"`
	Ptr     *int             `json:"ptr"`
	Any     any              `json:"any"`
	Raw     json.RawMessage  `json:"raw"`
	ByName  map[string]Limit `json:"by_name"`
	Skipped string           `json:"-"`
	Dash    string           `json:"-,"` //nolint:staticcheck // a field that is called -
	Untold  string
	hidden  string //nolint:unused // what Decode must not find
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, params string
		want         func(*params)
	}{
		{"nothing", ``, func(p *params) {}},
		{"null", `null`, func(p *params) {}},
		{"empty", `{}`, func(p *params) {}},
		{"embedded", `{"host":"a","port":5}`, func(p *params) { p.Host, p.Port = "a", 5 }},
		{"embedded pointer", `{"Deep":"x"}`, func(p *params) { p.Extra = &Extra{"x"} }},
		{"number as text", `{"port":"5"}`, func(p *params) { p.Port = 5 }},
		{"true as text", `{"verify":"true"}`, func(p *params) { p.Verify = true }},
		{"false as text", `{"verify":"false"}`, func(p *params) { p.Verify = false }},
		{"durations", `{"wait":"1m30s","plain":"5ms"}`, func(p *params) { p.Wait, p.Plain = Duration(90*time.Second), 5*time.Millisecond }},
		{"time", `{"when":"2026-05-01T10:00:00Z"}`, func(p *params) { p.When = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC) }},
		{"float", `{"ratio":"0.5"}`, func(p *params) { p.Ratio = 0.5 }},
		{"exact number", `{"exact":1.10}`, func(p *params) { p.Exact = "1.10" }},
		{"list", `{"names":["a","b,c"]}`, func(p *params) { p.Names = []string{"a", "b,c"} }},
		{"comma list", `{"names":"a, b"}`, func(p *params) { p.Names = []string{"a", "b"} }},
		{"empty comma list", `{"names":""}`, func(p *params) { p.Names = []string{} }},
		{"comma list of numbers", `{"codes":"200,301"}`, func(p *params) { p.Codes = []int{200, 301} }},
		{"one number for a list", `{"codes":200}`, func(p *params) { p.Codes = []int{200} }},
		{"comma list of durations", `{"waits":"1s,2s"}`, func(p *params) { p.Waits = []Duration{Duration(time.Second), Duration(2 * time.Second)} }},
		{"map is merged", `{"headers":{"b":"2"}}`, func(p *params) { p.Headers = map[string]string{"a": "1", "b": "2"} }},
		{"map is unset", `{"headers":null}`, func(p *params) { p.Headers = nil }},
		{"null leaves scalars", `{"host":null,"wait":null}`, func(p *params) {}},
		{"pointer", `{"limit":{"warn":"1.5"}}`, func(p *params) { p.Limit.Warn = ptr(1.5) }},
		{"pointer is unset", `{"limit":{"crit":null}}`, func(p *params) { p.Limit.Crit = nil }},
		{"list of objects", `{"oids":[{"oid":"1.3"},{"oid":"1.4","warn":{"crit":2}}]}`, func(p *params) {
			p.OIDs = make([]struct {
				OID  string `json:"oid"`
				Warn *Limit `json:"warn"`
			}, 2)
			p.OIDs[0].OID, p.OIDs[1].OID, p.OIDs[1].Warn = "1.3", "1.4", &Limit{Crit: ptr(2.0)}
		}},
		{"text unmarshaler", `{"addr":"192.0.2.1","state":"CRIT"}`, func(p *params) {
			p.Addr, p.State = netip.MustParseAddr("192.0.2.1"), StateCrit
		}},
		{"json unmarshaler", `{"secret":{"secret":"pw"}}`, func(p *params) { p.Secret.Name = "pw" }},
		{"any", `{"any":{"a":[1.50]}}`, func(p *params) { p.Any = map[string]any{"a": []any{json.Number("1.50")}} }},
		{"raw", `{"raw":{"b": 1, "a":"<"}}`, func(p *params) { p.Raw = json.RawMessage(`{"a":"<","b":1}`) }},
		{"map of objects", `{"by_name":{"x.y":{"warn":1}}}`, func(p *params) { p.ByName = map[string]Limit{"x.y": {Warn: ptr(1.0)}} }},
		{"names of fields", `{"-":"a","Untold":"b"}`, func(p *params) { p.Dash, p.Untold = "a", "b" }},
	}
	for _, tt := range tests {
		defaults := func() params {
			return params{
				common: common{Port: 80}, Wait: Duration(time.Second), Names: []string{"z"},
				Headers: map[string]string{"a": "1"}, Limit: Limit{Crit: ptr(9.0)}, Verify: true, Ptr: ptr(3),
			}
		}
		want := defaults()
		tt.want(&want)
		got := defaults()
		if err := Decode(json.RawMessage(tt.params), &got); err != nil {
			t.Errorf("%s: Decode(%s) = %v", tt.name, tt.params, err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Decode(%s)\n got %+v\nwant %+v", tt.name, tt.params, got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, params, want string }{
		{"unknown", `{"hots":"a"}`, "unknown field hots, did you mean host?"},
		{"unknown and far", `{"zebra":"a"}`, "unknown field zebra"},
		{"unknown below", `{"limit":{"wran":1}}`, "unknown field limit.wran, did you mean limit.warn?"},
		{"unknown in a list", `{"oids":[{"oid":"1"},{"odi":"1"}]}`, "unknown field oids[1].odi, did you mean oids[1].oid?"},
		{"other case", `{"Host":"a"}`, "unknown field Host, did you mean host?"},
		{"unexported", `{"hidden":"a"}`, "unknown field hidden"},
		{"ignored", `{"Skipped":"a"}`, "unknown field Skipped"},
		{"embedded by name", `{"common":{}}`, "unknown field common"},
		{"several", `{"hots":"a","port":"x"}`, "unknown field hots, did you mean host?\nport: want a whole number of 64 bits, got \"x\""},
		{"text for a number", `{"limit":{"warn":"x"}}`, `limit.warn: want a number, got "x"`},
		{"NaN", `{"ratio":"NaN"}`, `ratio: want a number, got "NaN"`},
		{"infinite", `{"ratio":"1e999"}`, `ratio: want a number, got "1e999"`},
		{"infinite by name", `{"ratio":"Inf"}`, `ratio: want a number`},
		{"hex", `{"ratio":"0x10"}`, `ratio: want a number`},
		{"empty number", `{"port":""}`, `port: want a whole number of 64 bits, got ""`},
		{"fraction", `{"port":1.5}`, `port: want a whole number of 64 bits, got 1.5`},
		{"too big", `{"size":256}`, `size: want a whole number of 8 bits, not negative, got 256`},
		{"negative", `{"size":-1}`, `size: want a whole number of 8 bits, not negative, got -1`},
		{"number for a text", `{"host":5}`, `host: want a string, got 5`},
		{"number for a truth", `{"verify":1}`, `verify: want true or false, got 1`},
		{"text for a truth", `{"verify":"yes"}`, `verify: want true or false, got "yes"`},
		{"number for a duration", `{"wait":5}`, `wait: 5: want a duration such as 5s`},
		{"digits for a duration", `{"wait":"5"}`, `wait: "5": want a duration such as 5s`},
		{"number for a time.Duration", `{"plain":5}`, `plain: 5: want a duration such as 5s`},
		{"bad time", `{"when":"tomorrow"}`, `when: "tomorrow": want a time such as`},
		{"object for a list", `{"names":{}}`, `names: want a list, got an object`},
		{"bad item", `{"codes":"200,x"}`, `codes[1]: want a whole number of 64 bits, got "x"`},
		{"text for objects", `{"oids":"a,b"}`, `oids: want a list, got "a,b"`},
		{"list for an object", `{"limit":[]}`, `limit: want an object, got a list`},
		{"text for a map", `{"headers":"a"}`, `headers: want an object, got "a"`},
		{"bad value in a map", `{"headers":{"x y":1}}`, `headers."x y": want a string, got 1`},
		{"text unmarshaler", `{"addr":"x"}`, `addr: `},
		{"number for a text unmarshaler", `{"addr":1}`, `addr: want a string, got 1`},
		{"json unmarshaler", `{"secret":"plain"}`, `secret: want {"secret": "name"}`},
		{"no object", `[1]`, `want an object, got a list`},
		{"twice", `{"host":"a","host":"b"}`, `host: stands twice`},
		{"trailing data", `{} {}`, `not valid JSON at byte 4`},
		{"no JSON", `{"host"`, `not valid JSON at byte 7`},
		{"not UTF-8", "{\"host\":\"\xff\"}", `not valid UTF-8`},
		{"NUL", `{"host":"a\u0000b"}`, `host: "a\x00b": control characters are not allowed`},
		{"control in a name", `{"ho\u0007st":1}`, `control characters are not allowed in a name`},
		{"deep", `{"any":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, `nests deeper than 32`},
	}
	for _, tt := range tests {
		var p params
		err := Decode(json.RawMessage(tt.params), &p)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Decode(%s) = %v, want %s", tt.name, tt.params, err, tt.want)
			continue
		}
		var fe *FieldError
		if !errors.As(err, &fe) {
			t.Errorf("%s: %v is no FieldError", tt.name, err)
		}
	}
	if err := Decode(json.RawMessage(`{}`), params{}); err == nil {
		t.Error("Decode into a value that is no pointer = nil, want an error")
	}
}

func TestDecodeListsAFewFaults(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `,"x%d":1`, i)
	}
	err := Decode(json.RawMessage("{"+b.String()[1:]+"}"), &params{})
	if n := strings.Count(err.Error(), "\n") + 1; n != maxFaults+1 || !strings.HasSuffix(err.Error(), "and 980 more faults") {
		t.Errorf("%d lines, ending in %q; want %d and the number of the rest", n, err.Error()[len(err.Error())-30:], maxFaults+1)
	}
}
