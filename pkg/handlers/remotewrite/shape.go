package remotewrite

import (
	"sync"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/sample"
)

// series is one series of a check: its labels beside those of the check, each
// encoded, and empty where there is none.
type series struct {
	name   string // __name__
	item   string // what stands after the dot of the metric's name
	metric string // the metric's name, where two would be the same series
	index  int    // of the metric in the result, or one of those below
}

// What is sent beside the metrics.
const (
	indexState = -1 - iota
	indexTook
	indexIncident
)

var ownSeries = []series{
	{name: "check_state", index: indexState}, {name: "check_took_seconds", index: indexTook}, {name: "check_incident", index: indexIncident},
}

// shape is what results with the same metrics have in common. It does not
// change.
type shape struct{ series []series }

// newShape makes the shape of metrics.
func newShape(prefix string, metrics []check.Metric, state bool) *shape {
	type identity struct{ name, item string }
	ids := make([]identity, len(metrics))
	count := map[identity]int{}
	sh := &shape{}
	if state {
		for _, own := range ownSeries {
			count[identity{prefix + own.name, ""}] = 1
			sh.series = append(sh.series, series{name: encodeLabel(labelName, prefix+own.name), index: own.index})
		}
	}
	for i := range metrics {
		if m := &metrics[i]; m.Kind != check.KindString {
			figure, item := sample.Split(m.Name)
			ids[i] = identity{seriesName(prefix, figure, m), item}
			count[ids[i]]++
		}
	}
	for i, id := range ids {
		if id.name == "" {
			continue
		}
		s := series{name: encodeLabel(labelName, id.name), index: i}
		if id.item != "" {
			s.item = encodeLabel(labelItem, id.item)
		}
		if count[id] > 1 {
			s.metric = encodeLabel(labelMetric, metrics[i].Name)
		}
		sh.series = append(sh.series, s)
	}
	return sh
}

// checkKey names a check.
type checkKey struct{ zone, id string }

const (
	maxSeries = 250_000 // in shapes, some 30 MB
	maxChecks = 250_000 // whose shapes are known
)

// shapes knows the shapes there are and which one each check had last. It
// forgets all when they become too many: a few series then end by themselves,
// without a marker. The zero value is ready.
type shapes struct {
	mu     sync.Mutex // guards all below
	known  map[string]*shape
	seen   map[checkKey]*shape
	series int // in known
}

// swap gives the shape of a check's metrics, and the one that the check had
// before, nil if that is unknown.
func (s *shapes) swap(key checkKey, prefix string, metrics []check.Metric, state bool) (now, before *shape) {
	var array [1024]byte
	text := array[:0]
	for i := range metrics {
		m := &metrics[i]
		text = append(append(text, m.Name...), 0)
		text = append(append(text, m.Kind...), 0)
		text = append(append(text, m.Unit...), 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now = s.known[string(text)]
	if now == nil {
		now = newShape(prefix, metrics, state)
		if s.known == nil || s.series+len(now.series) > maxSeries {
			s.known, s.seen, s.series = map[string]*shape{}, map[checkKey]*shape{}, 0
		}
		s.known[string(text)] = now
		s.series += len(now.series)
	}
	before = s.seen[key]
	if before == nil && len(s.seen) >= maxChecks {
		clear(s.seen)
	}
	if before != now {
		s.seen[key] = now
	}
	return now, before
}
