package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	canary = "canary-signing-key"
	end    = "T0/B0/canary-hook-end"
)

type vault struct{}

func (vault) Lookup(name, target string) (string, error) {
	switch {
	case target != "127.0.0.1":
		return "", fmt.Errorf("secret %s: may not be sent to %s", name, target)
	case name == "end":
		return end, nil
	case name == "key":
		return canary, nil
	}
	return "", fmt.Errorf("secret %s: this worker has no such secret", name)
}

func open(t testing.TB, settings string) *Handler {
	t.Helper()
	h, err := check.TypedHandler(Defaults(), New(tools.Tools{Secrets: vault{}}))(json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.(*Handler).Close() })
	return h.(*Handler)
}

// request is one that a server got.
type request struct {
	*http.Request
	body string
}

// server keeps requests and answers with a status.
type server struct {
	url    string
	mu     sync.Mutex // guards what follows
	status int
	got    []request
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{status: 204}
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, request{r, string(b)})
		w.WriteHeader(s.status)
		if s.status != 204 {
			fmt.Fprint(w, r.URL, r.Header)
		}
	}))
	t.Cleanup(hs.Close)
	s.url = hs.URL + "/hook/"
	return s
}

// take gives the requests since the last time.
func (s *server) take() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

func delivery(text string) check.Delivery {
	const opened = 1893553445000
	return check.Delivery{Attempt: 1, Event: &check.Event{
		Check: check.EventCheck{ID: "web1", Zone: "fra", Command: "http", Every: check.Duration(30 * time.Second), Labels: map[string]string{"site": "a"}},
		Result: check.Result{
			State: check.StateCrit, Reason: "RESP_TIME_EXCEEDED", Text: text, At: time.UnixMilli(opened).UTC(),
			Metrics: []check.Metric{check.Gauge("resp_seconds", 2.5, "seconds")},
		},
		Planned: opened, Started: opened + 3, Finished: opened + 2503, Worker: "w1", Since: opened, Fails: 1, Change: check.ChangeOpen,
		Incident: &check.Incident{ID: "fra/web1/1893553445000", To: check.StateCrit, Reason: "RESP_TIME_EXCEEDED", Text: text, Opened: opened, Updated: opened},
	}}
}

// TestDefaultBody: it is what the page says.
func TestDefaultBody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := open(t, fmt.Sprintf(`{"url":%q}`, s.url))
	d := delivery("took 2.5s, want at most 2s")
	d.Ack = &check.Ack{Entry: "1-1", At: 1893553505000, By: "anna", Comment: "on it"}
	if ref, err := h.Deliver(t.Context(), d); err != nil || ref != "" {
		t.Fatalf("Deliver = %q, %v", ref, err)
	}
	got := s.take()
	if len(got) != 1 || got[0].Method != "POST" || got[0].Header.Get("Content-Type") != "application/json" ||
		got[0].Header.Get("Idempotency-Key") != "fra/web1/1893553445000/open/1893553445000" || got[0].Header.Get(signatureHeader) != "" {
		t.Fatalf("requests = %+v", got)
	}
	page, err := os.ReadFile("../../../docs/handlers/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	if sample := strings.Join(strings.Fields(got[0].body), ""); !strings.Contains(strings.Join(strings.Fields(string(page)), ""), sample) {
		t.Errorf("docs/handlers/webhook.md does not have\n%s", got[0].body)
	}
}

// TestInline: each result, with a key of its own.
func TestInline(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"changes":["resolve"],"method":"PUT","headers":{"X-Org":"me"}}`, s.url))
	ev := delivery("x").Event
	ev.Change = ""
	withIncident := *ev
	ev.Incident = nil
	for _, e := range []*check.Event{ev, &withIncident} {
		if err := h.Process(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	got := s.take()
	if len(got) != 2 || got[0].Method != "PUT" || got[0].Header.Get("X-Org") != "me" || got[0].Header.Get(keyHeader) != "fra/web1/1893553445000" ||
		got[1].Header.Get(keyHeader) != "fra/web1/1893553445000/result/1893553445000" {
		t.Errorf("requests = %+v", got)
	}
}

// TestChanges: only those that are asked for, and each with its key.
func TestChanges(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"changes":"open,ack","body":"{\"text\":\"{{.Change}}\"}"}`, s.url))
	keys := map[string]bool{}
	for _, change := range []check.Change{check.ChangeOpen, check.ChangeUpdate, check.ChangeAck, check.ChangeAck, check.ChangeResolve} {
		d := delivery("x")
		d.Event.Change = change
		if change == check.ChangeAck {
			d.Ack = &check.Ack{At: int64(len(keys))}
		}
		if _, err := h.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		for _, r := range s.take() {
			keys[r.Header.Get(keyHeader)] = true
			if r.body != fmt.Sprintf(`{"text":"%s"}`, change) {
				t.Errorf("body %s for %s", r.body, change)
			}
		}
	}
	if len(keys) != 3 {
		t.Errorf("keys = %v, want an open and two acks", keys)
	}
}

// verify is what the page tells receivers to do.
func verify(key, header, body string, now time.Time) bool {
	at, mac, ok := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	sent, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || now.Sub(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return false
	}
	want := hmac.New(sha256.New, []byte(key))
	want.Write([]byte(at + "." + body))
	got, err := hex.DecodeString(mac)
	return err == nil && hmac.Equal(got, want.Sum(nil))
}

