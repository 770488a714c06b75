package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/redpoll/redpoll/pkg/check"
)

// maxConcurrency bounds the key concurrency.
const maxConcurrency = 1000

// onlyWords are the values of the filter's key only.
var onlyWords = []string{"all", "changes", "incidents"}

// giveUp reads the key give_up; 0 means never.
func (e *HandlerEntry) giveUp(value ast.Node) error {
	var text string
	if err := yaml.NodeToValue(value, &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text) // of 0 as well
	switch {
	case err != nil:
		return err
	case d < 0:
		return errors.New("less than 0")
	case d == 0:
		d = -1
	}
	e.GiveUp = d
	return nil
}

// filter reads the key filter.
func (r *handlersReader) filter(e *HandlerEntry, value ast.Node) {
	m, ok := value.(ast.MapNode)
	if !ok {
		r.fault(value, "filter: want {states: [WARN, CRIT], labels: {site: fra}, only: changes}")
		return
	}
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		key, value := it.Key().String(), it.Value()
		if seen[key] {
			r.fault(it.Key(), "filter.%s is there twice", key)
			continue
		}
		seen[key] = true
		switch key {
		case "states":
			r.states(e, value)
		case "labels":
			r.labels(e, value)
		case "only":
			e.onlyAt = value
			if err := yaml.NodeToValue(value, &e.Only); err != nil || !slices.Contains(onlyWords, e.Only) {
				r.fault(value, "filter.only: want %s", strings.Join(onlyWords, ", "))
			}
		default:
			text := fmt.Sprintf("filter: unknown field %s", key)
			if near := check.Nearest(key, []string{"states", "labels", "only"}); near != "" {
				text += ", did you mean " + near + "?"
			}
			r.fault(it.Key(), "%s", text)
		}
	}
}

// states reads a list of states.
func (r *handlersReader) states(e *HandlerEntry, value ast.Node) {
	list, ok := value.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.fault(value, "filter.states: want a list such as [WARN, CRIT]")
		return
	}
	for _, n := range list.Values {
		var name string
		err := yaml.NodeToValue(n, &name)
		var s check.State
		if err == nil {
			s, err = check.ParseState(name)
		}
		if err != nil {
			r.fault(n, "filter.states: %v", err)
			continue
		}
		e.States = append(e.States, s)
	}
}

// labels reads a map of texts; a number or a truth value is taken as it is
// written.
func (r *handlersReader) labels(e *HandlerEntry, value ast.Node) {
	m, ok := value.(ast.MapNode)
	if !ok {
		r.fault(value, "filter.labels: want a map such as {site: fra}")
		return
	}
	e.Labels = map[string]string{}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().String()
		scalar, ok := it.Value().(ast.ScalarNode)
		_, null := it.Value().(*ast.NullNode)
		switch _, twice := e.Labels[key]; {
		case twice:
			r.fault(it.Key(), "filter.labels.%s is there twice", key)
		case !ok || null:
			r.fault(it.Value(), "filter.labels.%s: want a text", key)
		default:
			e.Labels[key] = scalar.GetToken().Value
		}
	}
}

// deliveryOf settles how the handler gets its events, and looks whether the
// entry's other keys go with that.
func (r *handlersReader) deliveryOf(e *HandlerEntry, n ast.Node, where map[string]ast.Node) {
	at := func(keys ...string) ast.Node {
		for _, k := range keys {
			if w := where[k]; w != nil {
				return w
			}
		}
		return n
	}
	_, deliverer := e.Handler.(check.Deliverer)
	_, mutator := e.Handler.(check.Mutator)
	if e.Delivery == "" {
		e.Delivery = DeliverInline
		if deliverer && !mutator {
			e.Delivery = DeliverStream
		}
	}
	if e.Delivery == DeliverInline {
		if check.IsStreamOnly(e.Handler) {
			r.fault(at("delivery"), "%s: type %s takes changes of incidents: want delivery stream, which is its default", e.Name, e.Type)
		}
		for _, key := range []string{"concurrency", "give_up"} {
			if where[key] != nil {
				r.fault(where[key], "%s: %s goes with delivery stream", e.Name, key)
			}
		}
		return
	}
	if mutator {
		r.fault(at("delivery"), "%s: type %s changes events: want delivery inline, those of the stream are as they are", e.Name, e.Type)
	}
	if e.Only != "" && e.Only != "incidents" {
		r.fault(e.onlyAt, "%s: filter.only %s: with delivery stream there are changes of incidents only", e.Name, e.Only)
	}
	if e.Name == "ack" {
		r.fault(at("name"), "name ack: that is what stands beside an acknowledged incident, choose another one for delivery stream")
	}
}
