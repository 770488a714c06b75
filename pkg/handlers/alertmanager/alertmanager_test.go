package alertmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hostile are texts that targets and writers of specs may come up with.
var hostile = []string{
	`", "severity": "none`, "a\nb\r\nc\x00\x1b[31m", "\u202eabc\u2066\u2028", strings.Repeat("é\"\\", 2048), "\xff\xfe", "{{.ID}}", "__name__", "9a", "severity",
	"javascript:alert(1)", "http://[", "   ",
}

func open(t *testing.T, settings string) *Handler {
	t.Helper()
	h, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.(*Handler).Close() })
	return h.(*Handler)
}

func delivery(text string) check.Delivery {
	return check.Delivery{Attempt: 1, Event: &check.Event{
		Check:  check.EventCheck{ID: "web1", Zone: "fra", Command: "http", Labels: map[string]string{"site": "a"}},
		Result: check.Result{State: check.StateCrit, Reason: "UNREACHABLE", Text: text}, Change: check.ChangeOpen,
		Incident: &check.Incident{ID: "fra/web1/1", To: check.StateCrit, Reason: "UNREACHABLE", Text: text, Opened: 1000, Updated: 1000},
	}}
}

// fake is a server that keeps the alerts of each request.
type fake struct {
	url    string
	mu     sync.Mutex // guards what follows
	status int
	posts  [][]alert
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{status: 200}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var all []alert
		if err != nil || json.Unmarshal(body, &all) != nil || r.URL.Path != path || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("the server got %s %.200s, %v", r.URL, body, err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.posts = append(f.posts, all)
		w.WriteHeader(f.status)
	}))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *fake) answer(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

// take gives the alerts since the last time.
func (f *fake) take() (all []alert) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.posts {
		all = append(all, p...)
	}
	f.posts = nil
	return all
}

// TestIdentity: the labels of an alert do not follow the check, nor settings
// that are new; at an update they do, and the alert with the former ones ends.
func TestIdentity(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := open(t, fmt.Sprintf(`{"url":%q}`, f.url))
	d := delivery("no answer")
	ref, err := h.Deliver(t.Context(), d)
	if err != nil || len(ref) == 0 {
		t.Fatalf("Deliver = %q, %v", ref, err)
	}
	opened := f.take()[0]
	d.Ref, d.Event.Change = ref, check.ChangeAck
	d.Event.Check.Labels = map[string]string{"site": "b", "new": "x"}
	other := open(t, fmt.Sprintf(`{"url":%q,"labels":{"severity":"","team":"web"}}`, f.url))
	if ref, err = other.Deliver(t.Context(), d); err != nil || ref != d.Ref {
		t.Fatalf("Deliver(ack) = %q, %v", ref, err)
	}
	if err := other.Keep(t.Context(), []check.Delivery{d}); err != nil {
		t.Fatal(err)
	}
	for _, a := range f.take() {
		if !maps.Equal(a.Labels, opened.Labels) || !a.EndsAt.After(time.Now()) {
			t.Errorf("alert = %+v, want the labels %v", a, opened.Labels)
		}
	}
	d.Event.Change, d.Event.Incident.Updated = check.ChangeUpdate, 5000
	if ref, err = other.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	got := f.take()
	if len(got) != 2 || got[0].Labels["team"] != "web" || got[0].Labels["site"] != "b" || !got[0].EndsAt.After(time.Now()) ||
		!maps.Equal(got[1].Labels, opened.Labels) || got[1].EndsAt.UnixMilli() != 5000 {
		t.Errorf("alerts = %+v, want the new one, and the end of the former", got)
	}
	d.Ref, d.Event.Change, d.Event.Incident.Resolved = ref, check.ChangeResolve, 7000
	d.Event.Check = check.EventCheck{ID: "web1", Zone: "fra"} // what is left of a check that was removed
	if _, err = h.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if end := f.take(); len(end) != 1 || !maps.Equal(end[0].Labels, got[0].Labels) || end[0].EndsAt.UnixMilli() != 7000 {
		t.Errorf("alerts = %+v, want the end of %v", end, got[0].Labels)
	}
}

// TestLostRef: without a reference the labels are made anew, and they are the
// same for the opening and the end.
func TestLostRef(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := open(t, fmt.Sprintf(`{"url":%q}`, f.url))
	d := delivery("no answer")
	for _, ref := range []string{"", "rubbish", "{}", `{"a":""}`, `{"__a":"b"}`, `[]`} {
		d.Ref, d.Event.Change, d.Event.State, d.Event.Incident.Resolved = ref, check.ChangeOpen, check.StateCrit, 0
		if _, err := h.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.Event.Change, d.Event.State, d.Event.Reason, d.Event.Incident.Resolved = check.ChangeResolve, check.StateOK, "", 9000
		if _, err := h.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if got := f.take(); len(got) != 2 || !maps.Equal(got[0].Labels, got[1].Labels) || got[1].EndsAt.UnixMilli() != 9000 {
			t.Errorf("with ref %q: alerts = %+v", ref, got)
		}
	}
}

