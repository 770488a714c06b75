package alertmanager

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

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

// keep repeats what was told last, as a worker does.
func (s *story) keep() {
	s.t.Helper()
	kept, ev := s.last, *s.last.Event
	ev.Change = check.ChangeNone
	kept.Event, kept.Ref = &ev, s.ref
	if err := s.h.Keep(s.t.Context(), []check.Delivery{kept}); err != nil {
		s.t.Fatal(err)
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
	am := peertest.StartAlertmanager(t)
	s := &story{t: t, h: open(t, fmt.Sprintf(
		`{"url":%q,"keep":"1s","expire":"6s","generator_url":"https://redpoll.example/checks/{{.ID}}","annotations":{"duration":"{{.Duration}}"}}`, am.URL))}

	s.change(check.ChangeOpen, check.StateWarn, nil)
	first := am.Alerts(t)
	want := map[string]string{
		"alertname": "redpoll_http", "check": "web1", "zone": "fra", "command": "http", "severity": "warning", "incident": "fra/web1/1", "site": "a",
	}
	if len(first) != 1 || fmt.Sprint(first[0].Labels) != fmt.Sprint(want) || first[0].Status.State != "active" ||
		first[0].StartsAt.UnixMilli() != s.incident.Opened || first[0].GeneratorURL != "https://redpoll.example/checks/web1" ||
		first[0].Annotations["summary"] != "web1 WARN UNREACHABLE" || first[0].Annotations["description"] != "no answer" {
		t.Fatalf("alerts = %+v, want one, with %v", first, want)
	}
	eventually(t, "people are told", func() bool { return len(am.Told()) > 0 })

	eventually(t, "the alert outlives its first end", func() bool {
		s.keep()
		all := am.Alerts(t)
		return len(all) == 1 && all[0].Status.State == "active" && all[0].UpdatedAt.After(first[0].EndsAt.Add(time.Second))
	})

	s.change(check.ChangeUpdate, check.StateCrit, nil)
	s.change(check.ChangeAck, check.StateCrit, &check.Ack{At: 1, By: "anna", Comment: "on it"})
	all := am.Alerts(t)
	if len(all) != 1 || all[0].Labels["severity"] != "critical" || all[0].Annotations["acknowledged"] != "anna: on it" {
		t.Fatalf("alerts = %+v, want the critical one, acknowledged", all)
	}
	eventually(t, "people are told of the update", func() bool {
		s.keep()
		return len(am.Told()) >= 3
	})
	s.change(check.ChangeResolve, check.StateOK, nil)
	if all := am.Alerts(t); len(all) != 0 {
		t.Fatalf("alerts = %+v, want none", all)
	}
	eventually(t, "people are told of the end", func() bool { return len(am.Told()) >= 4 })
	told := am.Told()
	slices.Sort(told[1:3]) // the order of two groups is not known
	if got := strings.Join(told, ", "); got != "firing web1 warning, firing web1 critical, resolved web1 warning, resolved web1 critical" {
		t.Errorf("people were told: %s", got)
	}
}

// TestForgotten: an alert that nobody repeats ends by itself: a fleet that died
// leaves nothing burning for ever.
func TestForgotten(t *testing.T) {
	t.Parallel()
	am := peertest.StartAlertmanager(t)
	s := &story{t: t, h: open(t, fmt.Sprintf(`{"url":%q,"keep":"1s","expire":"6s"}`, am.URL))}
	s.change(check.ChangeOpen, check.StateCrit, nil)
	eventually(t, "the alert ends", func() bool { return len(am.Told()) == 2 })
	if got := strings.Join(am.Told(), ", "); got != "firing web1 critical, resolved web1 critical" {
		t.Errorf("people were told: %s", got)
	}
}

// TestHostileIsAccepted: Alertmanager takes what checks and targets may say.
func TestHostileIsAccepted(t *testing.T) {
	t.Parallel()
	am := peertest.StartAlertmanager(t)
	h := open(t, fmt.Sprintf(`{"url":%q,"labels":{"reason":"{{.Reason}}","text":"{{.Text}}"},"generator_url":"{{.Text}}"}`, am.URL))
	for i, text := range hostile {
		d := delivery(text)
		d.Event.Incident.ID = fmt.Sprint("fra/web1/", i)
		d.Event.Incident.Opened = time.Now().Add(time.Duration(i-6) * 10 * time.Minute).UnixMilli() // by Redis' clock, whatever that says
		d.Event.Check.Labels[text] = text
		if _, err := h.Deliver(t.Context(), d); err != nil {
			t.Errorf("Deliver with %.40q = %v", text, err)
		}
	}
	all := am.Alerts(t)
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
