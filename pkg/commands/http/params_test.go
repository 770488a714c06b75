package http

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

func gzipWriter(w io.Writer) *gzip.Writer { return gzip.NewWriter(w) }

func TestBadParams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ params, want string }{
		{`{}`, "url: is needed"},
		{`{"url":"http://a/","host":"a"}`, "url: stands beside none"},
		{`{"url":"ftp://a/"}`, `scheme "ftp"`},
		{`{"url":"a"}`, "scheme"},
		{`{"url":"http:a"}`, "url: is needed"},
		{`{"url":"http://a:0/"}`, `"0" is no port`},
		{`{"url":"http://a:99999/"}`, "is no port"},
		{`{"url":"http://bob:` + canary + `@a/"}`, "a user in it is refused"},
		{`{"url":"http://bob:` + canary + `%zz@a/"}`, "cannot be read"},
		{`{"url":"http://a/\r\nX: y"}`, "url"},
		{`{"host":"a b"}`, "host"},
		{`{"host":"a","path":"x"}`, "path"},
		{`{"host":"a","port":70000}`, "port"},
		{`{"url":"http://a/","connect":"b:x"}`, "connect"},
		{`{"url":"http://a/","connect":"b:0"}`, "connect"},
		{`{"url":"http://a/","method":"CONNECT"}`, "method"},
		{`{"url":"http://a/","method":"get"}`, "method"},
		{`{"url":"http://a/","body":"x"}`, "body: GET has none"},
		{`{"url":"http://a/","headers":{"host":"x"}}`, "Host comes from url"},
		{`{"url":"http://a/","headers":{"content-length":"3"}}`, "Content-Length is set by redpoll"},
		{`{"url":"http://a/","headers":{"Transfer-Encoding":"chunked"}}`, "Transfer-Encoding"},
		{`{"url":"http://a/","headers":{"X":"a\r\nY: b"}}`, "control characters"},
		{`{"url":"http://a/","headers":{"X":"a\u0000"}}`, "control characters"},
		{`{"url":"http://a/","headers":{"X Y":"a"}}`, "no name of a header"},
		{`{"url":"http://a/","headers":{"X":5}}`, "headers.X"},
		{`{"url":"http://a/","headers":{"authorization":"Basic ` + canary + `"}}`, "in plain text is refused"},
		{`{"url":"http://a/","user":"b","password":"` + canary + `"}`, "in plain text is refused"},
		{`{"url":"http://a/","user":"b"}`, "password"},
		{`{"url":"http://a/","user":"b:c","password":{"secret":"x"}}`, "user"},
		{`{"url":"http://a/","user":"b","password":{"secret":"x"},"bearer":{"secret":"x"}}`, "bearer"},
		{`{"url":"http://a/","bearer":{"secret":"x"},"headers":{"Authorization":{"secret":"x"}}}`, "Authorization stands beside"},
		{`{"url":"http://a/","http2":true}`, "http2: needs https"},
		{`{"url":"http://a/","redirects":11}`, "redirects"},
		{`{"url":"http://a/","body_limit":99999999}`, "body_limit"},
		{`{"url":"http://a/","timeout":"6m"}`, "timeout"},
		{`{"url":"http://a/","expect_status":99}`, "expect_status"},
		{`{"url":"http://a/","expect_status":"6xx"}`, "expect_status"},
		{`{"url":"http://a/","expect_status":[]}`, "expect_status"},
		{`{"url":"http://a/","expect_body":"("}`, "expect_body"},
		{`{"url":"http://a/","expect_headers":{"X":"("}}`, "expect_headers.X"},
		{`{"url":"http://a/","expect_json":"a ~ b"}`, "expect_json"},
		{`{"url":"http://a/","expect_json":"a > b"}`, "expect_json"},
		{`{"url":"http://a/","expect_json":["a.b[ == 3"]}`, "expect_json"},
		{`{"url":"https://a/","ca":"x"}`, "ca: want certificates in PEM"},
	} {
		_, err := factory(tools.Tools{})(json.RawMessage(tt.params))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("factory(%s) = %v, want %q", tt.params, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("factory(%s): the error tells the password: %v", tt.params, err)
		}
	}
}

