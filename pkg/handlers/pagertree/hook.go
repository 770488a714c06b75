package pagertree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
)

// hook is a webhook integration: https://pagertree.com/docs/integration-guides/webhook.
// PagerTree itself joins what has the same id while the alert is not resolved.
type hook struct {
	client *post.Client
	texts  *texts
	base   *url.URL     // .../integration/
	id     check.Secret // what comes behind it
}

// message is what an integration is told.
type message struct {
	Type string `json:"event_type"`
	ID   string `json:"id"`
	*content
}

// told is the reference of what was made: an integration tells no id.
const told = "hook"

func (h *hook) open(ctx context.Context, d *check.Delivery) (string, error) {
	c := h.texts.content(d)
	return told, h.tell(ctx, message{"create", d.Event.Incident.ID, &c})
}

// update makes the alert if nobody has: a filter let the incident through only
// now. Otherwise there is nothing to tell: an integration changes no alert.
func (h *hook) update(ctx context.Context, d *check.Delivery) (string, error) {
	if d.Ref != "" {
		return d.Ref, nil
	}
	return h.open(ctx, d)
}

func (h *hook) ack(ctx context.Context, d *check.Delivery) error {
	return h.tell(ctx, message{Type: "acknowledge", ID: d.Event.Incident.ID})
}

func (h *hook) resolve(ctx context.Context, d *check.Delivery) error {
	return h.tell(ctx, message{Type: "resolve", ID: d.Event.Incident.ID})
}

func (h *hook) tell(ctx context.Context, m message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return check.Permanent(fmt.Errorf("encode a message: %w", err))
	}
	reply, err := h.client.Do(ctx, post.Request{URL: h.base, End: h.id, Type: "application/json", Body: body})
	switch reply.Status {
	case http.StatusPaymentRequired, http.StatusNotFound, http.StatusMethodNotAllowed:
		// A lapsed subscription, too many requests (so PagerTree says it) and an
		// integration that is switched off: all may pass.
		return fmt.Errorf("%w (too many requests, or no such integration, or it is off)", errors.Unwrap(err))
	}
	return err
}
