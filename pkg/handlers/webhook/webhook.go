// Package webhook is the handler that posts events to a URL: as JSON that is
// documented, or as any text that a template makes; signed if a secret for that
// is named.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tmpl"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

// version is that of the default body.
const version = 1

// maxBody bounds what a template makes, bytes.
const maxBody = 1 << 20

// Headers of requests.
const (
	keyHeader       = "Idempotency-Key"
	signatureHeader = "X-Redpoll-Signature"
)

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	URL string `json:"url"`
	// URLEnd is appended to URL, for hooks whose address is a secret.
	URLEnd check.Secret `json:"url_end"`
	// Method is POST, PUT or PATCH.
	Method string `json:"method"`
	// Body is a template; empty means the default JSON.
	Body        string `json:"body"`
	ContentType string `json:"content_type"`
	// Sign is the key of the signature; none: requests are not signed.
	Sign check.Secret `json:"sign"`
	// Changes are the changes of incidents that are sent; empty means all.
	Changes []string `json:"changes"`
	post.Settings
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings {
	return Settings{Method: http.MethodPost, ContentType: "application/json"}
}

// Handler posts events. It must be closed.
type Handler struct {
	Settings
	client *post.Client
	tools  tools.Tools
	url    *url.URL
	body   *tmpl.Template // nil: the default JSON
}

// New makes the handler; it connects to nobody.
func New(t tools.Tools) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) {
		h := &Handler{Settings: s, tools: t}
		var errs [4]error
		h.url, errs[0] = post.ParseURL("url", s.URL)
		h.body, errs[1] = parseBody(s.Body, s.ContentType)
		errs[2] = s.check()
		h.client, errs[3] = post.New(s.Settings, t)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		return h, nil
	}
}

// parseBody reads the template; what is sent as JSON must be JSON.
func parseBody(source, contentType string) (*tmpl.Template, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, fault("content_type", "%.80q is no media type", contentType)
	}
	kind := tmpl.Text
	if media == "application/json" || strings.HasSuffix(media, "+json") {
		kind = tmpl.JSON
	}
	switch {
	case source != "":
		return tmpl.Parse("body", source, kind, maxBody)
	case kind != tmpl.JSON:
		return nil, fault("content_type", "%.80q needs a body: the default one is JSON", contentType)
	}
	return nil, nil
}

// check finds faults that need nothing else to be known.
func (s *Settings) check() error {
	var faults []error
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, s.Method) {
		faults = append(faults, fault("method", "%.64q, want POST, PUT or PATCH", s.Method))
	}
	known := []string{string(check.ChangeOpen), string(check.ChangeUpdate), string(check.ChangeAck), string(check.ChangeResolve)}
	for _, c := range s.Changes {
		if !slices.Contains(known, c) {
			faults = append(faults, fault("changes", "%.64q, want some of %s", c, strings.Join(known, ", ")))
		}
	}
	for name := range s.Headers {
		for _, own := range []string{keyHeader, signatureHeader, "Content-Type"} {
			if strings.EqualFold(name, own) {
				faults = append(faults, fault("headers", "%s is set by redpoll only", own))
			}
		}
	}
	return errors.Join(faults...)
}

func fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// Close lets go of idle connections.
func (h *Handler) Close() error { return h.client.Close() }

// Process posts a result.
func (h *Handler) Process(ctx context.Context, ev *check.Event) error {
	return h.send(ctx, check.Delivery{Event: ev, Attempt: 1})
}

// Deliver posts a change of an incident.
func (h *Handler) Deliver(ctx context.Context, d check.Delivery) (ref string, err error) {
	if len(h.Changes) > 0 && !slices.Contains(h.Changes, string(d.Event.Change)) {
		return "", nil
	}
	return "", h.send(ctx, d)
}

func (h *Handler) send(ctx context.Context, d check.Delivery) error {
	body, err := h.render(d)
	if err != nil {
		return check.Permanent(fmt.Errorf("body: %w", err))
	}
	header := http.Header{keyHeader: {idempotencyKey(d)}}
	if !h.Sign.IsZero() {
		key, err := h.tools.Secret(h.Sign, h.url.Hostname())
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		header.Set(signatureHeader, sign([]byte(key), time.Now(), body))
	}
	_, err = h.client.Do(ctx, post.Request{
		Method: h.Method, URL: h.url, End: h.URLEnd, Type: h.ContentType, Header: header, Body: body,
	})
	return err
}

// idempotencyKey names what is sent: a repetition has the same.
func idempotencyKey(d check.Delivery) string {
	ev := d.Event
	if ev.Incident == nil {
		return check.IncidentID(ev.Check.Zone, ev.Check.ID, ev.Planned)
	}
	at := ev.Planned
	if ev.Change == check.ChangeAck && d.Ack != nil {
		at = d.Ack.At // a second one during the same run is another
	}
	change := string(ev.Change)
	if change == "" {
		change = "result"
	}
	return ev.Incident.ID + "/" + change + "/" + strconv.FormatInt(at, 10)
}

// body is the default JSON: the event, what version it has, and who takes care.
type body struct {
	Version int `json:"version"`
	*check.Event
	Ack *ack `json:"ack,omitempty"`
}

// ack is check.Ack as others see it.
type ack struct {
	At      int64     `json:"at"`
	By      string    `json:"by,omitempty"`
	Comment string    `json:"comment,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

func (h *Handler) render(d check.Delivery) ([]byte, error) {
	if h.body != nil {
		text, err := h.body.Render(tmpl.NewData(d))
		return []byte(text), err
	}
	b := body{Version: version, Event: d.Event}
	if a := d.Ack; a != nil {
		b.Ack = &ack{a.At, a.By, a.Comment, a.Until}
	}
	return json.Marshal(b)
}
