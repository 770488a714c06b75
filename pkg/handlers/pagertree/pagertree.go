// Package pagertree is the handler that makes alerts in PagerTree: one for each
// incident, acknowledged and resolved with it. It speaks the API v4, or posts to
// a webhook integration. The incident's id is the alert's thirdparty_id: by it a
// repeated change finds what the first one made.
package pagertree

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

// Settings are those of an entry in handlers.yaml.
type Settings struct {
	// URL is where PagerTree is.
	URL string `json:"url"`
	// APIKey is for the API; the other way is Integration, the id of a webhook
	// integration (int_...), with its Token if it has one.
	APIKey      check.Secret `json:"api_key"`
	Integration check.Secret `json:"integration"`
	Token       check.Secret `json:"token"`
	// Teams, Routers and Users are the destinations of alerts that are made with
	// the API: templates of ids; one that makes nothing is left out.
	Teams   []string `json:"teams"`
	Routers []string `json:"routers"`
	Users   []string `json:"users"`
	// Title, Description, Urgency and Tags are templates.
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Urgency     string   `json:"urgency"`
	Tags        []string `json:"tags"`

	Headers map[string]post.Value `json:"headers"`
	TLS     post.TLS              `json:"tls"`
	Proxy   string                `json:"proxy"`
}

// Defaults are the settings of an entry that says nothing.
func Defaults() Settings {
	return Settings{
		URL:   "https://api.pagertree.com",
		Title: "{{.State}} {{.ID}}{{with .Reason}} {{.}}{{end}}",
		Description: `{{.Text}}

Check {{.ID}} ({{.Command}}) in zone {{.Zone}}: {{.Previous}} to {{.State}}, incident since {{.Opened}}
{{range $name, $value := .Labels}}{{$name}}: {{$value}}
{{end}}{{.Incident}}`,
		Urgency: `{{if eq .To "CRIT"}}high{{else if eq .To "WARN"}}medium{{else}}low{{end}}`,
	}
}

// Handler makes alerts. It must be closed.
type Handler struct {
	check.StreamOnly
	client *post.Client
	texts  *texts
	target target
}

// target is one of the two ways into PagerTree.
type target interface {
	// open makes the alert of an incident unless it is there, and gives its id,
	// if the way in tells one.
	open(ctx context.Context, d *check.Delivery) (ref string, err error)
	update(ctx context.Context, d *check.Delivery) (ref string, err error)
	ack(ctx context.Context, d *check.Delivery) error
	resolve(ctx context.Context, d *check.Delivery) error
}

// New makes the handler; it connects to nobody.
func New(t tools.Tools) func(Settings) (check.Handler, error) {
	return func(s Settings) (check.Handler, error) {
		if t.Log == nil {
			t.Log = slog.New(slog.DiscardHandler)
		}
		base, urlErr := post.ParseURL("url", s.URL)
		texts, textErr := parseTexts(&s)
		client, err := post.New(s.requests(), t)
		if err := errors.Join(s.check(), urlErr, textErr, err); err != nil {
			return nil, err
		}
		h := &Handler{client: client, texts: texts}
		if s.Integration.IsZero() {
			h.target = &api{client: client, texts: texts, log: t.Log, alerts: base.JoinPath("api/v4/alerts")}
		} else {
			h.target = &hook{client: client, texts: texts, base: base.JoinPath("integration/"), id: s.Integration}
		}
		return h, nil
	}
}

// requests are the settings of requests.
func (s *Settings) requests() post.Settings {
	headers := map[string]post.Value{"Accept": {Text: "application/json"}}
	for name, value := range s.Headers {
		headers[name] = value
	}
	if !s.Token.IsZero() {
		headers["Pagertree-Token"] = post.Value{Secret: s.Token}
	}
	return post.Settings{Bearer: s.APIKey, Headers: headers, TLS: s.TLS, Proxy: s.Proxy}
}

// check finds what does not go together.
func (s *Settings) check() error {
	destinations := len(s.Teams) + len(s.Routers) + len(s.Users)
	switch {
	case s.APIKey.IsZero() && s.Integration.IsZero():
		return fault("api_key", "is needed, or integration: {secret: NAME}")
	case !s.APIKey.IsZero() && !s.Integration.IsZero():
		return fault("integration", "stands beside no api_key")
	case s.Integration.IsZero() && !s.Token.IsZero():
		return fault("token", "goes with integration only")
	case s.Integration.IsZero() && destinations == 0:
		return fault("teams", "is needed with api_key, or routers, or users")
	case !s.Integration.IsZero() && destinations > 0:
		return fault("integration", "has destinations of its own in PagerTree: teams, routers and users go with api_key only")
	case destinations > maxList:
		return fault("teams", "%d destinations, want at most %d", destinations, maxList)
	}
	return nil
}

func fault(field, format string, args ...any) error {
	return &check.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// Close lets go of idle connections.
func (h *Handler) Close() error { return h.client.Close() }

// Deliver passes a change on. What it returns is PagerTree's id of the alert.
func (h *Handler) Deliver(ctx context.Context, d check.Delivery) (ref string, err error) {
	switch d.Event.Change {
	case check.ChangeOpen:
		return h.target.open(ctx, &d)
	case check.ChangeUpdate:
		return h.target.update(ctx, &d)
	case check.ChangeAck:
		if d.Ack == nil {
			return "", nil // it was taken back: PagerTree knows no way for that
		}
		return "", h.target.ack(ctx, &d)
	case check.ChangeResolve:
		return "", h.target.resolve(ctx, &d)
	}
	return "", nil
}

// under gives the URL of something below u.
func under(u *url.URL, parts ...string) *url.URL {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return u.JoinPath(parts...)
}
