package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"host":"a","limit":{"warn":"1"},"oids":[{"oid":"1"}],"headers":{"a":"b"},"names":"a,b","Deep":"x"}`))
	f.Add([]byte(`{"wait":"5s","secret":{"secret":"x"},"raw":[1,{"b":2,"a":1}],"any":null,"size":"7","exact":1e400}`))
	f.Add([]byte(` [1 , -2.5e+3, "a\\"\u00e4\\", true,false , null,{ },[ ], {"a" : {"b":[]} , "c":""}] `))
	f.Fuzz(func(t *testing.T, text []byte) {
		sameAsJSON(t, text)
		var p params
		if err := Decode(text, &p); err != nil {
			for _, e := range leaves(err) {
				var fe *FieldError
				if !errors.As(e, &fe) || strings.ContainsAny(e.Error(), "\n\x00") {
					t.Fatalf("Decode(%q): %q is no one-line FieldError", text, e)
				}
			}
			return
		}
		var again params
		if err := Decode(text, &again); err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("Decode(%q) twice: %+v, then %+v, %v", text, p, again, err)
		}
	})
}

// sameAsJSON compares our reader with that of encoding/json.
func sameAsJSON(t *testing.T, text []byte) {
	t.Helper()
	got, err := parseTree(text)
	if err != nil {
		return
	}
	var want any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&want); err != nil {
		t.Fatalf("parseTree(%q) = %#v, but encoding/json says %v", text, got, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("parseTree(%q) = %#v, want %#v", text, got, want)
	}
}

func TestDecodeOddTargets(t *testing.T) {
	t.Parallel()
	type inner struct{ A, B int }
	type unreachable struct {
		*inner     // unexported pointer: encoding/json cannot set it either
		C      int `json:"c"`
	}
	type named struct {
		inner `json:"inner"` // a tag makes it a field of its own; unexported: none
		Extra `json:"extra"`
	}
	type shadow struct {
		inner
		A string
	}
	type odd struct {
		Keys  map[int]string `json:"keys"`
		Chan  chan int       `json:"chan"`
		Iface error          `json:"iface"`
		Self  *selfish       `json:"self"`
	}
	tests := []struct {
		name, params string
		into         any
		want         any // a value, or the text of an error
	}{
		{"unreachable", `{"A":1}`, &unreachable{}, "unknown field A"},
		{"beside the unreachable", `{"c":1}`, &unreachable{}, unreachable{C: 1}},
		{"named embedded", `{"extra":{"Deep":"x"}}`, &named{}, named{Extra: Extra{"x"}}},
		{"named embedded does not flatten", `{"Deep":"x"}`, &named{}, "unknown field Deep"},
		{"shadowed", `{"A":"x","B":2}`, &shadow{}, shadow{inner{B: 2}, "x"}},
		{"keys that are no strings", `{"keys":{"1":"x"}}`, &odd{}, "keys: cannot be set"},
		{"no way to read", `{"chan":1}`, &odd{}, "chan: cannot be set"},
		{"interface with methods", `{"iface":"x"}`, &odd{}, "iface: cannot be set"},
		{"a field of a type that reads itself", `{"self":{"x":1}}`, &odd{}, "self.x: is refused"},
		{"a map", `{"a":1}`, &map[string]any{}, map[string]any{"a": json.Number("1")}},
		{"a type that reads itself", `{"x":1}`, &selfish{}, "x: is refused"},
		{"embedded pointer that is there", `{"Deep":"y"}`, &struct{ *Extra }{&Extra{"x"}}, struct{ *Extra }{&Extra{"y"}}},
	}
	for _, tt := range tests {
		err := Decode(json.RawMessage(tt.params), tt.into)
		if text, ok := tt.want.(string); ok {
			if err == nil || !strings.HasPrefix(err.Error(), text) {
				t.Errorf("%s: Decode(%s) = %v, want %s", tt.name, tt.params, err, text)
			}
			continue
		}
		if got := reflect.ValueOf(tt.into).Elem().Interface(); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: Decode(%s) = %+v, %v, want %+v", tt.name, tt.params, got, err, tt.want)
		}
	}
}

// selfish refuses its field x by a FieldError.
type selfish struct{}

func (*selfish) UnmarshalJSON([]byte) error { return fieldErr("x", "is refused") }
