package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

func TestRun(t *testing.T) {
	t.Parallel()
	s := plainServer(t)
	loris := slowLoris(t)
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	type m = map[string]string
	for _, tt := range []struct {
		name   string
		params string
		reason string // empty: OK
	}{
		{"plain", p(t, "url", s.URL), ""},
		{"in parts", p(t, "host", host, "port", port, "path", "/echo?a=b", "expect_json", `query == "a=b"`), ""},
		{"connect elsewhere", p(t, "url", "http://shop.invalid/echo", "connect", s.Listener.Addr().String(), "expect_json", "host == shop.invalid"), ""},
		{"connect, URL's port", p(t, "url", "http://shop.invalid:"+port+"/", "connect", host), ""},
		{"HEAD", p(t, "url", s.URL, "method", "HEAD"), ""},
		{"POST", p(t, "url", s.URL+"/echo", "method", "POST", "body", "x=1", "headers", m{"Content-Type": "a/b", "X-Key": "k"},
			"expect_json", []string{"method == POST", "body == x=1", "key == k", "agent == redpoll"}), ""},
		{"status", p(t, "url", s.URL+"/code/503"), reasonStatus},
		{"status that is wanted", p(t, "url", s.URL+"/code/503", "expect_status", 503), ""},
		{"status class", p(t, "url", s.URL+"/code/404", "expect_status", "2xx, 4xx"), ""},
		{"status list", p(t, "url", s.URL+"/code/301", "expect_status", []any{200, "300-308"}), ""},
		{"header", p(t, "url", s.URL, "expect_headers", m{"x-node": "^b\\d$", "Date": ""}), ""},
		{"header is another", p(t, "url", s.URL, "expect_headers", m{"X-Node": "^c"}), reasonHeader},
		{"header is missing", p(t, "url", s.URL, "expect_headers", m{"X-None": ""}), reasonHeader},
		{"body", p(t, "url", s.URL, "expect_body", "^wel"), ""},
		{"body is another", p(t, "url", s.URL, "expect_body", "^bye"), reasonBody},
		{"body has it", p(t, "url", s.URL, "expect_body_not", "come$"), reasonBody},
		{"JSON", p(t, "url", s.URL+"/json", "expect_json", []string{"status == ok", "items[1].price > 9", "items[-1].id =~ ^y", "error missing", "ver == 1.10"}), ""},
		{"JSON differs", p(t, "url", s.URL+"/json", "expect_json", "n > 3"), reasonBody},
		{"no JSON", p(t, "url", s.URL, "expect_json", "n > 3"), reasonBody},
		{"gzip", p(t, "url", s.URL+"/gzip", "expect_body", "^hello gzip$"), ""},
		{"deflate", p(t, "url", s.URL+"/deflate", "expect_body", "^hello zlib$"), ""},
		{"corrupt gzip", p(t, "url", s.URL+"/corrupt", "expect_body", "x"), reasonBody},
		{"corrupt gzip, nobody looks", p(t, "url", s.URL+"/corrupt"), ""},
		{"unknown encoding", p(t, "url", s.URL+"/odd", "expect_body", "x"), reasonBody},
		{"gzip bomb", p(t, "url", s.URL+"/bomb", "expect_body", "^0+$"), ""},
		{"gzip bomb as JSON", p(t, "url", s.URL+"/bomb", "expect_json", "a exists"), reasonBody},
		{"large body", p(t, "url", s.URL+"/large"), ""},
		{"large body, the end is not seen", p(t, "url", s.URL+"/large", "expect_body", "end"), reasonBody},
		{"large body, the limit too", p(t, "url", s.URL+"/large", "expect_body", "end", "body_limit", 4<<20), ""},
		{"large headers", p(t, "url", s.URL+"/headers"), "CONNECTION_ERROR"},
		{"slow", p(t, "url", s.URL+"/slow", "resp_warn", "0s", "resp_crit", "100ms"), "RESP_TIME_EXCEEDED"},
		{"slow, nobody minds", p(t, "url", s.URL+"/slow", "resp_warn", "0s", "resp_crit", "0s"), ""},
		{"hangs", p(t, "url", s.URL+"/hang", "timeout", "1s"), "CONNECTION_ERROR"},
		{"stalls in the body", p(t, "url", s.URL+"/stall", "timeout", "1s"), "CONNECTION_ERROR"},
		{"headers without end", p(t, "url", loris, "timeout", "1s"), "CONNECTION_ERROR"},
		{"reset", p(t, "url", s.URL+"/reset"), "CONNECTION_ERROR"},
		{"closed port", p(t, "url", "http://127.0.0.1:1"), "UNREACHABLE"},
		{"no such name", p(t, "url", "http://no-such-host.invalid"), "UNREACHABLE"},
		{"https to a plain port", p(t, "url", strings.Replace(s.URL, "http", "https", 1)), reasonTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// All at once on a busy machine: time is no matter but where it is, and
			// then there is enough of it to connect.
			params := tt.params
			if !strings.Contains(params, "resp_") {
				params = strings.TrimSuffix(params, "}") + `,"resp_warn":"0s","resp_crit":"0s"}`
			}
			res, err := run(t, tools.Tools{}, params)
			if err != nil || res.Reason != tt.reason || (res.State == check.StateOK) != (tt.reason == "") {
				t.Fatalf("Run(%s) = %+v, %v, want %q", params, res, err, tt.reason)
			}
			checktest.Result(t, doc, res)
		})
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	s := plainServer(t)
	for _, tt := range []struct {
		path string
		want float64 // -1: no metric
	}{{"/", 7}, {"/gzip", float64(len(packed(gzipWriter, "hello gzip")))}, {"/large", -1}, {"/code/204", 0}} {
		res, err := run(t, tools.Tools{}, p(t, "url", s.URL+tt.path, "expect_status", "2xx", "expect_body", "."))
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := res.Metric("size_bytes"); ok != (tt.want >= 0) || ok && m.Value != tt.want {
			t.Errorf("size_bytes of %s = %v, %v, want %v", tt.path, m.Value, ok, tt.want)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s, ca := tlsServer(t)
	for _, tt := range []struct {
		name, params, reason string
	}{
		{"trusted", p(t, "url", s.URL, "ca", ca), ""},
		{"HTTP/1.1 unless asked", p(t, "url", s.URL+"/echo", "ca", ca, "expect_json", "proto == HTTP/1.1"), ""},
		{"HTTP/2", p(t, "url", s.URL+"/echo", "ca", ca, "http2", true, "expect_json", "proto == HTTP/2.0"), ""},
		{"HTTP/2 hangs", p(t, "url", s.URL+"/hang", "ca", ca, "http2", true, "timeout", "3s"), "CONNECTION_ERROR"},
		{"HTTP/2 reset", p(t, "url", s.URL+"/reset", "ca", ca, "http2", true), "CONNECTION_ERROR"},
		{"HTTP/2 large headers", p(t, "url", s.URL+"/headers", "ca", ca, "http2", true), "CONNECTION_ERROR"},
		{"SNI and name of the URL", p(t, "url", "https://example.com/echo", "connect", s.Listener.Addr().String(), "ca", ca, "expect_json", "host == example.com"), ""},
		{"server_name", p(t, "url", "https://shop.invalid/", "connect", s.Listener.Addr().String(), "ca", ca, "server_name", "example.com"), ""},
		{"wrong name", p(t, "url", "https://shop.invalid/", "connect", s.Listener.Addr().String(), "ca", ca), reasonTLS},
		{"unknown CA", p(t, "url", s.URL), reasonTLS},
		{"not verified", p(t, "url", s.URL, "verify_tls", false), ""},
		{"certificate warn", p(t, "url", s.URL, "ca", ca, "cert_warn_days", 1e6), "CERT_EXPIRING"},
		{"certificate crit", p(t, "url", s.URL, "ca", ca, "cert_warn_days", "1000000", "cert_crit_days", "900000"), "CERT_EXPIRING"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, err := run(t, tools.Tools{}, strings.TrimSuffix(tt.params, "}")+`,"resp_warn":"0s","resp_crit":"0s"}`)
			if err != nil || res.Reason != tt.reason {
				t.Fatalf("Run(%s) = %+v, %v, want %q", tt.params, res, err, tt.reason)
			}
			checktest.Result(t, doc, res)
			if days, ok := res.Metric("cert_days"); tt.reason != "CONNECTION_ERROR" && (!ok || days.Value < 1000) {
				t.Errorf("cert_days = %v, %v", days.Value, ok)
			}
			if _, ok := res.Metric("tls_seconds"); ok == (tt.reason == reasonTLS) {
				t.Errorf("tls_seconds is there: %v", ok)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	a, b := plainServer(t), plainServer(t)
	to := func(s *httptest.Server, code int, target string) string {
		return fmt.Sprintf("%s/to/%d?to=%s", s.URL, code, url.QueryEscape(target))
	}
	tl := secrets(t, canary, "127.0.0.1")
	auth := []any{"user", "bob", "password", map[string]string{"secret": "login"}, "headers", map[string]any{"X-Key": "k"}}
	with := func(pairs ...any) string { return p(t, append(pairs, auth...)...) }
	for _, tt := range []struct {
		name, params, reason string
	}{
		{"off", p(t, "url", to(a, 302, "/")), reasonStatus},
		{"off, 3xx wanted", p(t, "url", to(a, 302, "/"), "expect_status", "3xx"), ""},
		{"one", p(t, "url", to(a, 302, "/"), "redirects", 1), ""},
		{"two are one too many", p(t, "url", to(a, 302, to(a, 301, "/")), "redirects", 1), reasonStatus},
		{"a loop", p(t, "url", a.URL+"/to/302?to=", "redirects", 10), reasonStatus},
		{"another scheme", p(t, "url", to(a, 302, "file:///etc/passwd"), "redirects", 1), reasonStatus},
		{"POST becomes GET", p(t, "url", to(a, 302, "/echo"), "method", "POST", "body", "x", "redirects", 1, "expect_json", []string{"method == GET", `body == ""`}), ""},
		{"POST stays POST", p(t, "url", to(a, 307, "/echo"), "method", "POST", "body", "x", "redirects", 1, "expect_json", []string{"method == POST", "body == x"}), ""},
		{"303 becomes GET", p(t, "url", to(a, 303, "/echo"), "method", "PUT", "body", "x", "redirects", 1, "expect_json", "method == GET"), ""},
		{"no body for others", p(t, "url", to(a, 307, b.URL+"/echo"), "method", "POST", "body", "x", "redirects", 1), reasonStatus},
		{"login stays at home", with("url", to(a, 302, "/echo"), "redirects", 1, "expect_json", []string{"pass == " + canary, "key == k"}), ""},
		{"no login for others", with("url", to(a, 302, b.URL+"/echo"), "redirects", 1, "expect_json", []string{`auth == ""`, `key == ""`}), ""},
		{"no login after coming back", with("url", to(a, 302, to(b, 302, a.URL+"/echo")), "redirects", 2, "expect_json", []string{`auth == ""`, `key == ""`}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, err := run(t, tl, strings.TrimSuffix(tt.params, "}")+`,"resp_warn":"0s","resp_crit":"0s"}`)
			if err != nil || res.Reason != tt.reason {
				t.Fatalf("Run(%s) = %+v, %v, want %q", tt.params, res, err, tt.reason)
			}
			checktest.Result(t, doc, res)
		})
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	s := plainServer(t)
	guard, err := tools.NewGuard([]string{"127.0.0.2/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, params := range []string{
		p(t, "url", "http://127.0.0.2/"),
		p(t, "url", "http://[::ffff:127.0.0.2]/"),
		p(t, "url", "http://shop.invalid/", "connect", "127.0.0.2"),
		p(t, "url", s.URL+"/to/302?to=http://127.0.0.2/", "redirects", 1),
		p(t, "url", s.URL+"/to/302?to=http://169.254.169.254/latest/meta-data/", "redirects", 1),
	} {
		var denied *tools.DeniedError
		if res, err := run(t, tools.Tools{Guard: guard}, params); !errors.As(err, &denied) {
			t.Errorf("Run(%s) = %+v, %v, want a DeniedError", params, res, err)
		}
	}
}

// TestSecrets: a secret goes to the hosts of its list only, and is in nothing
// that a run gives back, even when the target sends it back.
func TestSecrets(t *testing.T) {
	t.Parallel()
	s := plainServer(t)
	ref := map[string]string{"secret": "login"}
	basic := p(t, "url", s.URL+"/echo", "user", "bob", "password", ref, "expect_json", []string{"pass == " + "x", "user == bob"})
	for _, tt := range []struct {
		name, value, targets, params string
		sent                         bool
	}{
		{"basic", canary, "127.0.0.1", basic, true},
		{"bearer", canary, "127.0.0.0/8", p(t, "url", s.URL+"/echo", "bearer", ref, "expect_json", "auth missing"), true},
		{"header", canary, "*", p(t, "url", s.URL+"/echo", "headers", map[string]any{"X-Key": ref}, "expect_json", "key == x"), true},
		{"another host", canary, "shop.example", basic, false},
		{"connect is not listed", canary, "shop.example", p(t, "url", "http://shop.example/echo", "connect", s.Listener.Addr().String(), "bearer", ref), false},
		{"no list", canary, "", basic, false},
		{"a line break", canary + "\r\nX-Evil: 1", "*", basic, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, err := run(t, secrets(t, tt.value, tt.targets), tt.params)
			if tt.sent && (err != nil || res.Reason != reasonBody) || !tt.sent && err == nil {
				t.Fatalf("Run = %+v, %v, want it sent: %v", res, err, tt.sent)
			}
			if all, _ := json.Marshal(res); strings.Contains(string(all)+fmt.Sprint(err), canary) {
				t.Fatalf("the secret shows: %s %v", all, err)
			}
		})
	}
}
