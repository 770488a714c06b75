package pagertree

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tmpl"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type vault map[string]string

func (v vault) Lookup(name, _ string) (string, error) {
	if value, ok := v[name]; ok {
		return value, nil
	}
	return "", fmt.Errorf("secret %s: this worker has no such secret", name)
}

var lent = tools.Tools{Secrets: vault{"key": apiKey, "old": "canary-old-key-77", "int": integration, "token": token}}

func open(t *testing.T, settings string) *Handler {
	t.Helper()
	h, err := check.TypedHandler(Defaults(), New(lent))(json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.(*Handler).Close() })
	return h.(*Handler)
}

// byAPI opens a handler for the API.
func byAPI(t *testing.T, f *fake) *Handler {
	t.Helper()
	return open(t, fmt.Sprintf(`{"url":%q,"api_key":{"secret":"key"},"teams":["tem_1"],"routers":["{{.Labels.router}}"],"tags":["{{.Zone}}","{{.Labels.none}}"]}`, f.url))
}

const incident = "fra/web1/1893553445000"

func delivery(change check.Change, state check.State, ref string) check.Delivery {
	inc := &check.Incident{ID: incident, To: state, Reason: "UNREACHABLE", Text: "no answer", Opened: 1893553445000, Updated: 1893553445000}
	ev := &check.Event{
		Check:  check.EventCheck{ID: "web1", Zone: "fra", Command: "http", Labels: map[string]string{"router": "rtr_1"}},
		Result: check.Result{State: state, Reason: "UNREACHABLE", Text: "no answer"}, Change: change, Incident: inc,
	}
	if change == check.ChangeResolve {
		ev.Result, inc.To, inc.Resolved = check.Result{}, check.StateCrit, 1893553475000
	}
	return check.Delivery{Event: ev, Ref: ref, Attempt: 1}
}

// deliver hands a change over and expects no error.
func deliver(t *testing.T, h *Handler, d check.Delivery) string {
	t.Helper()
	ref, err := h.Deliver(t.Context(), d)
	if err != nil {
		t.Fatalf("Deliver(%s) = %v", d.Event.Change, err)
	}
	return ref
}

func TestAPI(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := byAPI(t, f)
	expect := func(wantAlerts, wantCalls string) {
		t.Helper()
		alerts, calls := f.see()
		if strings.Join(alerts, ", ") != wantAlerts || strings.Join(calls, ", ") != wantCalls {
			t.Errorf("alerts %q by %q\nwant   %q by %q", alerts, calls, wantAlerts, wantCalls)
		}
	}
	ref := deliver(t, h, delivery(check.ChangeOpen, check.StateWarn, ""))
	expect("open WARN web1 UNREACHABLE", "GET , POST ")
	a := f.alerts[0]
	if ref != a.ID || a.Thirdparty != incident || a.Urgency != "medium" || fmt.Sprint(a.Teams, a.Routers, a.Users, a.Tags) != "[tem_1] [rtr_1] [] [fra]" {
		t.Errorf("ref %q of %+v", ref, a)
	}
	if want := "no answer\n\nCheck web1 (http) in zone fra: OK to WARN, incident since 2030-01-02T03:04:05Z\nrouter: rtr_1\n" + incident; a.Description != want {
		t.Errorf("description %q, want %q", a.Description, want)
	}
	if again := deliver(t, h, delivery(check.ChangeOpen, check.StateWarn, "")); again != ref {
		t.Errorf("a repeated open gives %q, want %q", again, ref)
	}
	expect("open WARN web1 UNREACHABLE", "GET ")
	if again := deliver(t, h, delivery(check.ChangeUpdate, check.StateCrit, ref)); again != ref || a.Urgency != "high" {
		t.Errorf("update gives %q, urgency %s", again, a.Urgency)
	}
	expect("open CRIT web1 UNREACHABLE", "PUT /"+ref)
	d := delivery(check.ChangeAck, check.StateCrit, ref)
	deliver(t, h, d) // one that was taken back by now
	expect("open CRIT web1 UNREACHABLE", "")
	d.Ack = &check.Ack{At: 1, By: "anna", Comment: "on\nit"}
	deliver(t, h, d)
	expect("acknowledged CRIT web1 UNREACHABLE", "POST /"+ref+"/acknowledge, POST /"+ref+"/comments")
	deliver(t, h, d)
	expect("acknowledged CRIT web1 UNREACHABLE", "POST /"+ref+"/acknowledge, GET /"+ref+", POST /"+ref+"/comments")
	if a.comments[0] != "Acknowledged in redpoll by anna: on it" {
		t.Errorf("comment %q", a.comments[0])
	}
	deliver(t, h, delivery(check.ChangeResolve, check.StateOK, ref))
	expect("resolved CRIT web1 UNREACHABLE", "POST /"+ref+"/resolve")
	deliver(t, h, delivery(check.ChangeResolve, check.StateOK, ref))
	expect("resolved CRIT web1 UNREACHABLE", "POST /"+ref+"/resolve, GET /"+ref)
}

