package alertmanager

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

// hook gets what an Alertmanager would tell people.
type hook struct {
	url  string
	mu   sync.Mutex // guards told
	told []string   // "firing check severity", in order
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var note struct {
			Alerts []struct {
				Status string            `json:"status"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&note); err != nil {
			t.Errorf("the hook was told rubbish: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, a := range note.Alerts {
			h.told = append(h.told, a.Status+" "+a.Labels["check"]+" "+a.Labels["severity"])
		}
	}))
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

func (h *hook) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.told)
}

// shown is an alert as the API tells it.
type shown struct {
	Labels       map[string]string
	Annotations  map[string]string
	StartsAt     time.Time
	EndsAt       time.Time
	UpdatedAt    time.Time
	GeneratorURL string
	Status       struct{ State string }
}

// alerts asks an Alertmanager for what burns.
func alerts(t *testing.T, server string) []shown {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var all []shown
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("after 30 s still not: %s", what)
		case <-tick.C:
		}
	}
}

// change makes a delivery of the check web1, opened a second ago, and hands it
// over twice, as the stream may.
func (s *story) change(change check.Change, state check.State, ack *check.Ack) {
	s.t.Helper()
	if change == check.ChangeOpen {
		s.incident = check.Incident{ID: "fra/web1/1", Opened: time.Now().Add(-time.Second).UnixMilli()}
	}
	s.incident.Updated = time.Now().UnixMilli()
	if change == check.ChangeResolve {
		s.incident.Resolved = s.incident.Updated
	} else {
		s.incident.To, s.incident.Reason, s.incident.Text = state, "UNREACHABLE", "no answer"
	}
	inc := s.incident
	s.last = check.Delivery{Ref: s.ref, Ack: ack, Attempt: 1, Event: &check.Event{
		Check:  check.EventCheck{ID: "web1", Zone: "fra", Command: "http", Labels: map[string]string{"site": "a"}},
		Result: check.Result{State: state, Reason: inc.Reason, Text: inc.Text}, Change: change, Incident: &inc,
	}}
	for range 2 {
		ref, err := s.h.Deliver(s.t.Context(), s.last)
		if err != nil {
			s.t.Fatalf("Deliver(%s) = %v", change, err)
		}
		s.ref = ref
	}
}

// story is the life of one incident.
type story struct {
	t        *testing.T
	h        *Handler
	incident check.Incident
	last     check.Delivery
	ref      string
}

// TestAlertmanager: an alert appears, stays for as long as it is repeated,
// changes and ends, and people are told of each once.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	hook := newHook(t)
	server := peertest.StartAlertmanager(t, hook.url).URL
	s := &story{t: t, h: open(t, fmt.Sprintf(
		`{"url":%q,"keep":"1s","expire":"3s","generator_url":"https://redpoll.example/checks/{{.ID}}","annotations":{"duration":"{{.Duration}}"}}`, server))}

	s.change(check.ChangeOpen, check.StateWarn, nil)
	first := alerts(t, server)
	want := map[string]string{
		"alertname": "redpoll_http", "check": "web1", "zone": "fra", "command": "http", "severity": "warning", "incident": "fra/web1/1", "site": "a",
	}
	if len(first) != 1 || fmt.Sprint(first[0].Labels) != fmt.Sprint(want) || first[0].Status.State != "active" ||
		first[0].StartsAt.UnixMilli() != s.incident.Opened || first[0].GeneratorURL != "https://redpoll.example/checks/web1" ||
		first[0].Annotations["summary"] != "web1 WARN UNREACHABLE" || first[0].Annotations["description"] != "no answer" {
		t.Fatalf("alerts = %+v, want one, with %v", first, want)
	}
	eventually(t, "the hook is told", func() bool { return len(hook.all()) > 0 })

	s.last.Event.Change = check.ChangeNone
	kept := s.last
	kept.Ref = s.ref
	eventually(t, "the alert outlives its first end", func() bool {
		if err := s.h.Keep(t.Context(), []check.Delivery{kept}); err != nil {
			t.Fatal(err)
		}
		all := alerts(t, server)
		return len(all) == 1 && all[0].Status.State == "active" && all[0].UpdatedAt.After(first[0].EndsAt.Add(time.Second))
	})

	s.change(check.ChangeUpdate, check.StateCrit, nil)
	s.change(check.ChangeAck, check.StateCrit, &check.Ack{At: 1, By: "anna", Comment: "on it"})
	all := alerts(t, server)
	if len(all) != 1 || all[0].Labels["severity"] != "critical" || all[0].Annotations["acknowledged"] != "anna: on it" {
		t.Fatalf("alerts = %+v, want the critical one, acknowledged", all)
	}
	eventually(t, "the hook is told of the update", func() bool { return len(hook.all()) >= 3 })
	s.change(check.ChangeResolve, check.StateOK, nil)
	if all := alerts(t, server); len(all) != 0 {
		t.Fatalf("alerts = %+v, want none", all)
	}
	eventually(t, "the hook is told of the end", func() bool { return len(hook.all()) >= 4 })
	told := hook.all()
	slices.Sort(told[1:3]) // the order of two groups is not known
	if got := strings.Join(told, ", "); got != "firing web1 warning, firing web1 critical, resolved web1 warning, resolved web1 critical" {
		t.Errorf("the hook was told: %s", got)
	}
}

// TestForgotten: an alert that nobody repeats ends by itself: a fleet that died
// leaves nothing burning for ever.
func TestForgotten(t *testing.T) {
	t.Parallel()
	hook := newHook(t)
	server := peertest.StartAlertmanager(t, hook.url).URL
	s := &story{t: t, h: open(t, fmt.Sprintf(`{"url":%q,"keep":"1s","expire":"2s"}`, server))}
	s.change(check.ChangeOpen, check.StateCrit, nil)
	eventually(t, "the alert ends", func() bool { return len(hook.all()) == 2 })
	if got := strings.Join(hook.all(), ", "); got != "firing web1 critical, resolved web1 critical" {
		t.Errorf("the hook was told: %s", got)
	}
}

// TestHostileIsAccepted: Alertmanager takes what checks and targets may say.
func TestHostileIsAccepted(t *testing.T) {
	t.Parallel()
	server := peertest.StartAlertmanager(t, newHook(t).url).URL
	h := open(t, fmt.Sprintf(`{"url":%q,"labels":{"reason":"{{.Reason}}","text":"{{.Text}}"},"generator_url":"{{.Text}}"}`, server))
	for i, text := range hostile {
		d := delivery(text)
		d.Event.Incident.ID = fmt.Sprint("fra/web1/", i)
		d.Event.Incident.Opened = time.Now().Add(time.Duration(i-6) * 10 * time.Minute).UnixMilli() // by Redis' clock, whatever that says
		d.Event.Check.Labels[text] = text
		if _, err := h.Deliver(t.Context(), d); err != nil {
			t.Errorf("Deliver with %.40q = %v", text, err)
		}
	}
	all := alerts(t, server)
	if len(all) != len(hostile) {
		t.Fatalf("%d alerts, want %d", len(all), len(hostile))
	}
	for _, a := range all {
		if a.Labels["severity"] != "critical" || a.Labels["check"] != "web1" {
			t.Errorf("labels = %q", a.Labels)
		}
		if u, err := url.Parse(a.GeneratorURL); err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("generatorURL = %q", a.GeneratorURL)
		}
	}
}
