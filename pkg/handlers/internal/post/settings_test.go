package post

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "x", "//host", "ftp://host", "http://", "http://:80/", "http://u:pass-word@host/", "http://host:0/", "http://host:/", "http://host:99999/",
		"http://ho st/", "http://host/\n", "http:host", "http://u:pass-word@ho\x01st/",
	} {
		if u, err := ParseURL("url", bad); err == nil || !strings.HasPrefix(err.Error(), "url: ") || strings.Contains(err.Error(), "pass-word") {
			t.Errorf("ParseURL(%q) = %v, %v, want an error that names url and no password", bad, u, err)
		}
	}
	// An end cannot become a part of the host.
	if u, err := appendURL(parse(t, "http://host:1"), "@evil.example/"); err != nil || u.Host != "host:1" || u.User != nil {
		t.Errorf("appendURL = %v, %v", u, err)
	}
	if u := parse(t, "HTTPS://[::1]:9093/a?b=c#d"); u.String() != "https://[::1]:9093/a?b=c" {
		t.Errorf("ParseURL = %s", u)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ settings, field, want string }{
		{`{"headers":{"hOst":"x"}}`, "headers", "Host is set by redpoll only"},
		{`{"headers":{"content-length":"1"}}`, "headers", "Content-Length"},
		{`{"headers":{"a b":"x"}}`, "headers", "no name"},
		{`{"headers":{"a":"x\r\nB: y"}}`, "headers", "control"},
		{`{"headers":{"Authorization":"Bearer x"}}`, "headers", "plain text is refused"},
		{`{"headers":{"Authorization":{"secret":"k"}},"bearer":{"secret":"k"}}`, "headers", "beside no user or bearer"},
		{`{"user":"a"}`, "user", "needs password"},
		{`{"password":{"secret":"k"}}`, "user", "needs password"},
		{`{"user":"a:b","password":{"secret":"k"}}`, "user", "colon"},
		{`{"user":"a","password":{"secret":"k"},"bearer":{"secret":"k"}}`, "bearer", "beside no user"},
		{`{"tls":{"ca_file":"/no/such/file"}}`, "tls.ca_file", "no such file"},
		{`{"tls":{"ca_file":"` + notPEM + `"}}`, "tls.ca_file", "no certificates"},
		{`{"tls":{"cert_file":"x"}}`, "tls.cert_file", "key_file"},
		{`{"tls":{"cert_file":"` + notPEM + `","key_file":"` + notPEM + `"}}`, "tls.cert_file", "ca.pem"},
		{`{"tls":{"server_name":"a b"}}`, "tls.server_name", "no host name"},
		{`{"proxy":"socks"}`, "proxy", "want http or https"},
		{`{"proxy":"http://u:p@proxy:1"}`, "proxy", "refused"},
	} {
		var s Settings
		if err := check.Decode(json.RawMessage(tt.settings), &s); err != nil {
			t.Fatal(err)
		}
		_, err := New(s, lent)
		if err == nil || !strings.HasPrefix(err.Error(), tt.field+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%s) = %v, want %s: %q", tt.settings, err, tt.field, tt.want)
		}
	}
	for _, bad := range []string{`{"tls":{"insecure_skip_verify":true}}`, `{"bearer":"plain"}`, `{"headers":{"A":1}}`} {
		if err := check.Decode(json.RawMessage(bad), new(Settings)); err == nil {
			t.Errorf("Decode(%s) = nil, want an error", bad)
		}
	}
}

// TestTLS: the server must be the one that is meant, and may ask who we are.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert := peertest.NewCert(t, dir)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.TLS = cert.TLS.Clone()
	s.TLS.ClientAuth = tls.RequireAnyClientCert
	s.TLS.ClientCAs = x509.NewCertPool()
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	u := parse(t, s.URL)
	ca, pair := `"ca_file":"`+cert.CertFile+`"`, `"cert_file":"`+cert.CertFile+`","key_file":"`+cert.KeyFile+`"`
	for _, tt := range []struct{ settings, want string }{
		{`{"tls":{` + pair + `}}`, "certificate signed by unknown authority"},
		{`{"tls":{` + ca + `}}`, "certificate required"},
		{`{"tls":{` + ca + `,` + pair + `,"server_name":"elsewhere.example"}}`, "not elsewhere.example"},
		{`{"tls":{` + ca + `,` + pair + `}}`, ""},
		{`{"tls":{` + ca + `,` + pair + `,"server_name":"localhost"}}`, ""},
	} {
		_, err := client(t, tt.settings).Do(t.Context(), Request{URL: u})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Do with %s = %v, want %q", tt.settings, err, tt.want)
		}
	}
}

// TestProxy: only the one that is set is used; the environment's only if asked
// for.
func TestProxy(t *testing.T) {
	t.Parallel()
	var seen string
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { seen = r.URL.String() })
	target := parse(t, "http://target.example/x")
	if _, err := client(t, `{"proxy":"`+proxy.String()+`"}`).Do(t.Context(), Request{URL: target}); err != nil || seen != target.String() {
		t.Errorf("the proxy saw %q, %v", seen, err)
	}
	// Nobody asks the environment's proxy for loopback addresses, and what it
	// says is read once a process: only the choice can be tested.
	for settings, want := range map[string]bool{`{}`: false, `{"proxy":"environment"}`: true} {
		if got := client(t, settings).http.Transport.(*http.Transport).Proxy != nil; got != want {
			t.Errorf("%s: asks for a proxy %v, want %v", settings, got, want)
		}
	}
}

// TestReuse: requests one after the other share a connection, refused ones too.
func TestReuse(t *testing.T) {
	t.Parallel()
	addrs := map[string]bool{}
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		addrs[r.RemoteAddr] = true
		w.WriteHeader(500)
	})
	c := client(t, `{}`)
	for range 5 {
		if _, err := c.Do(t.Context(), Request{URL: u, Body: []byte("x")}); err == nil {
			t.Fatal("no error")
		}
	}
	if len(addrs) != 1 {
		t.Errorf("%d connections, want 1", len(addrs))
	}
}