// TestLostAnswer: the alert was made, and the answer, or the worker, died.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := byAPI(t, f)
	f.set(func() {
		f.after = func(r *http.Request) bool { return r.Method == http.MethodPost }
	})
	_, err := h.Deliver(t.Context(), delivery(check.ChangeOpen, check.StateCrit, ""))
	if err == nil || errors.As(err, new(*check.PermanentError)) {
		t.Fatalf("Deliver = %v, want an error that may pass", err)
	}
	f.set(func() { f.after = nil })
	ref := deliver(t, h, delivery(check.ChangeOpen, check.StateCrit, ""))
	if alerts, _ := f.see(); len(alerts) != 1 || ref != f.alerts[0].ID {
		t.Errorf("%d alerts, ref %q, want one", len(alerts), ref)
	}
}

// TestLostRef: every change finds its alert by the incident's id, and no other.
func TestLostRef(t *testing.T) {
	t.Parallel()
	for _, blind := range []bool{false, true} {
		for _, ref := range []string{"", "no/id", "01JTGONE"} {
			f := newFake(t)
			h := byAPI(t, f)
			first := deliver(t, h, delivery(check.ChangeOpen, check.StateWarn, ""))
			other := delivery(check.ChangeOpen, check.StateWarn, "")
			other.Event.Incident.ID, other.Event.Check.ID = "fra/web2/1", "web2"
			deliver(t, h, other)
			f.set(func() { f.blind = blind })
			if got := deliver(t, h, delivery(check.ChangeUpdate, check.StateCrit, ref)); got != first {
				t.Errorf("update with ref %q gives %q, want %q", ref, got, first)
			}
			d := delivery(check.ChangeAck, check.StateCrit, ref)
			d.Ack = &check.Ack{At: 1}
			deliver(t, h, d)
			deliver(t, h, delivery(check.ChangeResolve, check.StateOK, ref))
			if alerts, _ := f.see(); strings.Join(alerts, ", ") != "resolved CRIT web1 UNREACHABLE, open WARN web2 UNREACHABLE" {
				t.Errorf("with ref %q: alerts %q", ref, alerts)
			}
		}
	}
}

// TestNoAlert: what somebody deleted, or nobody made, stops nothing.
func TestNoAlert(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := byAPI(t, f)
	for _, ref := range []string{"", "01JTGONE"} {
		d := delivery(check.ChangeAck, check.StateCrit, ref)
		d.Ack = &check.Ack{At: 1}
		deliver(t, h, d)
		deliver(t, h, delivery(check.ChangeResolve, check.StateOK, ref))
	}
	deliver(t, h, delivery(check.ChangeUpdate, check.StateCrit, "01JTGONE"))
	if alerts, _ := f.see(); len(alerts) != 0 {
		t.Fatalf("alerts %q, want none", alerts)
	}
	if ref := deliver(t, h, delivery(check.ChangeUpdate, check.StateCrit, "")); ref == "" { // its open is in the dead letters
		t.Error("an update without an alert makes none")
	}
}