// TestServers: each gets everything; one is enough.
func TestServers(t *testing.T) {
	t.Parallel()
	a, b := newFake(t), newFake(t)
	h := open(t, fmt.Sprintf(`{"url":[%q,%q]}`, a.url+"/", b.url+path))
	for _, tt := range []struct {
		a, b      int
		ok, final bool
	}{{200, 200, true, false}, {500, 200, true, false}, {200, 400, true, false}, {500, 400, false, false}, {400, 503, false, false}, {400, 422, false, true}} {
		a.answer(tt.a)
		b.answer(tt.b)
		_, err := h.Deliver(t.Context(), delivery("x"))
		if (err == nil) != tt.ok || errors.As(err, new(*check.PermanentError)) != tt.final {
			t.Errorf("%d and %d: Deliver = %v", tt.a, tt.b, err)
		}
		if len(a.take()) != 1 || len(b.take()) != 1 {
			t.Errorf("%d and %d: not each was asked", tt.a, tt.b)
		}
	}
}

// TestKeepMany: a round of 500 large alerts goes out in bounded requests, and
// one that cannot be rendered holds up no other.
func TestKeepMany(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"labels":{"first":"{{if eq .Incident \"fra/web1/7\"}}{{slice .Text 9 10}}{{end}}"}}`, f.url))
	var list []check.Delivery
	for i := range 500 {
		d := delivery(strings.Repeat(`"`, 4096))
		d.Event.Incident.ID, d.Event.Change = fmt.Sprint("fra/web1/", i), ""
		if i == 7 {
			d.Event.Text = ""
		}
		list = append(list, d)
	}
	if err := h.Keep(t.Context(), list); err == nil || !strings.Contains(err.Error(), "label first") {
		t.Errorf("Keep = %v, want the one that failed", err)
	}
	f.mu.Lock()
	requests := len(f.posts)
	f.mu.Unlock()
	if got := len(f.take()); got != 499 || requests < 4 || requests > 8 {
		t.Errorf("%d alerts in %d requests, want 499 in about five", got, requests)
	}
	if err := h.Keep(t.Context(), nil); err != nil || f.take() != nil {
		t.Errorf("Keep of nothing = %v", err)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ settings, want string }{
		{`{"url":[]}`, "url: 0 of them"},
		{`{"url":"am:9093"}`, "url: scheme"},
		{`{"url":"http://a,http://a/"}`, "url: http://a/api/v2/alerts is there twice"},
		{`{"keep":"4m"}`, "keep: 4m0s"},
		{`{"keep":"1m","expire":"90s"}`, "expire: 1m30s"},
		{`{"labels":{"a-b":"x"}}`, `labels: "a-b" is no name`},
		{`{"labels":{"__a":"x"}}`, `labels: "__a" is no name`},
		{`{"labels":{"a":"{{.Nope}}"}}`, "labels.a: "},
		{`{"annotations":{"1":"x"}}`, `annotations: "1" is no name`},
		{`{"annotations":{"a":"{{"}}`, "annotations.a: "},
		{`{"generator_url":"{{.Nope}}"}`, "generator_url: "},
		{`{"labels":{"alertname":"","check":"","zone":"","command":"","severity":"","incident":""}}`, "labels: an alert needs at least one"},
		{`{"user":"x"}`, "user: needs password"},
		{`{"interval":"1m"}`, "unknown field interval"},
	} {
		_, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(json.RawMessage(tt.settings))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("settings %s = %v, want %q", tt.settings, err, tt.want)
		}
	}
	if len(Defaults().Labels) != 6 {
		t.Error("the defaults were changed")
	}
}

// FuzzAlert: whatever is said, the labels are those of the settings and of the
// check, each as Alertmanager wants it.
func FuzzAlert(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, s)
	}
	h, err := New(tools.Tools{})(Defaults())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { h.(*Handler).Close() })
	f.Fuzz(func(t *testing.T, text, name string) {
		d := delivery(text)
		d.Event.Check.Labels[name] = text
		d.Event.Check.ID = text
		labels, err := h.(*Handler).render(&d)
		if err != nil {
			t.Fatal(err)
		}
		bodies, err := encode([]alert{h.(*Handler).alert(&d, labels)})
		var got []alert
		if err != nil || len(bodies) != 1 || json.Unmarshal(bodies[0], &got) != nil || len(got) != 1 {
			t.Fatalf("encode = %q, %v", bodies, err)
		}
		if len(got[0].Labels) > 8 || got[0].Labels["severity"] != "critical" || got[0].Labels["zone"] != "fra" {
			t.Fatalf("labels = %q", got[0].Labels)
		}
		for name, value := range got[0].Labels {
			if !validName(name) || value == "" || len(value) > maxLabel || !utf8.ValidString(value) || strings.ContainsAny(value, "\n\x1b\u202e") {
				t.Fatalf("label %q = %q", name, value)
			}
		}
		if again, known := parseRef(refOf(labels)); known != (len(refOf(labels)) > 0) || known && !maps.Equal(again, got[0].Labels) {
			t.Fatalf("labels %q come back as %q", labels, again)
		}
	})
}
