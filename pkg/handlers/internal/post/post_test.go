package post

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/internal/porttest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = `c4nary "s3cret"/+é`

// vault is a directory of secrets: each value, for the target 127.0.0.1 only.
type vault map[string]string

func (v vault) Lookup(name, target string) (string, error) {
	if target != "127.0.0.1" {
		return "", fmt.Errorf("secret %s: may not be sent to %s", name, target)
	}
	value, ok := v[name]
	if !ok {
		return "", fmt.Errorf("secret %s: this worker has no such secret", name)
	}
	return value, nil
}

var lent = tools.Tools{Secrets: vault{"key": canary, "line": "a\nb", "end": "T0/B0?x=s3cret-end"}}

// client makes a client of the settings, a JSON object.
func client(t *testing.T, settings string) *Client {
	t.Helper()
	var s Settings
	if err := check.Decode(json.RawMessage(settings), &s); err != nil {
		t.Fatal(err)
	}
	c, err := New(s, lent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// serve gives a server's URL.
func serve(t *testing.T, h http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return parse(t, s.URL+"/api")
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := ParseURL("url", text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, settings, end string
		want                map[string]string
		path                string
	}{
		{"plain", `{}`, "", map[string]string{"User-Agent": "redpoll", "Content-Type": "text/x", "Authorization": "", "X-One": "1", "Accept-Encoding": ""}, "/api"},
		{"bearer", `{"bearer":{"secret":"key"}}`, "", map[string]string{"Authorization": "Bearer " + canary}, "/api"},
		{"basic", `{"user":"me","password":{"secret":"key"}}`, "", map[string]string{"Authorization": "Basic bWU6YzRuYXJ5ICJzM2NyZXQiLyvDqQ=="}, "/api"},
		{"headers", `{"headers":{"x-org":"a b","X-One":"9","X-Key":{"secret":"key"}}}`, "", map[string]string{"X-Org": "a b", "X-Key": canary, "X-One": "1"}, "/api"},
		{"end", `{}`, "end", nil, "/apiT0/B0?x=s3cret-end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			var body []byte
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				fmt.Fprint(w, "hello")
			})
			reply, err := client(t, tt.settings).Do(t.Context(), Request{
				URL: u, End: check.Secret{Name: tt.end}, Type: "text/x", Header: http.Header{"X-One": {"1"}}, Body: []byte("text"),
			})
			if err != nil || string(reply.Body) != "hello" || reply.Status != 200 {
				t.Fatalf("Do = %+v, %v", reply, err)
			}
			if got.Method != "POST" || string(body) != "text" || got.RequestURI != tt.path {
				t.Errorf("the server saw %s %s with %q", got.Method, got.RequestURI, body)
			}
			for name, want := range tt.want {
				if value := got.Header.Get(name); value != want {
					t.Errorf("%s = %q, want %q", name, value, want)
				}
			}
		})
	}
}

// TestJudge: which errors may pass, and what they say.
func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		status      int
		after, date string
		want        string // "", permanent, or the pause; - for a plain error
	}{
		{200, "", "", ""},
		{204, "7", "", ""},
		{302, "", "", "-"},
		{400, "7", "", "permanent"},
		{401, "", "", "-"},
		{403, "", "", "-"},
		{404, "", "", "permanent"},
		{408, "", "", "-"},
		{425, "", "", "-"},
		{429, "7", "", "7s"},
		{429, "0", "", "0s"},
		{429, "-1", "", "-"},
		{500, "", "", "-"},
		{503, now.Add(90 * time.Second).Format(http.TimeFormat), now.Format(http.TimeFormat), "1m30s"},
		{503, now.Add(-time.Second).Format(http.TimeFormat), now.Format(http.TimeFormat), "0s"},
		{503, "99999999", "", "1h0m0s"},
		{503, "soon", "", "-"},
	} {
		t.Run(fmt.Sprint(tt.status, tt.after), func(t *testing.T) {
			t.Parallel()
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
				w.Header().Set("Retry-After", tt.after)
				if tt.date != "" {
					w.Header().Set("Date", tt.date)
				}
				w.WriteHeader(tt.status)
			})
			_, err := client(t, `{}`).Do(t.Context(), Request{URL: u})
			var permanent *check.PermanentError
			var pause *check.RetryAfterError
			got := ""
			switch {
			case errors.As(err, &permanent):
				got = "permanent"
			case errors.As(err, &pause):
				got = pause.After.String()
			case err != nil:
				got = "-"
			}
			if got != tt.want {
				t.Errorf("Do = %v: %q, want %q", err, got, tt.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "POST "+u.String()+": ") {
				t.Errorf("the error %q does not begin with the request", err)
			}
		})
	}
}