func TestSignature(t *testing.T) {
	t.Parallel()
	// echo -n '1893553445.{"a":1}' | openssl dgst -sha256 -hmac key
	const known = "t=1893553445,v1=6f24bb51ee5f2cd199bb3dbc74595df15f6d25dbdf4d551a2f1f167bdd170afa"
	now := time.Unix(1893553445, 0)
	if got := sign([]byte("key"), now, []byte(`{"a":1}`)); got != known || !verify("key", got, `{"a":1}`, now) {
		t.Errorf("sign = %s, want %s", got, known)
	}
	s := newServer(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"url_end":{"secret":"end"},"sign":{"secret":"key"}}`, s.url))
	if _, err := h.Deliver(t.Context(), delivery("x")); err != nil {
		t.Fatal(err)
	}
	r := s.take()[0]
	header := r.Header.Get("X-Redpoll-Signature")
	if !verify(canary, header, r.body, time.Now()) || verify("wrong", header, r.body, time.Now()) || verify(canary, header, r.body+" ", time.Now()) ||
		verify(canary, header, r.body, time.Now().Add(time.Hour)) {
		t.Errorf("signature %s", header)
	}
	if r.URL.Path != "/hook/"+end {
		t.Errorf("path %s", r.URL.Path)
	}
}

// TestFailures: which may pass; and none holds a secret.
func TestFailures(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"url_end":{"secret":"end"},"sign":{"secret":"key"},"headers":{"X-Key":{"secret":"key"}}}`, s.url))
	for status, final := range map[int]bool{400: true, 410: true, 429: false, 500: false, 302: false} {
		s.mu.Lock()
		s.status = status
		s.mu.Unlock()
		_, err := h.Deliver(t.Context(), delivery("x"))
		if err == nil || errors.As(err, new(*check.PermanentError)) != final || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: %v, want it final: %v, and no secret", status, err, final)
		}
	}
	s.take()
	h = open(t, fmt.Sprintf(`{"url":%q,"sign":{"secret":"none"}}`, s.url))
	if _, err := h.Deliver(t.Context(), delivery("x")); err == nil || errors.As(err, new(*check.PermanentError)) || len(s.take()) > 0 {
		t.Errorf("without its key: %v, want an error that may pass, and nothing sent", err)
	}
	h = open(t, fmt.Sprintf(`{"url":%q,"body":"{\"first\":\"{{if .Text}}{{slice .Text 2}}{{end}}\"}"}`, s.url))
	if _, err := h.Deliver(t.Context(), delivery("x")); !errors.As(err, new(*check.PermanentError)) || len(s.take()) > 0 {
		t.Errorf("a body that cannot be made: %v, want a permanent error, and nothing sent", err)
	}
	h = open(t, fmt.Sprintf(`{"url":%q,"body":"{\"row\":{{.Metric \"row\" | default 0}}}"}`, s.url))
	d := delivery("x")
	d.Event.Metrics = []check.Metric{check.String("row", `1,"severity":"none"`)}
	if _, err := h.Deliver(t.Context(), d); !errors.As(err, new(*check.PermanentError)) || !strings.Contains(err.Error(), "no valid JSON") || len(s.take()) > 0 {
		t.Errorf("a body that is no JSON: %v, want a permanent error, and nothing sent", err)
	}
}

// TestText: other media types are sent as the template makes them.
func TestText(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"content_type":"text/plain; charset=utf-8","body":"{{.State}} {{.ID}} \"{{line .Text}}\""}`, s.url))
	if _, err := h.Deliver(t.Context(), delivery("a\nb")); err != nil {
		t.Fatal(err)
	}
	if r := s.take()[0]; r.body != `CRIT web1 "a b"` || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%s: %q", r.Header.Get("Content-Type"), r.body)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ settings, want string }{
		{`{}`, "url: is needed"},
		{`{"url":"x"}`, "url: scheme"},
		{`{"url":"http://h","method":"GET"}`, "method: "},
		{`{"url":"http://h","changes":["opened"]}`, `changes: "opened"`},
		{`{"url":"http://h","content_type":"text/plain"}`, "content_type: "},
		{`{"url":"http://h","content_type":"x y"}`, "content_type: "},
		{`{"url":"http://h","body":"{{.Nope}}"}`, "body: "},
		{`{"url":"http://h","body":"text"}`, "body: with a sample (open WARN): makes no valid JSON"},
		{`{"url":"http://h","content_type":"application/vnd.x+json","body":"text"}`, "makes no valid JSON"},
		{`{"url":"http://h","sign":"plain"}`, "sign: a secret in plain text is refused"},
		{`{"url":"http://h","headers":{"idempotency-key":"x"}}`, "headers: Idempotency-Key is set by redpoll only"},
		{`{"url":"http://h","headers":{"Host":"x"}}`, "headers: Host is set by redpoll only"},
		{`{"url":"http://h","template":"x"}`, "unknown field template"},
	} {
		_, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(json.RawMessage(tt.settings))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("settings %s = %v, want %q", tt.settings, err, tt.want)
		}
	}
}

// FuzzBody: whatever is said, the default body is JSON with the same fields.
func FuzzBody(f *testing.F) {
	for _, s := range []string{`","change":"resolve`, "a\n\x00\x1b", "\u202e\u2028", "\xff", strings.Repeat(`"\`, 2048)} {
		f.Add(s)
	}
	h := open(f, `{"url":"http://127.0.0.1:1"}`)
	f.Fuzz(func(t *testing.T, text string) {
		d := delivery(text)
		d.Event.Check.Labels["site"] = text
		b, err := h.render(d)
		var got struct {
			Change, Text string
			Check        struct{ Labels map[string]string }
		}
		if err != nil || json.Unmarshal(b, &got) != nil || got.Change != "open" || len(got.Check.Labels) != 1 {
			t.Fatalf("body %q, %v", b, err)
		}
	})
}
