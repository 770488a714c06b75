package worker

import (
	"slices"

	"github.com/redpoll/redpoll/pkg/check"
)

// Only says which events of its checks a handler gets.
type Only string

// The choices. A handler of the stream gets changes of incidents in any case.
const (
	OnlyAll       Only = "all"       // every result
	OnlyChanges   Only = "changes"   // results whose state or reason is another than before, or that change an incident
	OnlyIncidents Only = "incidents" // results that change an incident
)

// Filter says which events a handler gets; the zero value: all.
type Filter struct {
	// Only is for handlers that get results; empty is OnlyAll.
	Only Only
	// States are of incidents, for a handler of the stream: their changes while
	// they have one of these, and all later ones of an incident that the handler
	// got a change of. For others they are of results: those with such a state,
	// those that come right after one, and those that resolve an incident.
	States []check.State
	// Labels are values that the check's labels must have.
	Labels map[string]string
}

// wantsResult says whether a handler that gets results wants this one. last is
// the record before it, nil when there was none.
func (f *Filter) wantsResult(ev *check.Event, last *check.Last) bool {
	changed := ev.Change != check.ChangeNone
	if f.Only == OnlyIncidents && !changed {
		return false
	}
	if f.Only == OnlyChanges && !changed {
		reason := ""
		if last != nil {
			reason = last.Reason
		}
		if ev.State == ev.Previous && ev.Reason == reason {
			return false
		}
	}
	return f.labelsFit(ev) && (len(f.States) == 0 || ev.Change == check.ChangeResolve ||
		slices.Contains(f.States, ev.State) || slices.Contains(f.States, ev.Previous))
}

// wantsIncident says whether a handler of the stream wants to hear of the
// event's incident, if it did not before.
func (f *Filter) wantsIncident(ev *check.Event) bool {
	return f.labelsFit(ev) && (len(f.States) == 0 || slices.Contains(f.States, ev.Incident.To))
}

func (f *Filter) labelsFit(ev *check.Event) bool {
	for name, value := range f.Labels {
		if got, ok := ev.Check.Labels[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// named says whether the event's check names the handler.
func (h *handler) named(ev *check.Event) bool {
	if ev.Check.Handlers == nil {
		return h.Default
	}
	return slices.Contains(ev.Check.Handlers, h.Name)
}

// wants says whether a handler of the stream wants to hear of an incident.
func (h *handler) wants(ev *check.Event) bool { return h.named(ev) && h.Filter.wantsIncident(ev) }

// wanted gives those handlers of a run that want its event.
func wanted(handlers []*handler, ev *check.Event, last *check.Last) []*handler {
	i := slices.IndexFunc(handlers, func(h *handler) bool { return !h.Filter.wantsResult(ev, last) })
	if i < 0 {
		return handlers
	}
	out := slices.Clone(handlers[:i])
	for _, h := range handlers[i+1:] {
		if h.Filter.wantsResult(ev, last) {
			out = append(out, h)
		}
	}
	return out
}