// TestQueued: an alert that is not routed yet takes no action; that may pass.
func TestQueued(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.newState = "queued"
	h := byAPI(t, f)
	ref := deliver(t, h, delivery(check.ChangeOpen, check.StateWarn, ""))
	_, err := h.Deliver(t.Context(), delivery(check.ChangeResolve, check.StateOK, ref))
	if err == nil || errors.As(err, new(*check.PermanentError)) || !strings.Contains(err.Error(), "not routed yet") {
		t.Errorf("Deliver = %v, want an error that may pass", err)
	}
	f.set(func() { f.alerts[0].Status = "suppressed" })
	deliver(t, h, delivery(check.ChangeResolve, check.StateOK, ref))
	f.set(func() { f.alerts[0].Status = "strange" })
	if _, err = h.Deliver(t.Context(), delivery(check.ChangeResolve, check.StateOK, ref)); !errors.As(err, new(*check.PermanentError)) {
		t.Errorf("Deliver = %v, want a permanent error", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	settings := `{"url":%q,"api_key":{"secret":%q},"teams":["{{.Labels.router}}"]}`
	_, err := open(t, fmt.Sprintf(settings, f.url, "old")).Deliver(t.Context(), delivery(check.ChangeOpen, check.StateCrit, ""))
	if err == nil || errors.As(err, new(*check.PermanentError)) || strings.Contains(err.Error(), "canary") {
		t.Errorf("a wrong key: %v, want an error that may pass, without the key", err)
	}
	h := open(t, fmt.Sprintf(settings, f.url, "key"))
	for _, team := range []string{"", "no id", "a/b", strings.Repeat("x", 65)} {
		d := delivery(check.ChangeOpen, check.StateCrit, "")
		d.Event.Check.Labels["router"] = team
		if _, err := h.Deliver(t.Context(), d); !errors.As(err, new(*check.PermanentError)) {
			t.Errorf("team %q: %v, want a permanent error", team, err)
		}
	}
	f.set(func() {
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "17")
			w.WriteHeader(429)
			return true
		}
	})
	var pause *check.RetryAfterError
	if _, err := h.Deliver(t.Context(), delivery(check.ChangeOpen, check.StateCrit, "")); !errors.As(err, &pause) || pause.After != 17*time.Second {
		t.Errorf("too many requests: %v, want a pause of 17s", err)
	}
	if _, err := open(t, fmt.Sprintf(settings, f.url, "none")).Deliver(t.Context(), delivery(check.ChangeOpen, check.StateCrit, "")); err == nil || errors.As(err, new(*check.PermanentError)) {
		t.Errorf("no such secret: %v, want an error that may pass", err)
	}
	for _, reply := range []string{`rubbish`, `{"id":"../x"}`, `{}`} {
		f.set(func() {
			f.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost {
					fmt.Fprint(w, reply)
				}
				return r.Method == http.MethodPost
			}
		})
		if ref := deliver(t, h, delivery(check.ChangeOpen, check.StateCrit, "")); ref != "" {
			t.Errorf("the answer %q gives the ref %q", reply, ref)
		}
	}
}