// TestErrorsHoldNoSecret: whatever a server says back, in whatever way.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	forms := append(check.SecretForms(canary), check.SecretForms("T0/B0?x=s3cret-end")...)
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s\n%q\n%s %s %s\n", r.URL, r.Header, user, password, url.QueryEscape(canary))
		fmt.Fprint(w, strings.Repeat("\x1b[31mé\u202e", 40<<10))
	}
	rubbish := func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer nc.Close()
		fmt.Fprintf(nc, "%s %s %s\r\n\r\n", r.Header.Get("X-Key"), r.URL, strings.Repeat("x", 10<<10))
	}
	for name, server := range map[string]http.HandlerFunc{"echo": echo, "rubbish": rubbish} {
		for _, settings := range []string{`{"headers":{"X-Key":{"secret":"key"}}}`, `{"user":"u","password":{"secret":"key"}}`} {
			u := serve(t, server)
			_, err := client(t, settings).Do(t.Context(), Request{URL: u, End: check.Secret{Name: "end"}})
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			for _, form := range forms {
				if strings.Contains(err.Error(), form) {
					t.Errorf("%s: the error holds %q: %s", name, form, err)
				}
			}
			if n := len(err.Error()); n > 2000 || strings.ContainsAny(err.Error(), "\x1b\n\u202e") {
				t.Errorf("%s: an error of %d bytes: %q", name, n, err)
			}
			if name == "echo" && !strings.Contains(err.Error(), "(secret end)") {
				t.Errorf("%s: the error says nothing of the reply: %s", name, err)
			}
		}
	}
}

// TestSecretsStay: a secret goes only where its list says.
func TestSecretsStay(t *testing.T) {
	t.Parallel()
	asked := 0
	u := serve(t, func(http.ResponseWriter, *http.Request) { asked++ })
	elsewhere := parse(t, strings.Replace(u.String(), "127.0.0.1", "localhost", 1))
	for _, tt := range []struct {
		name, settings, end string
		url                 *url.URL
		want                string
	}{
		{"host", `{"bearer":{"secret":"key"}}`, "", elsewhere, "may not be sent to localhost"},
		{"end's host", `{}`, "end", elsewhere, "may not be sent to localhost"},
		{"missing", `{"headers":{"A":{"secret":"none"}}}`, "", u, "no such secret"},
		{"line", `{"headers":{"A":{"secret":"line"}}}`, "", u, "secret line: has control characters"},
		{"end with a line break", `{}`, "line", u, "secret line: cannot be the end of the URL"},
	} {
		_, err := client(t, tt.settings).Do(t.Context(), Request{URL: tt.url, End: check.Secret{Name: tt.end}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Do = %v, want %q", tt.name, err, tt.want)
		}
		if errors.As(err, new(*check.PermanentError)) {
			t.Errorf("%s: %v is permanent: the operator may mend it", tt.name, err)
		}
	}
	if asked > 0 {
		t.Errorf("%d requests were made", asked)
	}
}

// TestBounds: of sizes and of time.
func TestBounds(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		chunk := make([]byte, 1<<10)
		for range 1 << 20 { // a GiB, if the client takes it
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	c := client(t, `{}`)
	reply, err := c.Do(t.Context(), Request{URL: u})
	if err != nil || len(reply.Body) != MaxReply {
		t.Errorf("Do = %d bytes, %v, want %d", len(reply.Body), err, MaxReply)
	}
	_, err = c.Do(t.Context(), Request{URL: u, Body: make([]byte, MaxBody+1)})
	if !errors.As(err, new(*check.PermanentError)) {
		t.Errorf("a body that is too large: %v, want a permanent error", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	slow := *u
	slow.Path = "/slow"
	if _, err = c.Do(ctx, Request{URL: &slow}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow server: %v, want the end of the context", err)
	}
	host := net.JoinHostPort("127.0.0.1", strconv.Itoa(porttest.Free(t)))
	gone := parse(t, "http://"+host+"?token=hidden").JoinPath("api")
	_, err = c.Do(t.Context(), Request{URL: gone})
	if err == nil || !strings.HasPrefix(err.Error(), "POST http://"+host+"/api: ") || errors.As(err, new(*check.PermanentError)) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a server that is away: %v, want an error that may pass and has no query", err)
	}
}