func TestParamsJSON(t *testing.T) {
	t.Parallel()
	var p Params
	text := `{"headers":{"A":"b","C":{"secret":"s"}},"expect_status":[200,"3xx","404-410"],"expect_json":"a == 1"}`
	if err := check.Decode(json.RawMessage(text), &p); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(p)
	for _, want := range []string{`"headers":{"A":"b","C":{"secret":"s"}}`, `"expect_status":"200,3xx,404-410"`, `"expect_json":["a == 1"]`} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("Marshal = %s, %v, want %s in it", out, err, want)
		}
	}
}

func TestJSONRule(t *testing.T) {
	t.Parallel()
	const body = `{"a":{"b c":[1,2,{"d":"x y"}]},"t":true,"z":null,"s":"5","o":{"k":1},"list":[]}`
	var tree any
	if err := json.Unmarshal([]byte(body), &tree); err != nil {
		t.Fatal(err)
	}
	for rule, want := range map[string]bool{
		`a["b c"][2].d == x y`: true, `a["b c"][-1].d == "x y"`: true, `a["b c"][3] missing`: true, `a["b c"][-4] exists`: false,
		`a["b c"][0] < 2`: true, `a["b c"][0] <= 1`: true, `a["b c"][1] >= 3`: false, `a["b c"][1] > 1.5`: true,
		`t == true`: true, `t != true`: false, `z == null`: true, `z exists`: true, `none == null`: false, `none != 1`: false,
		`s == 5`: true, `s > 4`: false, `s =~ ^\d$`: true, `s !~ ^\d$`: false, `s =~ "^5"`: true, `none !~ x`: false,
		`o == {"k": 1}`: true, `$ exists`: true, `$.s == 5`: true, `$["s"] exists`: true, `list == []`: true, `a.b missing`: true, `s.x missing`: true,
	} {
		r, err := parseRule(rule)
		if err != nil {
			t.Errorf("parseRule(%s) = %v", rule, err)
			continue
		}
		if got, found := r.holds(tree); got != want {
			t.Errorf("%s: holds = %v (found %s), want %v", rule, got, found, want)
		}
	}
	for _, rule := range []string{"", " ", "a", "a ==", "a = 1", "a exists 1", ".a == 1", "a..b == 1", "a[x] == 1", `a["b == 1`, "a[1 == 1", "a[0]b == 1", "a =~ ("} {
		if _, err := parseRule(rule); err == nil {
			t.Errorf("parseRule(%q) = nil, want an error", rule)
		}
	}
}

func FuzzJSONRule(f *testing.F) {
	f.Add(`a["b c"][-1].d >= 3`, `{"a":{"b c":[{"d":3}]}}`)
	f.Add(`$ =~ x`, `[]`)
	f.Fuzz(func(t *testing.T, rule, body string) {
		var tree any
		r, err := parseRule(rule)
		if err != nil || json.Unmarshal([]byte(body), &tree) != nil {
			return
		}
		_, _ = r.holds(tree)
		text, err := json.Marshal(JSONRules{r})
		var again JSONRules
		if err != nil || json.Unmarshal(text, &again) != nil {
			t.Fatalf("%q does not survive JSON: %s, %v", rule, text, err)
		}
	})
}

func FuzzStatuses(f *testing.F) {
	f.Add(`["2xx",301,"400-404"]`, 200)
	f.Fuzz(func(t *testing.T, text string, code int) {
		var s, again Statuses
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		out, err := json.Marshal(s)
		if err != nil || len(s) > 0 && json.Unmarshal(out, &again) != nil || again.Has(code) != s.Has(code) {
			t.Fatalf("%s became %s, %v", text, out, err)
		}
	})
}