func TestIntegration(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"integration":{"secret":"int"},"token":{"secret":"token"}}`, f.url))
	// The first change that comes through a filter may be an update.
	ref := deliver(t, h, delivery(check.ChangeUpdate, check.StateCrit, ""))
	deliver(t, h, delivery(check.ChangeOpen, check.StateCrit, ""))
	if again := deliver(t, h, delivery(check.ChangeUpdate, check.StateWarn, ref)); again != ref || ref == "" {
		t.Errorf("refs %q, %q", ref, again)
	}
	if alerts, _ := f.see(); len(alerts) != 1 || alerts[0] != "open CRIT web1 UNREACHABLE" || f.alerts[0].dedup != 1 || f.alerts[0].Thirdparty != incident || f.alerts[0].Urgency != "high" {
		t.Fatalf("alerts %q, want one", alerts)
	}
	d := delivery(check.ChangeAck, check.StateCrit, "")
	d.Ack = &check.Ack{At: 1, By: "anna"}
	deliver(t, h, d)
	if f.alerts[0].Status != "acknowledged" {
		t.Errorf("status %s", f.alerts[0].Status)
	}
	deliver(t, h, delivery(check.ChangeResolve, check.StateOK, ""))
	if alerts, _ := f.see(); len(alerts) != 1 || f.alerts[0].Status != "resolved" {
		t.Fatalf("alerts %q", alerts)
	}
	for status, final := range map[int]bool{404: false, 402: false, 405: false, 400: true, 429: false, 503: false} {
		f.set(func() {
			f.before = func(w http.ResponseWriter, r *http.Request) bool {
				w.WriteHeader(status)
				fmt.Fprint(w, r.URL, r.Header)
				return true
			}
		})
		_, err := h.Deliver(t.Context(), d)
		if err == nil || errors.As(err, new(*check.PermanentError)) != final || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: %v, want it final: %v, and no secret", status, err, final)
		}
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ settings, want string }{
		{`{}`, "api_key: is needed"},
		{`{"api_key":"plain"}`, "api_key: a secret in plain text is refused"},
		{`{"api_key":{"secret":"key"}}`, "teams: is needed"},
		{`{"api_key":{"secret":"key"},"teams":["a"],"integration":{"secret":"int"}}`, "integration: stands beside no api_key"},
		{`{"api_key":{"secret":"key"},"teams":["a"],"token":{"secret":"token"}}`, "token: goes with integration only"},
		{`{"integration":{"secret":"int"},"users":["a"]}`, "integration: has destinations"},
		{`{"integration":{"secret":"int"},"url":"pagertree.com"}`, "url: scheme"},
		{`{"integration":{"secret":"int"},"title":"{{.Nope}}"}`, "title: "},
		{`{"integration":{"secret":"int"},"urgency":"{{.State}}"}`, "urgency: makes "},
		{`{"integration":{"secret":"int"},"tags":["{{"]}`, "tags: "},
		{`{"api_key":{"secret":"key"},"teams":["{{.Nope}}"]}`, "teams: "},
		{`{"integration":{"secret":"int"},"headers":{"Host":"x"}}`, "headers: Host"},
		{`{"integration":{"secret":"int"},"key":"x"}`, "unknown field key"},
	} {
		_, err := check.TypedHandler(Defaults(), New(lent))(json.RawMessage(tt.settings))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("settings %s = %v, want %q", tt.settings, err, tt.want)
		}
	}
}

// FuzzContent: whatever is said, an alert has a title of at most 70 characters
// on one line, a description, and one of the urgencies.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"", "\n\r\x00", "\u202e\x1b[31m", strings.Repeat("é\"", 4096), "\xff", "no answer", " ", "critical"} {
		f.Add(s)
	}
	s := Defaults()
	s.Title, s.Urgency, s.Tags = "{{.Labels.x}} {{.Text}}{{if .Labels.x}}{{slice .Text 3}}{{end}}", `{{.Labels.x | default "low"}}`, []string{"{{.Text}}"}
	texts, err := parseTexts(&s)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := delivery(check.ChangeOpen, check.StateCrit, "")
		d.Event.Text, d.Event.Check.Labels["x"] = text, text
		c := texts.content(&d)
		if n := utf8.RuneCountInString(c.Title); n == 0 || n > maxTitle || strings.ContainsAny(c.Title, "\n\x1b\u202e") {
			t.Errorf("title %q of %d characters", c.Title, n)
		}
		if c.Description == "" || len(c.Description) > maxDescription || strings.ContainsAny(c.Description, "\x1b\u202e\x00") {
			t.Errorf("description %q", c.Description)
		}
		if !strings.Contains("silent low medium high critical", c.Urgency) || len(c.Tags) > 1 {
			t.Errorf("urgency %q, tags %q", c.Urgency, c.Tags)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Error(err)
		}
	})
}

// TestDefaultTitles: those of the samples fit and say what matters.
func TestDefaultTitles(t *testing.T) {
	t.Parallel()
	s := Defaults()
	s.Teams = []string{"x"}
	texts, err := parseTexts(&s)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range tmpl.Samples() {
		title, err := texts.title.Render(d)
		if err != nil || !strings.HasPrefix(title, d.State+" "+d.ID) {
			t.Errorf("title %q, %v", title, err)
		}
	}
	d := delivery(check.ChangeOpen, check.StateCrit, "")
	d.Event.Check.ID = strings.Repeat("x", 128)
	if title := texts.content(&d).Title; len(title) != maxTitle || !strings.HasSuffix(title, "...") {
		t.Errorf("title %q of %d characters, want %d", title, len(title), maxTitle)
	}
}
