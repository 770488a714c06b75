package pagertree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
)

// api is the API v4: https://pagertree.com/docs/api/alerts. It does not join
// alerts of one thirdparty_id, so that each opening looks for its alert first.
type api struct {
	client *post.Client
	texts  *texts
	log    *slog.Logger
	alerts *url.URL // .../api/v4/alerts
}

// remote is what is looked at of an alert in PagerTree.
type remote struct {
	ID         string `json:"id"`
	Thirdparty string `json:"thirdparty_id"`
	Status     string `json:"status"`
}

// The states of an alert in which there is nothing more to do. A queued one
// takes no action yet.
var (
	acknowledged = []string{"acknowledged", "resolved"}
	resolved     = []string{"resolved", "suppressed"}
)

const queued = "queued"

func (a *api) open(ctx context.Context, d *check.Delivery) (string, error) {
	if validID(d.Ref) {
		return d.Ref, nil
	}
	found, err := a.find(ctx, d.Event.Incident.ID)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return found[0].ID, nil
	}
	return a.create(ctx, d)
}

// create makes the alert.
func (a *api) create(ctx context.Context, d *check.Delivery) (string, error) {
	to, err := a.texts.destinations(d)
	if err != nil {
		return "", check.Permanent(fmt.Errorf("make an alert of %s: %w", d.Event.Incident.ID, err))
	}
	reply, err := a.do(ctx, http.MethodPost, a.alerts, struct {
		content
		destinations
		Thirdparty string `json:"thirdparty_id"`
	}{a.texts.content(d), to, d.Event.Incident.ID})
	if err != nil {
		return "", err
	}
	var made remote
	if err := json.Unmarshal(reply.Body, &made); err != nil || !validID(made.ID) {
		// It is there: the incident's next changes look for it.
		a.log.Warn("pagertree told no id of a new alert", "incident", d.Event.Incident.ID, "reply", reply.Quote())
		return "", nil
	}
	return made.ID, nil
}

// find gives the alerts of an incident. The answer is looked through again: to
// resolve the alert of somebody else would be worse than to find none.
func (a *api) find(ctx context.Context, incident string) ([]remote, error) {
	u := *a.alerts
	u.RawQuery = url.Values{"thirdparty_id": {incident}, "limit": {"5"}}.Encode()
	reply, err := a.do(ctx, http.MethodGet, &u, nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Data []remote `json:"data"`
	}
	if err := json.Unmarshal(reply.Body, &list); err != nil {
		return nil, fmt.Errorf("look for the alert of %s: %w in %s", incident, err, reply.Quote())
	}
	return slices.DeleteFunc(list.Data, func(r remote) bool { return r.Thirdparty != incident || !validID(r.ID) }), nil
}

// each does something to the alerts of the incident: to the one of the
// reference, and if that is not there (any more) to those that are found.
func (a *api) each(ctx context.Context, d *check.Delivery, do func(id string) (gone bool, err error)) (ref string, err error) {
	if validID(d.Ref) {
		if gone, err := do(d.Ref); !gone || err != nil {
			return d.Ref, err
		}
	}
	found, err := a.find(ctx, d.Event.Incident.ID)
	for _, r := range found {
		if r.ID == d.Ref {
			continue
		}
		gone, err := do(r.ID)
		if err != nil {
			return ref, err
		}
		if ref == "" && !gone {
			ref = r.ID
		}
	}
	return ref, err
}

func (a *api) update(ctx context.Context, d *check.Delivery) (string, error) {
	c := a.texts.content(d)
	ref, err := a.each(ctx, d, func(id string) (bool, error) {
		reply, err := a.do(ctx, http.MethodPut, under(a.alerts, id), c)
		return a.settle(ctx, id, reply, err, resolved)
	})
	if ref == "" && err == nil && d.Ref == "" { // its opening was lost
		return a.create(ctx, d)
	}
	return ref, err
}

func (a *api) ack(ctx context.Context, d *check.Delivery) error {
	_, err := a.each(ctx, d, func(id string) (bool, error) {
		reply, err := a.do(ctx, http.MethodPost, under(a.alerts, id, "acknowledge"), nil)
		gone, err := a.settle(ctx, id, reply, err, acknowledged)
		if gone || err != nil {
			return gone, err
		}
		return false, a.comment(ctx, id, d.Ack)
	})
	return err
}

// comment says who acknowledged. A refusal is not worth a dead letter.
func (a *api) comment(ctx context.Context, id string, ack *check.Ack) error {
	text := "Acknowledged in redpoll"
	if ack.By != "" {
		text += " by " + ack.By
	}
	if ack.Comment != "" {
		text += ": " + ack.Comment
	}
	_, err := a.do(ctx, http.MethodPost, under(a.alerts, id, "comments"), map[string]string{"body": check.CleanText(text, maxDescription)})
	if errors.As(err, new(*check.PermanentError)) {
		a.log.Warn("pagertree took no comment", "err", err)
		return nil
	}
	return err
}

func (a *api) resolve(ctx context.Context, d *check.Delivery) error {
	_, err := a.each(ctx, d, func(id string) (bool, error) {
		reply, err := a.do(ctx, http.MethodPost, under(a.alerts, id, "resolve"), nil)
		return a.settle(ctx, id, reply, err, resolved)
	})
	return err
}

// settle looks at the state of an alert that refused something: in some there
// is nothing more to do, and one that is still queued will take it soon.
func (a *api) settle(ctx context.Context, id string, reply post.Reply, err error, done []string) (gone bool, _ error) {
	if !errors.As(err, new(*check.PermanentError)) {
		return false, err
	}
	if reply.Status == http.StatusNotFound {
		return true, nil
	}
	now, fail := a.do(ctx, http.MethodGet, under(a.alerts, id), nil)
	if now.Status == http.StatusNotFound {
		return true, nil
	}
	if fail != nil {
		return false, fail
	}
	var r remote
	if jsonErr := json.Unmarshal(now.Body, &r); jsonErr != nil {
		return false, err
	}
	switch {
	case slices.Contains(done, r.Status):
		return false, nil
	case r.Status == queued:
		return false, fmt.Errorf("the alert is not routed yet: %w", errors.Unwrap(err))
	}
	return false, err
}

// do makes a request with a JSON body, or with none.
func (a *api) do(ctx context.Context, method string, u *url.URL, body any) (post.Reply, error) {
	r := post.Request{Method: method, URL: u}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return post.Reply{}, check.Permanent(fmt.Errorf("encode an alert: %w", err))
		}
		r.Type, r.Body = "application/json", text
	}
	return a.client.Do(ctx, r)
}
