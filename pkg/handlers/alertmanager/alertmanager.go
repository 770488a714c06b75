// Package alertmanager is the handler that shows incidents to Prometheus
// Alertmanagers, by their API v2. An incident is an alert from its opening to
// its end; it is sent again and again, since an Alertmanager takes an alert that
// nobody repeats for resolved.
package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tmpl"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

const (
	path      = "/api/v2/alerts"
	maxServer = 16 // Alertmanagers of one handler
	maxKeep   = 3 * time.Minute
	maxExpire = time.Hour
)

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	// URL are the Alertmanagers, all of a cluster: each is sent everything.
	URL []string `json:"url"`
	// Keep is the pause between two rounds that repeat open incidents; Expire is
	// how long an alert lives that is not repeated, 0 means four times Keep.
	Keep   check.Duration `json:"keep"`
	Expire check.Duration `json:"expire"`
	// Labels and Annotations are templates by name; one that makes nothing is
	// left out.
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	// CheckLabels says whether the labels of the check are labels of the alert.
	CheckLabels bool `json:"check_labels"`
	// GeneratorURL is a template of what a click on the alert's source opens.
	GeneratorURL string `json:"generator_url"`
	post.Settings
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings {
	return Settings{
		URL:  []string{"http://127.0.0.1:9093"},
		Keep: check.Duration(time.Minute), CheckLabels: true,
		Labels: map[string]string{
			"alertname": "redpoll_{{.Command}}", "check": "{{.ID}}", "zone": "{{.Zone}}", "command": "{{.Command}}",
			"severity": "{{.Severity}}", "incident": "{{.Incident}}",
		},
		Annotations: map[string]string{
			"summary":      "{{.ID}} {{.State}}{{with .Reason}} {{.}}{{end}}",
			"description":  "{{.Text}}",
			"acknowledged": `{{with .Ack}}{{.By | default "somebody"}}{{with .Comment}}: {{.}}{{end}}{{end}}`,
		},
	}
}

// Handler sends alerts. It must be closed.
type Handler struct {
	check.StreamOnly
	client      *post.Client
	log         *slog.Logger
	servers     []*url.URL
	keep        time.Duration
	expire      time.Duration
	labels      fields
	annotations fields
	checkLabels bool
	generator   *tmpl.Template
}

// New makes the handler; it connects to nobody.
func New(t tools.Tools) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) {
		h := &Handler{
			log: t.Log, keep: s.Keep.D(), expire: s.Expire.D(), checkLabels: s.CheckLabels,
		}
		if h.log == nil {
			h.log = slog.New(slog.DiscardHandler)
		}
		var errs [6]error
		h.servers, errs[0] = servers(s.URL)
		h.labels, errs[1] = parseFields("labels", s.Labels)
		h.annotations, errs[2] = parseFields("annotations", s.Annotations)
		h.generator, errs[3] = tmpl.Parse("generator_url", s.GeneratorURL, tmpl.Text, maxField)
		errs[4] = h.checkTimes()
		h.client, errs[5] = post.New(s.Settings, t)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		return h, nil
	}
}

// checkTimes checks keep and expire and fills in what is not set.
func (h *Handler) checkTimes() error {
	if h.keep < time.Second || h.keep > maxKeep {
		return fault("keep", "%v, want 1s to %v (Alertmanager expects 30s to 3m)", h.keep, maxKeep)
	}
	if h.expire == 0 {
		h.expire = 4 * h.keep
	}
	if h.expire < 2*h.keep || h.expire > maxExpire {
		return fault("expire", "%v, want twice keep to %v", h.expire, maxExpire)
	}
	return nil
}

func fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// servers reads the setting url. The API's path may be there or not.
func servers(list []string) ([]*url.URL, error) {
	if len(list) == 0 || len(list) > maxServer {
		return nil, fault("url", "%d of them, want 1 to %d", len(list), maxServer)
	}
	var all []*url.URL
	seen := map[string]bool{}
	for _, text := range list {
		u, err := post.ParseURL("url", text)
		if err != nil {
			return nil, err
		}
		if base := strings.TrimRight(u.Path, "/"); !strings.HasSuffix(base, path) {
			u = u.JoinPath(path)
		}
		if seen[u.String()] {
			return nil, fault("url", "%s is there twice", u.Redacted())
		}
		seen[u.String()] = true
		all = append(all, u)
	}
	return all, nil
}

// Close lets go of idle connections.
func (h *Handler) Close() error { return h.client.Close() }

// KeepEvery is the pause between two rounds.
func (h *Handler) KeepEvery() time.Duration { return h.keep }

// Deliver sends the alert of an incident. What it returns, and gets back, are
// the labels that it has there. They stay the same, whatever becomes of the
// check and of the settings, until the incident is updated: if that changes
// them (the severity, mostly), the alert with the former ones ends.
func (h *Handler) Deliver(ctx context.Context, d check.Delivery) (ref string, err error) {
	former, known := parseRef(d.Ref)
	labels := former
	if !known || d.Event.Change == check.ChangeUpdate {
		if labels, err = h.render(&d); err != nil {
			return "", check.Permanent(err)
		}
	}
	alerts := []alert{h.alert(&d, labels)}
	if known && !maps.Equal(former, labels) {
		alerts = append(alerts, alerts[0].endedAt(former, d.Event.Incident.Updated))
	}
	return refOf(labels), h.send(ctx, alerts)
}

// Keep repeats open incidents. The worker delivers no change of those that it
// shows here, so that no alert burns again that has ended.
func (h *Handler) Keep(ctx context.Context, open []check.Delivery) error {
	alerts := make([]alert, 0, len(open))
	var faults []error
	for i := range open {
		labels, known := parseRef(open[i].Ref)
		if !known {
			var err error
			if labels, err = h.render(&open[i]); err != nil {
				faults = append(faults, err)
				continue
			}
		}
		alerts = append(alerts, h.alert(&open[i], labels))
	}
	return errors.Join(append(faults, h.send(ctx, alerts))...)
}
