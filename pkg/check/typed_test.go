package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestTypedSharesNothing(t *testing.T) {
	t.Parallel()
	type P struct {
		Map  map[string]int `json:"map"`
		Ptr  *Limit         `json:"ptr"`
		List []int          `json:"list"`
	}
	defaults := P{Map: map[string]int{"a": 1}, Ptr: &Limit{Warn: ptr(1.0)}, List: []int{1, 2}}
	var got P
	factory := Typed(defaults, func(p P) (Command, error) { got = p; return CommandFunc(nil), nil })
	if _, err := factory(json.RawMessage(`{"map":{"b":2},"ptr":{"crit":2},"list":[9]}`)); err != nil {
		t.Fatal(err)
	}
	if want := (P{map[string]int{"a": 1, "b": 2}, &Limit{ptr(1.0), ptr(2.0)}, []int{9}}); !reflect.DeepEqual(got, want) {
		t.Errorf("params = %+v, want %+v", got, want)
	}
	if want := (P{map[string]int{"a": 1}, &Limit{Warn: ptr(1.0)}, []int{1, 2}}); !reflect.DeepEqual(defaults, want) {
		t.Errorf("defaults became %+v, want %+v", defaults, want)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	commands := Commands{
		"http": Typed(common{}, func(p common) (Command, error) {
			if p.Host == "" {
				return nil, errors.New("host is missing")
			}
			return CommandFunc(func(context.Context, Run) (Result, error) { return Result{}, nil }), nil
		}),
		"dns": nil,
	}
	tests := []struct{ name, params, want string }{
		{"http", `{"host":"a"}`, ""},
		{"http", `{}`, "params: host is missing"},
		{"http", `{"hots":"a"}`, "unknown field params.hots, did you mean params.host?"},
		{"http", `{"port":"x"}`, `params.port: want a whole number of 64 bits, got "x"`},
		{"http", `[]`, "params: want an object, got a list"},
		{"htp", `{}`, `command: there is no "htp", did you mean http? known: dns, http`},
		{"nothing-like-it", `{}`, `command: there is no "nothing-like-it"; known: dns, http`},
	}
	for _, tt := range tests {
		cmd, err := commands.Build(tt.name, json.RawMessage(tt.params))
		if got := fmt.Sprint(err); tt.want != "" && got != tt.want || (err == nil) != (tt.want == "") || (cmd == nil) != (err != nil) {
			t.Errorf("Build(%s, %s) = %v, %v, want error %q", tt.name, tt.params, cmd, err, tt.want)
		}
	}
	_, err := commands.Build("htp", nil)
	var unknown *UnknownNameError
	if !errors.As(err, &unknown) || unknown.Nearest != "http" {
		t.Errorf("Build(htp) = %#v, want an UnknownNameError with http", err)
	}
	handlers := Handlers{"log": TypedHandler(common{}, func(common) (Handler, error) { return nil, nil })}
	if _, err := handlers.Build("lgo", nil); err == nil || !strings.Contains(err.Error(), "did you mean log?") {
		t.Errorf("Build(lgo) = %v, want a hint at log", err)
	}
	if _, err := handlers.Build("log", json.RawMessage(`{"prot":1}`)); err == nil || !strings.Contains(err.Error(), "did you mean port?") {
		t.Errorf("Build(log) = %v, want a hint at port", err)
	}
}
