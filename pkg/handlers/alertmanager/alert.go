package alertmanager

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tmpl"
)

const (
	maxFields     = 64
	maxName       = 128
	maxLabel      = 512     // bytes of a label's value
	maxField      = 4 << 10 // bytes of an annotation
	maxRendered   = 64 << 10
	maxCheckLabel = 64 // labels of a check that are taken over
	maxRef        = 16 << 10
)

// alert is one of the array that the API takes.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// field is a label or an annotation.
type field struct {
	name  string
	value *tmpl.Template
}

type fields []field

// parseFields reads templates by name. An empty one takes a default away.
func parseFields(setting string, templates map[string]string) (fields, error) {
	var all fields
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		if !validName(name) {
			return nil, fault(setting, "%.64q is no name: want letters, digits and underscores, no digit first, no __ first", name)
		}
		if templates[name] == "" {
			continue
		}
		value, err := tmpl.Parse(setting+"."+name, templates[name], tmpl.Text, maxRendered)
		if err != nil {
			return nil, err
		}
		all = append(all, field{name, value})
	}
	if len(all) > maxFields {
		return nil, fault(setting, "%d of them, want at most %d", len(all), maxFields)
	}
	if setting == "labels" && len(all) == 0 {
		return nil, fault(setting, "an alert needs at least one")
	}
	return all, nil
}

// validName says whether Alertmanager takes a name, and Prometheus does not
// keep it for itself.
func validName(name string) bool {
	if name == "" || len(name) > maxName || strings.HasPrefix(name, "__") {
		return false
	}
	return name == safeName(name)
}

// safeName makes a name of any text.
func safeName(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			b[i] = '_'
		}
	}
	if len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		b = append([]byte{'_'}, b...)
	}
	return string(b)
}

// alert makes the alert of a delivery.
func (h *Handler) alert(d *check.Delivery, labels map[string]string) alert {
	inc, data := d.Event.Incident, tmpl.NewData(*d)
	// Redis' clock may be ahead of this one; an alert that ends before it starts
	// is refused.
	end := max(time.Now().UnixMilli(), inc.Opened) + h.expire.Milliseconds()
	if inc.Resolved != 0 {
		end = max(inc.Resolved, inc.Opened)
	}
	a := alert{
		Labels: labels, Annotations: map[string]string{}, GeneratorURL: h.source(data),
		StartsAt: time.UnixMilli(inc.Opened).UTC(), EndsAt: time.UnixMilli(end).UTC(),
	}
	for _, f := range h.annotations {
		text, err := f.value.Render(data)
		if err != nil {
			text = "(the template failed: " + err.Error() + ")" // an alert without a text is better than none
		}
		if text = tmpl.CleanLines(text, maxField); text != "" {
			a.Annotations[f.name] = text
		}
	}
	return a
}

// endedAt is the alert with other labels, at its end.
func (a alert) endedAt(labels map[string]string, at int64) alert {
	a.Labels, a.EndsAt = labels, time.UnixMilli(max(at, a.StartsAt.UnixMilli())).UTC()
	return a
}

// render makes the labels of the present settings. Those of the settings go
// before those of the check.
func (h *Handler) render(d *check.Delivery) (map[string]string, error) {
	data := tmpl.NewData(*d)
	labels := make(map[string]string, len(h.labels)+len(data.Labels))
	for _, f := range h.labels {
		text, err := f.value.Render(data)
		if err != nil {
			return nil, fmt.Errorf("label %s: %w", f.name, err)
		}
		if text = check.CleanText(strings.TrimSpace(text), maxLabel); text != "" {
			labels[f.name] = text
		}
	}
	if h.checkLabels {
		h.addCheckLabels(labels, data.Labels)
	}
	if len(labels) == 0 {
		return nil, fmt.Errorf("labels: the templates make none of incident %s", d.Event.Incident.ID)
	}
	return labels, nil
}

// addCheckLabels takes over what is not there yet, and no name that the
// settings have, even where its template makes nothing.
func (h *Handler) addCheckLabels(labels, more map[string]string) {
	names := slices.Sorted(maps.Keys(more))
	for _, original := range names[:min(len(names), maxCheckLabel)] {
		name := safeName(original)
		value := check.CleanText(strings.TrimSpace(more[original]), maxLabel)
		_, taken := labels[name]
		own := slices.ContainsFunc(h.labels, func(f field) bool { return f.name == name })
		if value != "" && !taken && !own && validName(name) {
			labels[name] = value
		}
	}
}

// source is the generatorURL: what the API takes for one, or nothing.
func (h *Handler) source(data *tmpl.Data) string {
	text, err := h.generator.Render(data)
	if err != nil {
		return ""
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return u.String()
}

// refOf writes labels down for the next change. Too many are made anew then.
func refOf(labels map[string]string) string {
	text, err := json.Marshal(labels)
	if err != nil || len(text) > maxRef {
		return ""
	}
	return string(text)
}

// parseRef reads them. What is damaged counts as unknown.
func parseRef(ref string) (labels map[string]string, known bool) {
	if ref == "" || json.Unmarshal([]byte(ref), &labels) != nil || len(labels) == 0 {
		return nil, false
	}
	for name, value := range labels {
		if !validName(name) || value == "" {
			return nil, false
		}
	}
	return labels, true
}
