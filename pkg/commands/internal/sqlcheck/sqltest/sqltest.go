// Package sqltest is the suite that the commands on sqlcheck pass, against a
// fake of their data base and against the real one.
package sqltest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
)

// Hang is a query that a fake never answers.
const Hang = "SELECT hang"

// Answer is what a fake says to query: cells of one column, nil for NULL, or
// an error. It knows the queries of this package; ok is false when it is to
// keep silent.
func Answer(query string) (cells []*string, fault string, ok bool) {
	text := func(s string) []*string { return []*string{&s} }
	switch query {
	case Hang:
		return nil, "", false
	case "SELECT 1":
		return text("1"), "", true
	case "SELECT 42":
		return text("42"), "", true
	case "SELECT -1.5":
		return text("-1.5"), "", true
	case "SELECT 'a text'":
		return text("a text"), "", true
	case "SELECT NULL":
		return []*string{nil}, "", true
	case noRows:
		return nil, "", true
	case threeRows:
		return append(text("7"), append(text("8"), text("9")...)...), "", true
	}
	return nil, "not understood", true
}

const (
	noRows    = "SELECT 1 WHERE 1 = 0"
	threeRows = "SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9"
)

// Want runs a check and compares state and reason. At are the params of the
// server, without braces.
func Want(t *testing.T, factory check.CommandFactory, doc, at, params string, state check.State, reason string) check.Result {
	t.Helper()
	text := strings.Replace("{"+at+","+params[1:], ",}", "}", 1)
	cmd, err := factory([]byte(text))
	if err != nil {
		t.Fatalf("params %s: %v", text, err)
	}
	res, err := cmd.Run(t.Context(), check.Run{})
	if err != nil {
		t.Fatalf("Run(%s) = %v", params, err)
	}
	if res.State != state || res.Reason != reason {
		t.Errorf("Run(%s) = %v %s (%s), want %v %s", params, res.State, res.Reason, res.Text, state, reason)
	}
	checktest.Result(t, doc, res)
	return res
}

// Grades runs queries and looks at what becomes of their answers.
func Grades(t *testing.T, factory check.CommandFactory, doc, at string) {
	t.Helper()
	for _, tt := range []struct {
		params string
		state  check.State
		reason string
		value  string // as fmt prints it, empty: no such metric
		rows   float64
	}{
		{`{}`, check.StateOK, "", "1", 1},
		{`{"query":"SELECT 42"}`, check.StateOK, "", "42", 1},
		{`{"query":"SELECT -1.5","value":{"warn_min":-2}}`, check.StateOK, "", "-1.5", 1},
		{`{"query":"SELECT 42","value":{"warn_max":42}}`, check.StateOK, "", "42", 1},
		{`{"query":"SELECT 42","value":{"warn_max":41,"crit_max":50}}`, check.StateWarn, "VALUE_OUT_OF_RANGE", "42", 1},
		{`{"query":"SELECT 42","value":{"warn_max":40,"crit_max":"41"}}`, check.StateCrit, "VALUE_OUT_OF_RANGE", "42", 1},
		{`{"query":"SELECT 42","value":{"crit_min":43}}`, check.StateCrit, "VALUE_OUT_OF_RANGE", "42", 1},
		{`{"query":"SELECT 'a text'"}`, check.StateOK, "", "a text", 1},
		{`{"query":"SELECT 'a text'","value":{"crit_min":1}}`, check.StateUnknown, "NO_VALUE", "a text", 1},
		{`{"query":"SELECT NULL"}`, check.StateOK, "", "", 1},
		{`{"query":"SELECT NULL","value":{"crit_min":1}}`, check.StateUnknown, "NO_VALUE", "", 1},
		{`{"query":"` + noRows + `"}`, check.StateOK, "", "", 0},
		{`{"query":"` + threeRows + `","value":{"crit_max":7}}`, check.StateOK, "", "7", 3},
		{`{"resp_warn":"1ns"}`, check.StateWarn, "RESP_TIME_EXCEEDED", "1", 1},
		{`{"resp_crit":"1ns"}`, check.StateCrit, "RESP_TIME_EXCEEDED", "1", 1},
	} {
		t.Run(tt.params, func(t *testing.T) {
			t.Parallel()
			res := Want(t, factory, doc, at, tt.params, tt.state, tt.reason)
			m, ok := res.Metric("value")
			got := ""
			if ok {
				got = m.Str
				if m.Kind == check.KindGauge {
					got = fmt.Sprint(m.Value)
				}
			}
			if got != tt.value {
				t.Errorf("value = %q, want %q", got, tt.value)
			}
			if m, _ := res.Metric("rows"); m.Value != tt.rows {
				t.Errorf("rows = %v, want %v", m.Value, tt.rows)
			}
		})
	}
	Want(t, factory, doc, at, `{"query":"SELEKT nonsense"}`, check.StateCrit, "SQL_QRY_FAILURE")
}

// Bad are params that the factories refuse, given good ones of a server.
func Bad(at string) []string {
	return []string{
		`{}`, `{"host":"h"}`, `{"user":"u"}`, `{"host":"a b","user":"u"}`, `{"host":"h","user":"u","port":0}`,
		`{"host":"h","user":"u","password":"plain"}`, `{` + at + `,"query":""}`, `{` + at + `,"query":"a\u0000b"}`,
		`{` + at + `,"timeout":"0s"}`, `{` + at + `,"resp_warn":"-1s"}`, `{` + at + `,"ca":"x"}`,
		`{` + at + `,"tls":true,"ca":"x"}`, `{` + at + `,"tls":true,"server_name":"a/b"}`, `{` + at + `,"value":{"max":1}}`,
	}
}
