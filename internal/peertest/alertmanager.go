package peertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/porttest"
)

// Alertmanager is a Prometheus Alertmanager of its own, in no cluster.
type Alertmanager struct {
	URL string

	mu   sync.Mutex // guards told
	told []string
}

// Alert is one as an Alertmanager shows it.
type Alert struct {
	Labels       map[string]string
	Annotations  map[string]string
	StartsAt     time.Time
	EndsAt       time.Time
	UpdatedAt    time.Time
	GeneratorURL string
	Status       struct{ State string }
}

// alertmanagerConfig tells a hook of every alert at once, and of its end.
const alertmanagerConfig = `global:
  resolve_timeout: 1s
route:
  receiver: hook
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: hook
  webhook_configs:
  - url: %q
    send_resolved: true
`

// StartAlertmanager starts Debian's prometheus-alertmanager.
func StartAlertmanager(t testing.TB) *Alertmanager {
	t.Helper()
	program := Program(t, "prometheus-alertmanager", "prometheus-alertmanager")
	dir := Dir(t)
	addr := "127.0.0.1:" + strconv.Itoa(porttest.Free(t))
	a := &Alertmanager{URL: "http://" + addr}
	hook := httptest.NewServer(http.HandlerFunc(a.hook))
	t.Cleanup(hook.Close)
	Serve(t, func(ctx context.Context) error { return a.get(ctx, "/-/ready", nil) }, dir, program,
		"--config.file="+Write(t, dir, "alertmanager.yml", fmt.Sprintf(alertmanagerConfig, hook.URL)),
		"--storage.path="+dir+"/data", "--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=debug")
	return a
}

// hook hears what people would be told.
func (a *Alertmanager) hook(w http.ResponseWriter, r *http.Request) {
	var note struct {
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&note); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range note.Alerts {
		a.told = append(a.told, one.Status+" "+one.Labels["check"]+" "+one.Labels["severity"])
	}
}

// Told gives what people would have been told so far, in order: "firing" or
// "resolved", and the labels check and severity.
func (a *Alertmanager) Told() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.told)
}

// Alerts gives the alerts that burn.
func (a *Alertmanager) Alerts(t testing.TB) (all []Alert) {
	t.Helper()
	if err := a.get(t.Context(), "/api/v2/alerts", &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// get reads a page, as JSON if into is not nil.
func (a *Alertmanager) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, nil)
	if err != nil {
		return err
	}
	req.Close = true // so that nothing of it is left
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: %s", req.URL, res.Status)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}
