package pagertree

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tmpl"
)

const (
	maxTitle       = 70 // characters: what fits a text message beside the rest
	maxDescription = 8 << 10
	maxTag         = 100
	maxList        = 32 // destinations, tags
	maxID          = 64
	maxRendered    = 64 << 10
)

// urgencies are those that PagerTree has.
var urgencies = []string{"silent", "low", "medium", "high", "critical"}

// otherwise is the urgency where a template makes none of those.
const otherwise = "high"

// content is what an alert is made of.
type content struct {
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Urgency     string   `json:"urgency"`
	Tags        []string `json:"tags,omitempty"`
}

// destinations are where PagerTree sends an alert.
type destinations struct {
	Teams   []string `json:"destination_team_ids,omitempty"`
	Routers []string `json:"destination_router_ids,omitempty"`
	Users   []string `json:"destination_account_user_ids,omitempty"`
}

// texts are the templates of the settings.
type texts struct {
	title, description, urgency  *tmpl.Template
	tags, teams, routers, people []*tmpl.Template
}

func parseTexts(s *Settings) (*texts, error) {
	var errs []error
	one := func(setting, source string) *tmpl.Template {
		t, err := tmpl.Parse(setting, source, tmpl.Text, maxRendered)
		errs = append(errs, err)
		return t
	}
	many := func(setting string, sources []string) (all []*tmpl.Template) {
		if len(sources) > maxList {
			errs = append(errs, fault(setting, "%d of them, want at most %d", len(sources), maxList))
			return nil
		}
		for _, source := range sources {
			all = append(all, one(setting, source))
		}
		return all
	}
	t := &texts{
		title: one("title", s.Title), description: one("description", s.Description), urgency: one("urgency", s.Urgency),
		tags: many("tags", s.Tags), teams: many("teams", s.Teams), routers: many("routers", s.Routers), people: many("users", s.Users),
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, sample := range tmpl.Samples() {
		if text, err := t.urgency.Render(sample); err != nil || !slices.Contains(urgencies, strings.TrimSpace(text)) {
			return nil, fault("urgency", "makes %.40q of a sample (%s), want one of %s", text, sample.To, strings.Join(urgencies, ", "))
		}
	}
	return t, nil
}

// content renders an alert. A template that fails costs its text, never the
// alert.
func (t *texts) content(d *check.Delivery) content {
	data := tmpl.NewData(*d)
	c := content{Urgency: otherwise}
	title, err := t.title.Render(data)
	if title = check.CleanText(strings.TrimSpace(title), maxRendered); title == "" || err != nil {
		title = data.State + " " + data.ID
	}
	c.Title = tmpl.Trunc(title, maxTitle)
	description, err := t.description.Render(data)
	if err != nil {
		description = data.Text + "\n(the template failed: " + err.Error() + ")"
	}
	c.Description = strings.TrimSpace(tmpl.CleanLines(description, maxDescription))
	if c.Description == "" {
		c.Description = c.Title // the integration wants one
	}
	if text, err := t.urgency.Render(data); err == nil && slices.Contains(urgencies, strings.TrimSpace(text)) {
		c.Urgency = strings.TrimSpace(text)
	}
	for _, tag := range t.tags {
		text, err := tag.Render(data)
		if text = check.CleanText(strings.TrimSpace(text), maxTag); text != "" && err == nil && !slices.Contains(c.Tags, text) {
			c.Tags = append(c.Tags, text)
		}
	}
	return c
}

// destinations renders where an alert goes.
func (t *texts) destinations(d *check.Delivery) (to destinations, err error) {
	data := tmpl.NewData(*d)
	ids := func(what string, templates []*tmpl.Template) (all []string) {
		for _, template := range templates {
			text, fail := template.Render(data)
			text = strings.TrimSpace(text)
			switch {
			case fail != nil:
				err = errors.Join(err, fmt.Errorf("%s: %w", what, fail))
			case text == "" || slices.Contains(all, text):
			case !validID(text):
				err = errors.Join(err, fmt.Errorf("%s: %.80q is no id", what, text))
			default:
				all = append(all, text)
			}
		}
		return all
	}
	to = destinations{Teams: ids("teams", t.teams), Routers: ids("routers", t.routers), Users: ids("users", t.people)}
	if err == nil && len(to.Teams)+len(to.Routers)+len(to.Users) == 0 {
		err = errors.New("teams, routers and users make no destination of this event")
	}
	return to, err
}

// validID says whether a text can be an id of PagerTree's.
func validID(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxID
}
